import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { auditNode } from "./support/audit.ts";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { findProblemFaults } from "./support/client.ts";
import { type DemoLoad, loadFor, makeDemoLoad } from "./support/demo-load.ts";
import { anchorBody, signOrder } from "./support/independent-client.ts";
import { findReexecutionFaults } from "./support/kill-trial.ts";
import { type Answer, NodeEnded, type NodeProcess } from "./support/node-process.ts";
import { findObstacle, TinyDisk } from "./support/tiny-disk.ts";
import { Workplace } from "./support/workplace.ts";

const MIB = 1024 * 1024;
/** How long the node may take to notice that the disk is full, or free again. */
const NOTICE_LIMIT_MS = 90_000;
const obstacle = findObstacle();
if (obstacle !== undefined) console.warn(`SKIPPED full-disk.test.ts: ${obstacle}`);

const place = new Workplace();
let net: Testnet;
let disk: TinyDisk;
let node: NodeProcess;
let demo: DemoLoad;

/** Starts the node on the small disk and waits until it answers; it need not be ready for transactions. */
async function start(): Promise<NodeProcess> {
  const words = ["--storage-free-bytes-min", String(8 * MIB), "--storage-free-bytes-warn", String(10 * MIB)];
  const started = place.launch(`${disk.outside}/home`, { innerHome: `${disk.inside}/home`, command: disk.command, words });
  await started.alive();
  return started;
}

beforeAll(async () => {
  if (obstacle !== undefined) return;
  net = await makeTestnet(place.at("net"));
  disk = place.keep(await TinyDisk.make(place.at("disk"), 64 * MIB));
  cpSync(homeOf(net), `${disk.outside}/home`, { recursive: true });
  node = await start();
  demo = await makeDemoLoad(net, node, new Chance(seedOf()), 20);
  await loadFor(demo.load, node, 500);
}, 240_000);

afterAll(() => place.end());

/** Submits a new anchor of the first lane; it must only be used while refusals are expected, for the books do not know it. */
async function probe(): Promise<Answer> {
  const [lane] = demo.load.lanes;
  if (lane === undefined) throw new Error("the load has a lane");
  const nonce = lane.firstNonce + BigInt(lane.signed.length);
  return node.submit(
    signOrder(lane.keys, net.hash, { type: 2, nonce, fee: 1_000, validUntil: 500_000, body: anchorBody("probe", Buffer.from("1")) })
      .encoded,
  );
}

/** Resolves with the first refusal for want of space; throws when none comes. */
async function refusedForSpace(): Promise<Answer> {
  const deadline = performance.now() + NOTICE_LIMIT_MS;
  for (;;) {
    const before = demo.load.accepted.size;
    await loadFor(demo.load, node, 100);
    if (demo.load.accepted.size === before) return probe();
    if (performance.now() > deadline)
      throw new Error(`still accepting ${NOTICE_LIMIT_MS} ms after the disk was filled, ${disk.freeBytes} bytes free`);
  }
}

/** Resolves when transactions are accepted again. */
async function accepting(): Promise<void> {
  const before = demo.load.accepted.size;
  const deadline = performance.now() + NOTICE_LIMIT_MS;
  while (demo.load.accepted.size < before + 20) {
    await loadFor(demo.load, node, 200);
    if (performance.now() > deadline)
      throw new Error(`nothing accepted ${NOTICE_LIMIT_MS} ms after space was freed: ${node.output.slice(-600)}`);
  }
}

describe.skipIf(obstacle !== undefined)("a full disk", () => {
  test("e2e: less free than is kept for the chain, mempoolFull that names the disk, reads go on, space heals it", async () => {
    disk.fill(4 * MIB);
    const refusal = await refusedForSpace();
    expect(findProblemFaults(refusal, 503, "mempoolFull")).toEqual([]);
    expect(String(refusal.json["detail"])).toMatch(/disk/i);
    expect((await node.request("/livez")).status).toBe(200);
    expect((await node.request("/api/v2/status")).status).toBe(200);
    const due = demo.load.lanes.flatMap((lane) => lane.unbroken.map((position) => lane.signed[position]?.id ?? ""));
    expect(due.length).toBeGreaterThan(0);
    for (const id of due) expect((await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`))["status"]).toBe("final");
    disk.free();
    await accepting();
  }, 240_000);

  test("e2e: filled to the last byte under load and killed, nothing accepted is lost and it goes on", async () => {
    const running = loadFor(demo.load, node, 1_500);
    await Bun.sleep(300);
    disk.fill(0);
    await running;
    if (node.child.exitCode === null) {
      const refusal = await refusedForSpace();
      expect(findProblemFaults(refusal, 503, "mempoolFull")).toEqual([]);
    } else expect([node.child.exitCode, node.output]).toEqual([1, expect.stringMatching(/disk|space/i)]);
    await node.kill();
    try {
      node = await start();
      expect(findProblemFaults(await probe(), 503, "mempoolFull")).toEqual([]);
      disk.free();
    } catch (error) {
      if (!(error instanceof NodeEnded)) throw error; // without a byte to write it may refuse to start, in words
      expect([error.code, error.output]).toEqual([1, expect.stringMatching(/disk|space/i)]);
      disk.free();
      node = await start();
    }
    await accepting();
    await demo.load.settle(node, 90_000);
    const audit = await auditNode(node, demo.load, demo.opening, net.genesis);
    expect([...demo.load.surprises, ...audit.faults]).toEqual([]);
    expect(await node.stop()).toBe(0);
    const copy = place.copyOf(node.home);
    expect(await findReexecutionFaults(copy, audit)).toEqual([]);
  }, 240_000);
});
