import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bizraJson, makeTestnet } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { NetworkLoad } from "./support/network-trial.ts";
import { highestOf, leadsAgain, until } from "./support/network-watch.ts";
import { freePort, NodeNetwork } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Files of a home that its operator keeps elsewhere too, or that anybody can give. */
const KEPT: readonly string[] = ["genesis.json", "node.toml", "keys"];
/** Blocks that go before anybody joins: about a minute of them. */
const LIMIT_MS = 240_000;
const place = new Workplace();
const chance = new Chance(seedOf());
/** Homes with keys that are in no set: the archive, and those that come later. */
let strangers: readonly string[];
let network: NodeNetwork;
let load: NetworkLoad;
let archive: NodeProcess;

const heightOf = async (node: NodeProcess): Promise<number> => Number((await node.get("/api/v2/status"))["height"]);
const lowestOf = async (node: NodeProcess | undefined): Promise<number> => Number((await node?.get("/api/v2/peers"))?.["lowest"] ?? 0);
const stateRootAt = async (node: NodeProcess | undefined, height: number): Promise<unknown> => {
  const block = await node?.get(`/api/v2/blocks/${height}`);
  return (block?.["header"] as { stateRoot?: string } | undefined)?.stateRoot;
};

/** Starts a node outside the set that dials these. */
function launchStranger(index: number, peers: readonly number[], words: readonly string[] = []): NodeProcess {
  const dialled = peers.map((at) => `127.0.0.1:${network.placeOf(at).port}`).join(",");
  const port = freePort();
  return place.launch(strangers[index] ?? "", {
    words: [
      ...["--network-listen", `127.0.0.1:${port}`, "--network-announce", `127.0.0.1:${port}`, "--network-peers", dialled],
      ...["--storage-checkpoint-blocks", "40", "--storage-snapshot-blocks", "100"],
      ...words,
    ],
  });
}

/** Resolves when a node has the blocks that the others have, and the same state after one of them. */
async function level(node: NodeProcess, what: string): Promise<void> {
  const height = await highestOf(network);
  const ms = await until(`${what} is level`, async () => (await heightOf(node)) >= height, node, 200_000);
  const witness = network.nodes.find((each) => each !== undefined && each !== node);
  expect(await stateRootAt(node, height)).toBe((await stateRootAt(witness, height)) as string);
  console.log(`pruning: ${what}: level with a moving chain at height ${height} after ${Math.round(ms)} ms`);
}

beforeAll(async () => {
  const words = ["--storage-keep-blocks", "256", "--storage-checkpoint-blocks", "40", "--storage-snapshot-blocks", "100"];
  network = await NodeNetwork.start(place, "pruned", { validators: 4, words });
  const { homes } = await makeTestnet(place.at("strangers"), 3);
  for (const home of homes) cpSync(network.net.genesis, join(home, "genesis.json"));
  strangers = homes;
  archive = launchStranger(0, [0, 1], ["--storage-archive", "true"]);
  await archive.alive();
  load = await NetworkLoad.of(network, chance, 100);
  load.start();
  await network.reach(10, 30_000);
  await network.killNode(2); // it comes back when nobody of the set has the next block of its chain
  const early = launchStranger(2, [0, 1, 3]);
  await early.alive();
  await until("it has some blocks", async () => (await heightOf(early)) > 10, early);
  await early.kill();
  for (const index of [0, 1, 3]) {
    const node = network.nodes[index];
    await until(`node ${index} has pruned`, async () => (await lowestOf(node)) > 60, node, LIMIT_MS);
  }
}, 400_000);

afterAll(async () => {
  await load.stop();
  await place.end();
});

describe(`four validators that prune, an archive, a load, seed ${chance.seed}`, () => {
  test("e2e: what was pruned is told with whom to ask, and the archive has it", async () => {
    const node = network.nodes[0];
    if (!node) throw new Error("node 0 runs");
    expect((await archive.get("/api/v2/peers"))["isArchive"]).toBe(true);
    await until("the archive is known", async () => ((await node.get("/api/v2/peers"))["archives"] as unknown[]).length > 0, node);
    const gone = await node.request("/api/v2/blocks/1");
    expect(gone.status).toBe(410);
    expect(gone.json["code"]).toBe("pruned");
    expect(gone.json["lowestHeight"] as number).toBeGreaterThan(60);
    const archives = gone.json["archives"] as { peer: string; addresses: string[] }[];
    expect(archives[0]?.addresses.join()).toContain("/tcp/");
    expect((await archive.request("/api/v2/blocks/1")).status).toBe(200);
    const page = await node.get("/api/v2/blocks?from=1&limit=1");
    expect((page["pruned"] as { lowestHeight: number }).lowestHeight).toBeGreaterThan(60);
    const events = await node.get("/api/v2/events?lane=chain&after=1.4&limit=1");
    expect(events["pruned"]).toBeDefined();
  }, 60_000);

  test(
    "e2e: a validator whose chain ends below what the others keep, catches up from the archive and votes",
    async () => {
      const node = network.launch(2);
      await node.alive();
      await level(node, "a validator away for longer than the others keep");
      await leadsAgain(network, 2);
      expect(node.output).not.toContain("snapshot.taken");
    },
    LIMIT_MS,
  );

  test(
    "e2e: a fresh observer begins at a snapshot of nodes that pruned, under load",
    async () => {
      const node = launchStranger(1, [0, 1, 2, 3]);
      await node.alive();
      await level(node, "a fresh observer");
      expect(node.output).toContain("snapshot.taken");
      await node.kill();
    },
    LIMIT_MS,
  );

  test(
    "e2e: a validator's replacement with an empty disk begins at a snapshot and votes again behind its gate",
    async () => {
      await network.killNode(3);
      const home = network.net.homes[3] ?? "";
      for (const name of readdirSync(home)) if (!KEPT.includes(name)) rmSync(join(home, name), { recursive: true });
      // The mark that the key signs on this machine went as well, so somebody has to say that no other one has it.
      expect(await bizraJson("keys", "bind", "--home", home, "--old-box-is-off")).toMatchObject({ changed: true, recovers: true });
      const node = network.launch(3);
      await node.alive();
      await level(node, "a validator's replacement");
      expect(node.output).toContain("snapshot.taken");
      await until("it has recovered", () => Promise.resolve(node.output.includes("consensus.recovered")), node);
      await leadsAgain(network, 3);
    },
    LIMIT_MS,
  );

  test(
    "e2e: without an archive, a node that nobody can bring forward ends, says why, and goes on at a snapshot after a start",
    async () => {
      await archive.kill();
      const stuck = launchStranger(2, [0, 1, 3]);
      await stuck.ended(LIMIT_MS);
      expect(stuck.output).toContain("A start takes a snapshot");
      const node = launchStranger(2, [0, 1, 3]);
      await node.alive();
      expect(node.output).toContain("snapshot.taken");
      await level(node, "a node that was away for longer than everybody keeps");
      expect((await node.request("/api/v2/blocks/5")).status).toBe(410);
    },
    2 * LIMIT_MS,
  );
});
