import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { bundleDevice } from "../../.ci/device.ts";
import { bizra, cleanEnvironment, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { anchorBody, readKeys, signOrder } from "./support/independent-client.ts";
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

/** Runs the device in Node to its end. */
async function runDevice(account: string, folder: string, count: number): Promise<Told[]> {
  const script = join(import.meta.dir, "device", "node-client.mjs");
  const words = [NODE ?? "", script, bundle, node.http, net.genesis, net.accounts[account] ?? "", place.at(folder), String(count)];
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), timeout: 60_000 });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`the device ended with ${code}: ${err}${out}`);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
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
  }, 60_000);

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
  }, 60_000);
});
