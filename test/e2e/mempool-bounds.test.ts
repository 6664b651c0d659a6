import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { homeOf, makeTestnet } from "./support/bizra.ts";
import { Client, findProblemFaults } from "./support/client.ts";
import { anchorBody, type Keys, readKeys, type Signed } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { postBytes, RawConnection } from "./support/raw-connection.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let node: NodeProcess;
let client: Client;
let keys: readonly Keys[];
/** What the pool was filled with. */
let accepted: readonly Signed[] = [];

beforeAll(async () => {
  const net = await makeTestnet(place.at("net"));
  const bounds = { "mempool-account-transactions-max": 4, "mempool-source-transactions-max": 6, "mempool-transactions-max": 8 };
  node = await place.start(homeOf(net), { words: Object.entries(bounds).flatMap(([name, value]) => [`--${name}`, String(value)]) });
  client = new Client(node, net.hash);
  keys = Object.values(net.accounts).map(readKeys);
}, 240_000);

afterAll(() => place.end());

/** Anchors of one account that wait for the one with nonce 0, and so stay pending. */
async function waiting(account: number, count: number): Promise<Signed[]> {
  const owner = keys[account];
  if (owner === undefined) throw new Error(`there is no account ${account}`);
  const order = await client.order(owner, 2, anchorBody("barn", Buffer.from("1")));
  return Array.from({ length: count }, (_, i) => client.sign(owner, { ...order, nonce: i + 1 }));
}

/** Submits from another address of this machine; gives the status and the body. */
async function submitFrom(address: string, { encoded }: Signed): Promise<{ status: number; text: string }> {
  const connection = await RawConnection.open(node.http, address);
  connection.send(postBytes(encoded));
  await connection.answered(1, 60_000);
  await Bun.sleep(20);
  connection.cut();
  return { status: connection.statuses[0] ?? 0, text: connection.text };
}

describe("bounds of what is pending", () => {
  test("e2e: one account, one address, the whole pool, each full with its code; what was accepted stays and room comes again", async () => {
    const [first = [], second = [], third = []] = await Promise.all([waiting(0, 5), waiting(1, 3), waiting(2, 3)]);
    for (const { encoded } of first.slice(0, 4)) expect((await node.submit(encoded)).status).toBe(202);
    expect(findProblemFaults(await node.submit(first[4]?.encoded ?? Buffer.alloc(0)), 429, "quotaExceeded")).toEqual([]);
    for (const { encoded } of second.slice(0, 2)) expect((await node.submit(encoded)).status).toBe(202);
    expect(findProblemFaults(await node.submit(second[2]?.encoded ?? Buffer.alloc(0)), 429, "quotaExceeded")).toEqual([]);
    for (const one of third.slice(0, 2)) expect((await submitFrom("127.0.0.2", one)).status).toBe(202);
    const full = await submitFrom("127.0.0.2", third[2] ?? { encoded: Buffer.alloc(0), id: "" });
    expect([full.status, full.text.includes('"code":"mempoolFull"'), /^retry-after: [1-9]/im.test(full.text)]).toEqual([503, true, true]);
    accepted = [...first.slice(0, 4), ...second.slice(0, 2), ...third.slice(0, 2)];
    for (const { id } of accepted) expect((await node.get(`/api/v2/transactions/${id}`))["status"]).toBe("accepted");
    expect((await node.get("/api/v2/status"))["pending"]).toMatchObject({ transactions: 8 });
  }, 240_000);

  test("e2e: a full pool, over a restart with everything accepted still there, and emptied by what was missing", async () => {
    const home = node.home;
    await node.kill();
    node = await place.start(home);
    client = new Client(node, client.genesisHash);
    expect((await node.get("/api/v2/status"))["pending"]).toMatchObject({ transactions: 8 });
    for (const owner of keys.slice(0, 3)) await client.execute(owner, 2, anchorBody("barn", Buffer.from("0")));
    for (const { id } of accepted)
      expect((await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`))["status"]).toBe("final");
    expect((await node.get("/api/v2/status"))["pending"]).toMatchObject({ transactions: 0 });
  }, 240_000);
});
