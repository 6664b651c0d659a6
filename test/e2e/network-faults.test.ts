import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Chance, seedOf } from "./support/chance.ts";
import { auditNetwork, NetworkLoad } from "./support/network-trial.ts";
import { NodeNetwork } from "./support/node-network.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
let network: NodeNetwork;
let load: NetworkLoad;

/** Blocks that a network which works makes well within the limit below. */
const BLOCKS = 3;
const LIMIT_MS = 90_000;

beforeAll(async () => {
  network = await NodeNetwork.start(place, "faults", { validators: 4, hasRelays: true, chance });
  load = await NetworkLoad.of(network, chance, 200);
  load.start();
  await progress("at first");
}, 240_000);

afterAll(async () => {
  await load.stop();
  await place.end();
});

/** The highest final height of any running node. */
async function highest(indexes?: readonly number[]): Promise<number> {
  const heights = await network.heights();
  return Math.max(...heights.map((height, index) => (indexes && !indexes.includes(index) ? 0 : (height ?? 0))));
}

/** Waits for new blocks on every running node; prints how long they took. */
async function progress(what: string): Promise<void> {
  const ms = await network.reach((await highest()) + BLOCKS, LIMIT_MS);
  console.log(`network, seed ${chance.seed}: ${BLOCKS} new blocks on every node ${what} after ${Math.round(ms)} ms`);
}

/** Resolves when no block became final for three seconds; throws when blocks go on becoming final. */
async function standstill(): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  for (let before = await highest(); ; ) {
    await Bun.sleep(3_000);
    const now = await highest();
    if (now === before) return;
    if (performance.now() > deadline) throw new Error(`blocks become final without a quorum, the last one at height ${now}`);
    before = now;
  }
}

/** Index of a node that leads now, by its own account. */
async function leader(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    for (const [index, node] of network.nodes.entries()) {
      if (!node) continue;
      const self = String((await node.get("/api/v2/status"))["validator"]);
      const { validators } = (await node.get("/api/v2/validators")) as { validators: { publicKey: string; duties: string[] }[] };
      if (validators.some(({ publicKey, duties }) => publicKey === self && duties.includes("propose"))) return index;
    }
  }
  throw new Error("no node says that it leads");
}

describe("four validators under load", () => {
  test("e2e: the leader stopped for three seconds, the others go on and it catches up", async () => {
    const stopped = await leader();
    const others = [0, 1, 2, 3].filter((index) => index !== stopped);
    const before = await highest(others);
    network.nodes[stopped]?.child.kill("SIGSTOP");
    const began = performance.now();
    const node = network.nodes[stopped];
    network.nodes[stopped] = undefined; // asks nothing of it meanwhile
    const goneMs = await network.reach(before + BLOCKS, LIMIT_MS);
    await Bun.sleep(Math.max(0, 3_000 - (performance.now() - began)));
    node?.child.kill("SIGCONT");
    network.nodes[stopped] = node;
    console.log(`network: the leader stopped, ${BLOCKS} new blocks after ${Math.round(goneMs)} ms`);
    await progress("after the leader went on");
  }, 240_000);

  test("e2e: one node killed and started seconds later, the others go on meanwhile", async () => {
    await network.killNode(1);
    await progress("without one");
    await Bun.sleep(1_000);
    await network.startNode(1);
    await progress("after it came back");
  }, 240_000);

  test("e2e: two of four killed, nothing becomes final, and everything goes on when they are back", async () => {
    await Promise.all([network.killNode(0), network.killNode(2)]);
    await standstill(); // what was voted for before may still become final
    await Promise.all([network.startNode(0), network.startNode(2)]);
    await progress("after two came back");
  }, 240_000);

  test("e2e: a partition that lets bytes through one way only, no second chain, and it heals", async () => {
    // Node 3 hears the others and is heard by nobody; 0 and 1 hear each other one way only.
    for (const to of [0, 1, 2]) network.treat(3, to, { isCut: true });
    network.treat(0, 1, { isCut: true });
    await Bun.sleep(4_000);
    network.treatAll({});
    await progress("after the partition healed");
  }, 240_000);

  test("e2e: a round trip of 100 ms with one segment in a hundred lost, blocks go on", async () => {
    network.treatAll({ delayMs: 50, loss: 0.01 });
    const ms = await network.reach((await highest()) + 5 * BLOCKS, LIMIT_MS);
    console.log(`network: ${5 * BLOCKS} blocks in ${Math.round(ms)} ms at 100 ms round trip and 1 % loss`);
    network.treatAll({});
    await progress("after the links were clear again");
  }, 240_000);

  test("e2e: after all of it, one chain, equal roots, everything accepted final once", async () => {
    await load.finish(90_000);
    const audit = await auditNetwork(load, 90_000);
    console.log(`network: ${load.demo.load.accepted.size} accepted, ${audit.final} final at height ${audit.height}`);
    expect(audit.faults.slice(0, 20)).toEqual([]);
    expect(audit.final).toBeGreaterThanOrEqual(load.demo.load.accepted.size);
  }, 240_000);
});
