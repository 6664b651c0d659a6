import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { makeTestnet } from "./support/bizra.ts";
import { readBlocks } from "./support/chain-walk.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { NetworkLoad } from "./support/network-trial.ts";
import { highestOf, STUCK_AFTER_MS, until } from "./support/network-watch.ts";
import { freePort, NodeNetwork } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
let network: NodeNetwork;
let load: NetworkLoad;

beforeAll(async () => {
  network = await NodeNetwork.start(place, "validators", { validators: 4 });
  load = await NetworkLoad.of(network, chance, 2_000);
  load.start();
  await network.reach(5, STUCK_AFTER_MS);
}, 240_000);

afterAll(async () => {
  await load.stop();
  await place.end();
});

/** Homes with keys that are in no set, on the chain of the network. */
async function strangers(count: number): Promise<readonly string[]> {
  const { homes } = await makeTestnet(place.at("strangers"), count);
  for (const home of homes) cpSync(network.net.genesis, join(home, "genesis.json"));
  return homes;
}

const heightOf = async (node: NodeProcess): Promise<number> => Number((await node.get("/api/v2/status"))["height"]);

test("e2e: observers in a row, each with the one before as its only peer, the last follows the chain as the first does", async () => {
  const homes = await strangers(3);
  const nodes: NodeProcess[] = [];
  const words: string[][] = [];
  let peer = `127.0.0.1:${network.placeOf(0).port}`;
  for (const home of homes) {
    const port = freePort();
    words.push(["--network-listen", `127.0.0.1:${port}`, "--network-peers", peer]);
    const node = place.launch(home, { words: words.at(-1) ?? [] });
    await node.alive(STUCK_AFTER_MS);
    nodes.push(node);
    peer = `127.0.0.1:${port}`;
  }
  const last = nodes[2];
  if (!last) throw new Error("three were started");
  await until("the last has a peer", async () => Number((await last.get("/api/v2/status"))["peers"]) > 0, last);
  const connected = (await last.get("/api/v2/peers"))["connected"] as { isValidator: boolean }[];
  expect(connected.map(({ isValidator }) => isValidator)).toEqual([false]);
  await until("the last is on the way", async () => (await heightOf(last)) >= (await highestOf(network)) - 5, last);
  for (const node of nodes) await node.ready(STUCK_AFTER_MS); // under load, a block behind now and then
  const delays: number[] = [];
  for (let round = 0; round < 5; round++) {
    const height = (await highestOf(network)) + 1;
    await until("a block more", async () => (await highestOf(network)) >= height);
    delays.push(await until("the last observer has it", async () => (await heightOf(last)) >= height, last));
  }
  const [theirs, ours] = [network.nodes[0], last].map((node) => (node ? readBlocks(node) : []));
  const [validators, observers] = [await theirs, await ours].map((blocks) => (blocks ?? []).map(({ hash }) => hash));
  const common = Math.min(validators?.length ?? 0, observers?.length ?? 0);
  expect(common).toBeGreaterThan(5);
  expect(observers?.slice(0, common)).toEqual(validators?.slice(0, common));
  console.log(
    `network: three observers in a row: the last has a block ${delays.map(Math.round).join(", ")} ms after a validator (asked each 20 ms)`,
  );
  await nodes[1]?.kill();
  const gap = await highestOf(network);
  await until("the others go on", async () => (await highestOf(network)) >= gap + 10);
  const back = place.launch(homes[1] ?? "", { words: words[1] ?? [] });
  const backMs = await until("the last is level again", async () => (await heightOf(last)) >= gap + 10, last);
  console.log(`network: the observer between started again: the last is level after ${Math.round(backMs)} ms`);
  await back.kill();
}, 240_000);
