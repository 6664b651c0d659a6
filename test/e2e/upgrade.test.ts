import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bizra } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { NetworkLoad } from "./support/network-trial.ts";
import { highestOf, leadsAgain, pauseAndAudit, STUCK_AFTER_MS, until } from "./support/network-watch.ts";
import { ensureNextBinary } from "./support/next-binary.ts";
import { NodeNetwork } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { approve, fundOwners } from "./support/owners.ts";
import { Workplace } from "./support/workplace.ts";

/** Blocks in an epoch: some seconds, so that a vote is counted within one and activation comes soon. */
const EPOCH_BLOCKS = 60;
const OUTDATED = /does not know block version 2, activated at epoch \d+: update the box/;
const place = new Workplace();
const chance = new Chance(seedOf());
let next: string;
let network: NodeNetwork;
let load: NetworkLoad;
/** Transactions of owners, and those that paid them. */
let ownersActs = 0;

beforeAll(async () => {
  next = await ensureNextBinary();
  network = await NodeNetwork.start(place, "upgrade", { validators: 4, chance, netWords: ["--epoch-blocks", String(EPOCH_BLOCKS)] });
  ownersActs += await fundOwners(network.net, nodeAt(0));
  load = await NetworkLoad.of(network, chance, 200);
  load.start();
  await network.reach(10, STUCK_AFTER_MS);
}, 240_000);

afterAll(async () => {
  await load?.stop();
  await place.end();
});

function nodeAt(index: number): NodeProcess {
  const node = network.nodes[index];
  if (!node) throw new Error(`node ${index} does not run`);
  return node;
}

/** Stops a node in good order and starts the other release on its home. */
async function replace(index: number, isNext: boolean): Promise<void> {
  const node = nodeAt(index);
  network.nodes[index] = undefined;
  expect(await node.stop()).toBe(0);
  useRelease(index, isNext);
  await network.startNode(index, STUCK_AFTER_MS);
}

/** The release that a node starts with from now on. */
function useRelease(index: number, isNext: boolean): void {
  if (isNext) network.boxes.set(index, { home: network.net.homes[index] ?? "", command: [next] });
  else network.boxes.delete(index);
}

/** Three new blocks on every node that is asked. */
const goesOn = async (): Promise<number> => network.reach((await highestOf(network)) + 3, STUCK_AFTER_MS);

/** What is wrong with the books of all running nodes, but for what the owners did, which is in no books. */
async function findFaults(goesOn = true): Promise<string[]> {
  const faults = await pauseAndAudit(load, goesOn);
  return faults.filter((fault) => {
    const [, held, signed] = /^node \d: the blocks hold (\d+) receipts, (\d+) transactions were signed$/.exec(fault) ?? [];
    return Number(held) - Number(signed) !== ownersActs;
  });
}

async function statusOf(index: number): Promise<Record<string, unknown>> {
  return await nodeAt(index).get("/api/v2/status");
}

async function headerVersionAt(index: number): Promise<number> {
  const { header } = (await nodeAt(index).get("/api/v2/blocks/latest")) as { header: { version: number } };
  return header.version;
}

describe(`two releases in one network of four under load, seed ${chance.seed}`, () => {
  test("e2e: three boxes updated one by one, the chain never stops and the mixed set agrees", async () => {
    for (const index of [0, 1, 2]) {
      const height = await highestOf(network, [3]);
      await replace(index, true);
      expect(await highestOf(network, [3])).toBeGreaterThan(height);
      await leadsAgain(network, index);
      console.log(`upgrade: ${index + 1} of 4 updated, ${Math.round(await goesOn())} ms for three blocks on every node`);
    }
    const versions = await Promise.all([0, 1, 2, 3].map(async (index) => String((await statusOf(index))["version"])));
    expect(versions.map((version) => version.endsWith("-next"))).toEqual([true, true, true, false]);
    expect(await headerVersionAt(0)).toBe(1);
    expect(await findFaults()).toEqual([]);
  }, 240_000);

  test("e2e: the release before put back while no vote has activated the next version, it goes on", async () => {
    await replace(1, false);
    await leadsAgain(network, 1);
    await replace(1, true);
    await goesOn();
  }, 240_000);

  let outdatedAt = 0;
  test("e2e: a vote activates the next block version, and the box left behind says so and harms nothing", async () => {
    const epoch = Number((await statusOf(0))["epoch"]) + 3;
    ownersActs += await approve(network.net, nodeAt(0), "feature.block-2", epoch, 3);
    await until("the old one warns", async () => /block version 2 is approved/.test(String((await statusOf(3))["notice"])), nodeAt(3));
    const isOutdated = async (): Promise<boolean> => OUTDATED.test(String((await nodeAt(3).request("/readyz")).json["detail"]));
    await until("the old one stops following", isOutdated, nodeAt(3), 60_000);
    const left = await statusOf(3);
    expect([left["syncState"], left["notice"]]).toEqual(["outdated", expect.stringContaining(`activated at epoch ${epoch}: update`)]);
    outdatedAt = Number(left["height"]);
    await until("the others go on", async () => (await highestOf(network, [0, 1, 2])) > outdatedAt + 10, nodeAt(0));
    expect(await headerVersionAt(0)).toBe(2);
    expect((await nodeAt(3).request("/livez")).status).toBe(200);
    expect(nodeAt(3).output).toMatch(OUTDATED);
    expect(Number((await statusOf(3))["height"])).toBe(outdatedAt);
    const { code, out } = await bizra("doctor", "--home", network.net.homes[3] ?? "");
    expect([code, out]).toEqual([1, expect.stringMatching(OUTDATED)]);
    const { connected } = (await nodeAt(0).get("/api/v2/peers")) as { connected: { peer: string }[] };
    expect(connected.map(({ peer }) => peer)).toContain(network.keyOf(3)); // nobody banned anybody
  }, 240_000);

  test("e2e: the box left behind restarted, it still says so; examined while it is stopped, too", async () => {
    const node = nodeAt(3);
    network.nodes[3] = undefined;
    expect(await node.stop()).toBe(0);
    const { code, out } = await bizra("doctor", "--home", network.net.homes[3] ?? "");
    expect([code, out]).toEqual([1, expect.stringMatching(OUTDATED)]);
    const again = network.launch(3);
    await again.alive(STUCK_AFTER_MS);
    expect([(await statusOf(3))["syncState"], Number((await statusOf(3))["height"])]).toEqual(["outdated", outdatedAt]);
    network.nodes[3] = undefined;
    await again.kill();
  }, 240_000);

  test("e2e: its program replaced, it goes on from where it stopped and votes again", async () => {
    useRelease(3, true);
    await network.startNode(3, STUCK_AFTER_MS);
    await leadsAgain(network, 3);
    await goesOn();
    expect(await headerVersionAt(3)).toBe(2);
    expect(await findFaults()).toEqual([]);
  }, 240_000);

  test("e2e: the release before put back after the activation, refused in words, and nothing is harmed by it", async () => {
    const node = nodeAt(0);
    network.nodes[0] = undefined;
    expect(await node.stop()).toBe(0);
    useRelease(0, false);
    const refused = network.launch(0);
    network.nodes[0] = undefined;
    expect([await refused.ended(), refused.output]).toEqual([
      1,
      expect.stringMatching(/chain\.db: format version \d+ .*later release.*Start the release/s),
    ]);
    useRelease(0, true);
    await network.startNode(0, STUCK_AFTER_MS);
    await leadsAgain(network, 0);
    expect(await findFaults(false)).toEqual([]);
  }, 240_000);
});
