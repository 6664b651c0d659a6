import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Client } from "./support/client.ts";
import { anchorBody, type Keys, readKeys, type Signed } from "./support/independent-client.ts";
import { postBytes, RawConnection } from "./support/raw-connection.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
let alice: Keys;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  alice = readKeys(net.accounts["alice"] ?? "");
}, 240_000);

afterAll(() => place.end());

/** The next so many anchors of alice, signed. */
async function anchors(client: Client, count: number): Promise<Signed[]> {
  const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("21.5")));
  return Array.from({ length: count }, (_, i) => client.sign(alice, { ...order, nonce: BigInt(order.nonce) + BigInt(i) }));
}

describe("one node", () => {
  test("e2e: SIGTERM amid submissions, each answered, exit 0 in time, nothing accepted lost", async () => {
    const home = place.copyOf(homeOf(net));
    const node = await place.start(home);
    expect(existsSync(join(home, "run.json"))).toBe(true);
    const signed = await anchors(new Client(node, net.hash), 24);
    const connections = await Promise.all(signed.map(() => RawConnection.open(node.http)));
    for (const connection of connections) connection.send("GET /livez HTTP/1.1\r\nHost: node\r\n\r\n");
    await Promise.all(connections.map((connection) => connection.answered(1, 60_000)));
    for (const [i, { encoded }] of signed.entries()) connections[i]?.send(postBytes(encoded));
    await Bun.sleep(3);
    const startedMs = performance.now();
    expect(await node.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(45_000); // far from the minutes that idle connections could last
    await Promise.all(connections.map((connection) => connection.closed(60_000)));
    const answers = connections.map((connection) => connection.statuses.at(1));
    expect(answers.filter((status) => status !== 202 && status !== 503)).toEqual([]);
    expect(existsSync(join(home, "run.json"))).toBe(false);
    const again = await place.start(home);
    const accepted = signed.filter((_, i) => answers[i] === 202 && connections[i]?.text.includes('"accepted"'));
    expect(accepted.length).toBeGreaterThan(0);
    const lowest = signed.findIndex((one) => !accepted.includes(one));
    for (const [i, { id }] of signed.entries()) {
      if (!accepted.includes(signed[i] ?? { encoded: Buffer.alloc(0), id: "" })) continue;
      const waits = lowest !== -1 && i > lowest ? "" : "?wait=final&timeoutMs=10000";
      expect(["accepted", "final"]).toContain(String((await again.get(`/api/v2/transactions/${id}${waits}`))["status"]));
    }
    for (const { encoded } of signed) await again.submit(encoded);
    expect((await again.get(`/api/v2/transactions/${signed.at(-1)?.id}?wait=final&timeoutMs=10000`))["status"]).toBe("final");
    expect(await again.stop()).toBe(0);
  }, 240_000);

  test("e2e: SIGTERM while clients wait for what will not come, answered with what is known", async () => {
    const node = await place.start(place.copyOf(homeOf(net)));
    const client = new Client(node, net.hash);
    const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("1")));
    const gap = client.sign(alice, { ...order, nonce: BigInt(order.nonce) + 5n });
    expect((await node.submit(gap.encoded)).status).toBe(202);
    const waiting = Array.from({ length: 8 }, () => node.get(`/api/v2/transactions/${gap.id}?wait=final&timeoutMs=60000`));
    await Bun.sleep(50);
    expect(await node.stop()).toBe(0);
    for (const answer of await Promise.all(waiting)) expect(answer["status"]).toBe("accepted");
  }, 240_000);

  test("e2e: SIGINT stops it as well; two signals at once are one wish", async () => {
    const home = place.copyOf(homeOf(net));
    for (const signals of [["SIGINT"], ["SIGTERM", "SIGINT", "SIGTERM"]] as const) {
      const node = await place.start(home);
      for (const signal of signals) node.child.kill(signal);
      expect(await node.ended()).toBe(0);
      expect(existsSync(join(home, "run.json"))).toBe(false);
    }
  }, 240_000);

  test("e2e: stopped while it starts, a clean end and a home that starts again", async () => {
    const home = place.copyOf(homeOf(net));
    for (const afterMs of [5, 40, 120, 200]) {
      const node = place.launch(home);
      await Bun.sleep(afterMs);
      node.child.kill("SIGTERM");
      const code = await node.ended();
      expect([afterMs, code === 0 || code === 143, node.output]).toEqual([afterMs, true, expect.not.stringContaining("bizra node:")]);
    }
    const node = await place.start(home);
    expect(await node.stop()).toBe(0);
  }, 240_000);
});
