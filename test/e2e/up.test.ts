import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { bizra, lastJson } from "./support/bizra.ts";
import { addressOf, readKeys } from "./support/independent-client.ts";
import { goneFrom, isNodeOf, UpProcess } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

const up = (directory: string, ...words: readonly string[]): UpProcess =>
  place.keep(new UpProcess(["--validators", "1", "--dir", place.at(directory), ...words]));

describe("the whole system on one machine", () => {
  test("e2e: up, the ready line as promised, accounts that any tool can use", async () => {
    const system = up("promise");
    const line = await system.line(0);
    const [node] = line.nodes;
    expect(line.ready).toBe(true);
    expect(line.nodes.length).toBe(1);
    expect(existsSync(line.genesis)).toBe(true);
    const status = (await (await fetch(`${node?.http}/api/v2/status`)).json()) as Record<string, unknown>;
    expect(status["id"]).toBe(node?.id);
    expect(String(status["genesisHash"]).slice(0, 8)).toBe(line.network);
    expect(BigInt(String(status["minimumFee"]))).toBeLessThanOrEqual(1_000n);
    expect(line.accounts.length).toBeGreaterThanOrEqual(2);
    for (const { address, key } of line.accounts) {
      expect(addressOf(readKeys(key).publicKey)).toBe(address);
      const account = (await (await fetch(`${node?.http}/api/v2/accounts/${address}`)).json()) as Record<string, unknown>;
      expect(BigInt(String(account["balance"]))).toBeGreaterThanOrEqual(10n ** 12n);
      expect(account["nonce"]).toBe("0");
    }
    expect(Number(status["height"])).toBeGreaterThan(0);
    const [from, to] = line.accounts;
    const words = [
      "--url",
      node?.http ?? "",
      "--key",
      from?.key ?? "",
      "--to",
      to?.address ?? "",
      "--amount",
      "5",
      "--wait",
      "final",
      "--json",
    ];
    const paid = await bizra("tx", "transfer", ...words);
    expect([paid.code, lastJson(paid.out)["status"]]).toEqual([0, "final"]);
    expect(await system.end("SIGINT")).toBe(0);
    expect(isNodeOf(node?.pid ?? 0, node?.home ?? "")).toBe(false);
  }, 240_000);

  test("e2e: up without a word on numbers, four validators that each know the three others", async () => {
    const system = place.keep(new UpProcess(["--dir", place.at("four")]));
    const line = await system.line(0);
    expect(line.nodes.length).toBe(4);
    for (const { http } of line.nodes) {
      const peers = (await (await fetch(`${http}/api/v2/peers`)).json()) as {
        connected: { isValidator: boolean }[];
        missingValidators: string[];
      };
      expect([peers.connected.filter(({ isValidator }) => isValidator).length, peers.missingValidators]).toEqual([3, []]);
    }
    expect(await system.end("SIGINT")).toBe(0);
  }, 240_000);

  test("e2e: a child that dies, started again on the same address and told with its new pid", async () => {
    const system = up("phoenix");
    const before = (await system.line(0)).nodes[0];
    process.kill(before?.pid ?? 0, "SIGKILL");
    const after = (await system.line(1)).nodes[0];
    expect(after?.http).toBe(before?.http ?? "");
    expect(after?.id).toBe(before?.id ?? "");
    expect(after?.pid).not.toBe(before?.pid);
    expect((await fetch(`${after?.http}/readyz`)).status).toBe(200);
    expect(await system.end("SIGTERM")).toBe(0);
    expect(isNodeOf(after?.pid ?? 0, after?.home ?? "")).toBe(false);
  }, 240_000);

  test("e2e: up itself killed outright, its child ends and frees the home; --fresh begins anew", async () => {
    const first = up("orphan");
    const line = await first.line(0);
    const [node] = line.nodes;
    first.child.kill("SIGKILL");
    await goneFrom(node?.pid ?? 0, node?.home ?? "", 60_000);
    const second = up("orphan");
    const again = await second.line(0);
    expect(again.network).toBe(line.network);
    expect(again.accounts).toEqual(line.accounts);
    expect(await second.end("SIGINT")).toBe(0);
    const third = up("orphan", "--fresh");
    expect((await third.line(0)).network).not.toBe(line.network);
    expect(await third.end("SIGINT")).toBe(0);
  }, 240_000);

  test("e2e: a second up in the same folder steps back in words, the first goes on", async () => {
    const first = up("twice");
    const [node] = (await first.line(0)).nodes;
    const second = up("twice");
    const code = await Promise.race([second.child.exited, Bun.sleep(120_000).then(() => undefined)]);
    expect([code, second.lines.length]).toEqual([1, 0]);
    expect(second.notes).toMatch(/running|in use/i);
    const fresh = up("twice", "--fresh");
    expect(await Promise.race([fresh.child.exited, Bun.sleep(120_000).then(() => undefined)])).toBe(1);
    expect((await fetch(`${node?.http}/readyz`)).status).toBe(200);
    expect(first.lines.length).toBe(1);
    expect(await first.end("SIGINT")).toBe(0);
  }, 240_000);

  test("e2e: two systems side by side, each on ports of its own", async () => {
    const systems = [up("left"), up("right")];
    const lines = await Promise.all(systems.map((system) => system.line(0)));
    expect(new Set(lines.map(({ network }) => network)).size).toBe(2);
    expect(new Set(lines.flatMap(({ nodes }) => nodes.map(({ http }) => http))).size).toBe(2);
    for (const system of systems) expect(await system.end("SIGINT")).toBe(0);
  }, 240_000);
});
