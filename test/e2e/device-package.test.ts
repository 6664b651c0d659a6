import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bundleDevice } from "../../.ci/device.ts";
import { bizra, cleanEnvironment, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { addressOf, anchorBody, readKeys, signOrder } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const NODE = Bun.which("node");
if (NODE === null) console.warn("SKIPPED device-package.test.ts: no Node here");

const place = new Workplace();
const bundle = place.at("bizra-device.js");
let net: Testnet;
let node: NodeProcess;

type Told = { readonly kind: string; readonly id?: string; readonly code?: string; readonly height?: number };

beforeAll(async () => {
  const { bytes, compressedBytes } = await bundleDevice(bundle);
  console.log(`device package: ${bytes} bytes, ${compressedBytes} compressed`);
  net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net));
});

afterAll(() => place.end());

/** Starts the device in Node with so many new readings, beside what its folder holds. */
function startDevice(account: string, folder: string, count: number): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const script = join(import.meta.dir, "device", "node-client.mjs");
  const words = [NODE ?? "", script, bundle, node.http, net.genesis, net.accounts[account] ?? "", place.at(folder), String(count)];
  return Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), timeout: 180_000 });
}

/** What a device has printed when it ended, in whole lines. */
async function toldBy(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<Told[]> {
  const lines = (await new Response(child.stdout).text()).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Told);
}

/** Runs the device in Node to its end. */
async function runDevice(account: string, folder: string, count: number): Promise<Told[]> {
  const child = startDevice(account, folder, count);
  const [told, err, code] = await Promise.all([toldBy(child), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`the device ended with ${code}: ${err}`);
  return told;
}

describe.skipIf(NODE === null)("the device package in Node", () => {
  test("e2e device: five anchors over HTTP, each final by a proof verified there, and by the command", async () => {
    const told = await runDevice("alice", "five", 5);
    expect(told.map(({ kind, code }) => [kind, code])).toEqual(Array.from({ length: 5 }, () => ["final", "applied"]));
    for (const { id = "", height } of told) {
      const file = place.at("five.proof");
      expect((await bizra("proof", "get", id, "--url", node.http, "--out", file)).code).toBe(0);
      const verified = await bizra("proof", "verify", file, "--genesis", net.genesis, "--id", id);
      expect(verified.out).toContain(`in block ${height} `);
    }
    expect(readdirSync(place.at("five"))).toEqual(["place"]); // nothing is on its way any more
  }, 240_000);

  test("e2e device: a nonce that somebody else has used meanwhile, found out and gone around", async () => {
    const keys = readKeys(net.accounts["bob"] ?? "");
    const { minimumFee, height } = await node.get("/api/v2/status");
    const terms = { fee: BigInt(String(minimumFee)), validUntil: BigInt(String(height)) + 1_000n };
    expect((await runDevice("bob", "shared", 1)).map(({ kind }) => kind)).toEqual(["final"]);
    for (const nonce of [1, 2]) {
      const { encoded } = signOrder(keys, net.hash, { type: 2, nonce, ...terms, body: anchorBody("other", Buffer.from([nonce])) });
      expect((await node.submit(encoded)).status).toBe(202);
    }
    expect((await runDevice("bob", "shared", 2)).map(({ kind }) => kind)).toEqual(["final", "final"]);
  }, 240_000);

  test("e2e device: killed on the way again and again, everything that it kept becomes final", async () => {
    const ids = new Set<string>();
    const kept = (): string[] =>
      existsSync(place.at("killed")) ? readdirSync(place.at("killed")).filter((name) => name.startsWith("out.")) : [];
    let keptAtKill = 0;
    for (const afterMs of [0, 20, 40, 60, 80]) {
      const before = kept().join();
      const child = startDevice("carol", "killed", 4);
      while (kept().join() === before && child.exitCode === null) await Bun.sleep(1);
      await Bun.sleep(afterMs);
      child.kill("SIGKILL");
      await child.exited;
      keptAtKill += kept().length;
      for (const { id = "" } of await toldBy(child)) ids.add(id);
    }
    expect(keptAtKill).toBeGreaterThan(0);
    for (const { kind, id = "" } of await runDevice("carol", "killed", 1)) {
      expect(kind).toBe("final");
      ids.add(id);
    }
    expect(readdirSync(place.at("killed")).filter((name) => !name.endsWith(".new"))).toEqual(["place"]);
    const { nonce } = await node.get(`/api/v2/accounts/${addressOf(readKeys(net.accounts["carol"] ?? "").publicKey)}`);
    expect(Number(nonce)).toBeGreaterThanOrEqual(ids.size);
    expect(Number(nonce)).toBeLessThanOrEqual(21); // the orders that were given, of which a kill may have lost the last
  }, 240_000);
});
