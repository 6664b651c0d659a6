import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../../src/cli/network-files.ts";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { event } from "../../../src/events/index.ts";
import { Prng, silentLog } from "../../../src/kernel/index.ts";
import { type NodeSetup, openSetup, type RunningNode, startNode } from "../../../src/node/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { networkIdOf } from "../../../src/protocol/index.ts";
import { nodeFileSystem, openMemoryDatabase } from "../../../src/storage/index.ts";
import { openJournal } from "../../../src/validator/index.ts";
import { AckTable, PostCarrier, SYNC_MIGRATIONS, SyncAgent } from "../../../sync/agent/index.ts";
import { Aggregator } from "../../../sync/aggregator/index.ts";
import { EventBench } from "../../unit/events/event-fixture.ts";
import { memoryStore, witness } from "../../unit/sync/aggregator/ingest-world.ts";

const closers: (() => unknown)[] = [];
const ask = (): Promise<undefined> => Promise.resolve(undefined);

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An aggregator over HTTP. */
async function startAggregator(home: string): Promise<string> {
  const aggregator = await Aggregator.start({
    home,
    listen: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    policy: { isOpen: true, knowsNetwork: () => true, speaksFor: () => true },
    witness,
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    log: silentLog,
    build: { name: "test" },
    metrics: [],
    store: memoryStore(),
    onDefect: (error) => {
      throw error;
    },
  });
  closers.push(() => aggregator.stop());
  return aggregator.url;
}

/** What the box said to the aggregator in a later life than its home knows: some vital events, with a checkpoint or without. */
async function tellLaterLife({ identity, genesis, nodeId }: NodeSetup, url: string, isSigned: boolean): Promise<void> {
  const bench = new EventBench();
  const log = bench.open({ identity, network: networkIdOf(genesis.hash), node: nodeId });
  const count = 9;
  for (let at = 0; at < count; at++) log.appendCrit(event("signing.marked", { epoch: 0, view: 1_000 + at }));
  if (isSigned) bench.time.pass(61_000);
  const prng = new Prng(4);
  const agent = new SyncAgent({
    source: log,
    carrier: new PostCarrier(url, {}),
    acks: new AckTable(openMemoryDatabase({ applicationId: 2, migrations: SYNC_MIGRATIONS })),
    identity,
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: { bytes: (length) => prng.bytes(length) },
    prng,
    log: silentLog,
    profile: "unmetered",
    facts: {
      hello: () => ({ node: nodeId, network: genesis.hash, software: "test" }),
      heartbeat: () => ({ height: 1, epoch: 0, view: 1, state: "voting", isReady: true, reason: "", peers: 0, metrics: [] }),
    },
    forks: { onFork: () => false },
  });
  agent.start();
  const endMs = systemClock.monotonicMs() + 60_000;
  while (agent.acknowledged("crit")?.sequence !== count && systemClock.monotonicMs() < endMs) await Bun.sleep(20);
  agent.stop();
  expect(agent.acknowledged("crit")?.sequence).toBe(count);
}

/** A home that was never started, as an old copy of a box's is, and the aggregator that knows the box. */
async function makeOlderHome(isSigned: boolean): Promise<{ readonly home: string; readonly url: string }> {
  const folder = mkdtempSync(join(tmpdir(), "bizra-older-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const random = new Prng(isSigned ? 1 : 2);
  const plan = { directory: join(folder, "net"), chainName: "unit", validators: 1, timeMs: 1_790_000_000_000 };
  const { homes } = await createNetwork(
    { ...plan, settingsOf: () => ({ "http.listen": "127.0.0.1:0" }) },
    { bytes: (count) => random.bytes(count) },
  );
  const [home = ""] = homes;
  const url = await startAggregator(folder);
  await tellLaterLife(await openSetup(home, {}, ask), url, isSigned);
  return { home, url };
}

async function start(home: string, url: string): Promise<RunningNode> {
  const setup = await openSetup(home, {}, ask);
  const sync = { ...setup.configuration.sync, aggregators: [url] };
  const node = await startNode({ ...setup, configuration: { ...setup.configuration, sync } }, silentLog);
  closers.push(() => node.stop());
  return node;
}

const linesOf = async (node: RunningNode, name: string): Promise<readonly string[]> =>
  (await (await fetch(`${node.http}/metrics`)).text()).split("\n").filter((line) => line.startsWith(name));

type Told = { readonly type: string; readonly payload: Readonly<Record<string, string>> };

const eventsOf = async (node: RunningNode): Promise<readonly Told[]> =>
  ((await (await fetch(`${node.http}/api/v2/events?lane=crit&limit=100`)).json()) as { events: readonly Told[] }).events;

test("DR-9: an aggregator shows what this identity signed later than the home knows, the node stops signing for good, in metric, audit lane and journal", async () => {
  const { home, url } = await makeOlderHome(true);
  const node = await start(home, url);
  expect(await node.distrusted).toContain("this home");
  expect(await linesOf(node, 'bizra_custody_refusals_total{rule="laterHistory"}')).toEqual([
    'bizra_custody_refusals_total{rule="laterHistory"} 1',
  ]);
  const refusal = { actor: "node", action: "sign", outcome: "refused" };
  expect((await eventsOf(node)).map(({ payload }) => payload)).toContainEqual(expect.objectContaining(refusal));
  await closers.pop()?.();
  const { validator } = await openSetup(home, {}, ask);
  const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: systemEntropy };
  const journal = openJournal(files, { publicKey: validator.publicKey, isBlocking: true });
  expect(journal.replay()).toMatchObject({ kind: "intact", recovery: { kind: "recovering" } });
  journal.close();
}, 120_000);

test("DR-9: an aggregator that only says so, raises an alert and silences nobody", async () => {
  const { home, url } = await makeOlderHome(false);
  const node = await start(home, url);
  const isTold = async (): Promise<boolean> => (await eventsOf(node)).some(({ payload }) => payload["alert"] === "syncFork");
  const endMs = systemClock.monotonicMs() + 60_000;
  while (!(await isTold()) && systemClock.monotonicMs() < endMs) await Bun.sleep(50);
  expect(await isTold()).toBe(true);
  expect(await linesOf(node, "bizra_custody_signs")).toEqual(["bizra_custody_signs 1"]);
  expect(await Promise.race([node.distrusted, Promise.resolve("trusted")])).toBe("trusted");
}, 120_000);
