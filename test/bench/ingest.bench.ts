/**
 * What an aggregator takes in: events a second, each verified down to its hash and durable before it is acknowledged, on
 * SQLite and on PostgreSQL, against the same rows inserted without any question in the same run. Twice: nodes that bring a
 * backlog in full batches, and many nodes with a few events each. What a connection costs (TLS, WebSocket) is not within:
 * the messages are handed to ingest as they come off one.
 * `bun test/bench/ingest.bench.ts [sqlite|postgresql]... [backlog|trickle]...`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, nativeSuite, sha256 } from "../../src/crypto/index.ts";
import { silentLog, toHex, utf8 } from "../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../src/node/ports.ts";
import { openDatabase, openMemoryDatabase } from "../../src/storage/index.ts";
import {
  AGGREGATOR_APPLICATION_ID,
  AGGREGATOR_MIGRATIONS,
  AGGREGATOR_PAGE_BYTES,
  type AggregatorStore,
  Ingest,
  PostgresStore,
  SqliteStore,
} from "../../sync/aggregator/index.ts";
import { findPostgresql, PostgresServer } from "../integration/aggregator/postgresql.ts";
import { BenchReport } from "./harness.ts";
import { type BacklogShape, eventsOf, greetAll, makeSenders, NETWORK, type Sender, sendAll, wireBytesOf } from "./ingest-backlog.ts";
import { insertIntoPostgresql, insertIntoSqlite, type PlainRow } from "./ingest-baseline.ts";

const SHAPES = {
  backlog: { nodes: 16, batchesOfEach: 20, recordsOfEach: 500, inFlight: 4 },
  trickle: { nodes: 1_000, batchesOfEach: 5, recordsOfEach: 10, inFlight: 1 },
} as const satisfies Record<string, BacklogShape>;
const GOALS = { sqlite: 20_000, postgresql: 40_000 } as const;

const words = process.argv.slice(2);
const isWanted = (name: string, all: readonly string[]): boolean => !all.some((word) => words.includes(word)) || words.includes(name);
const report = new BenchReport("ingest");

function ingestOver(store: AggregatorStore): Ingest {
  return new Ingest({
    store,
    policy: { isOpen: true, knowsNetwork: () => true, speaksFor: () => true },
    witness: localSigner(sha256(utf8("a witness of a benchmark"))),
    verify: nativeSuite.verify,
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
  });
}

/** What is sent, with words that say how much of it there is. */
type Load = {
  readonly shape: string;
  readonly senders: readonly Sender[];
  readonly events: number;
  readonly inFlight: number;
  readonly note: string;
};

function loadOf(shape: keyof typeof SHAPES): Load {
  const { nodes, recordsOfEach, inFlight } = SHAPES[shape];
  const senders = makeSenders(SHAPES[shape]);
  const events = eventsOf(senders);
  const bytes = Math.round(wireBytesOf(senders) / events);
  return {
    shape,
    senders,
    events,
    inFlight,
    note: `${nodes} nodes, ${events} events in batches of ${recordsOfEach}, ${bytes} bytes each on the wire`,
  };
}

/** Runs an action; its units a second, and the CPU of this process for each in microseconds. */
async function timed(units: number, action: () => Promise<void> | void): Promise<{ readonly rate: number; readonly cpuUs: number }> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await action();
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return { rate: units / seconds, cpuUs: (user + system) / units };
}

/** Verifies everything and keeps it nowhere; gives the rows that a store would have been given. */
async function measureVerifying({ shape, senders, events, inFlight, note }: Load): Promise<readonly PlainRow[]> {
  const rows: PlainRow[] = [];
  const store = new SqliteStore(openMemoryDatabase(DATABASE));
  store.append = (appendages) => {
    for (const { ref, events: taken } of appendages)
      for (const { lane, epoch, sequence, body, hash, receivedAtMs } of taken)
        rows.push({ node: Number(ref.node.slice(4)), lane, epoch, sequence, body, hash, receivedAtMs });
    return Promise.resolve(appendages.map(() => "stored" as const));
  };
  const ingest = ingestOver(store);
  const lines = await greetAll(ingest, senders);
  const { rate, cpuUs } = await timed(events, () => sendAll(ingest, lines, inFlight));
  report.add({ name: `${shape}: verified and kept nowhere`, value: rate, unit: "events/s", note });
  report.add({ name: `${shape}: CPU of verifying, per event`, value: cpuUs, unit: "us" });
  await store.close();
  return rows;
}

async function measureStore(store: AggregatorStore, { shape, senders, events, inFlight, note }: Load, plainRate: number): Promise<void> {
  report.add({ name: `${shape}: rows inserted without a question, ${store.kind}`, value: plainRate, unit: "rows/s" });
  const ingest = ingestOver(store);
  const lines = await greetAll(ingest, senders);
  const { rate, cpuUs } = await timed(events, () => sendAll(ingest, lines, inFlight));
  await checkAll(store, senders);
  const baseline = { name: "plain rows", value: plainRate };
  const goal = { of: "value", is: "at least", bound: GOALS[store.kind] } as const;
  report.add({ name: `${shape}: verified and durable, ${store.kind}`, value: rate, unit: "events/s", baseline, goal, note });
  report.add({ name: `${shape}: CPU of the aggregator per event, ${store.kind}`, value: cpuUs, unit: "us" });
}

/** What was acknowledged is there: the last record of each lane, by its hash. */
async function checkAll(store: AggregatorStore, senders: readonly Sender[]): Promise<void> {
  for (const { node, batches } of senders) {
    for (const [lane, line] of batches) {
      const last = line.at(-1);
      const hash = last && (await store.findHash({ network: toHex(NETWORK), node }, lane, { epoch: 1, sequence: last.to }));
      if (last && toHex(hash ?? new Uint8Array(0)) !== toHex(last.tipHash)) throw new Error(`${node} ${lane} is not held to its end`);
    }
  }
}

const DATABASE = {
  applicationId: AGGREGATOR_APPLICATION_ID,
  migrations: AGGREGATOR_MIGRATIONS,
  pageBytes: AGGREGATOR_PAGE_BYTES,
  create: true,
} as const;

async function measureSqlite(load: Load, rows: readonly PlainRow[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bizra-ingest-"));
  try {
    const { rate } = await timed(rows.length, () => insertIntoSqlite(join(folder, "plain.db"), rows));
    const store = new SqliteStore(openDatabase({ path: join(folder, "aggregator.db"), durability: "full", ...DATABASE }));
    await measureStore(store, load, rate);
    await store.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measurePostgresql(server: PostgresServer, load: Load, rows: readonly PlainRow[]): Promise<void> {
  const plain = await server.makeDatabase();
  const { rate } = await insertIntoPostgresql(plain.url, rows, (action) => timed(rows.length, action));
  const { url } = await server.makeDatabase();
  const store = await PostgresStore.open(url, systemTimers);
  if (!store.ok) throw new Error(store.error.detail);
  await measureStore(store.value, load, rate);
  await store.value.close();
}

/** A server for the whole run; undefined, and said, where there is none. */
async function startPostgresql(): Promise<PostgresServer | undefined> {
  if (!isWanted("postgresql", ["sqlite", "postgresql"])) return undefined;
  const found = await findPostgresql();
  if ("reason" in found) {
    console.log(`  PostgreSQL is not measured: ${found.reason}`);
    return undefined;
  }
  const server = new PostgresServer(found.programs);
  await server.start();
  return server;
}

const server = await startPostgresql();
try {
  for (const shape of ["backlog", "trickle"] as const) {
    if (!isWanted(shape, Object.keys(SHAPES))) continue;
    const load = loadOf(shape);
    const rows = await measureVerifying(load);
    if (isWanted("sqlite", ["sqlite", "postgresql"])) await measureSqlite(load, rows);
    if (server) await measurePostgresql(server, load, rows);
  }
  report.finish();
} finally {
  await server?.remove();
}
