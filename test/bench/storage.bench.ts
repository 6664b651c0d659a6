/**
 * Storage: syncs a second, bytes that reach the disk, and the speed of proving, against the same bytes written and synced
 * raw in the same run. Bytes on disk are the sectors that the block device under the folder counts: they include the file
 * system's journal, and whatever other processes write meanwhile.
 *
 * `--folder=PATH` chooses the disk; a loop device of its own gives undisturbed figures.
 */
import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { Prng } from "../../src/kernel/index.ts";
import {
  createRecordLog,
  type Database,
  nodeFileSystem,
  openDatabase,
  openRecordLog,
  type RecordLog,
  type RecordLogTuning,
} from "../../src/storage/index.ts";
import { inspectWal } from "../../src/storage/wal-inspection.ts";
import { type Baseline, BenchReport } from "./harness.ts";

const COMMITS = 400;
const root = mkdtempSync(`${Bun.argv.find((argument) => argument.startsWith("--folder="))?.slice(9) ?? tmpdir()}/bizra-bench-`);
const prng = new Prng(1);
const report = new BenchReport("storage");
let folders = 0;

function newFolder(): string {
  const folder = `${root}/${folders++}`;
  mkdirSync(folder);
  return folder;
}

/** Bytes written to the block device under the folder since the machine started; NaN where the system does not say. */
function deviceBytes(): number {
  const { dev } = statSync(root);
  try {
    const fields = readFileSync(`/sys/dev/block/${dev >> 8}:${dev & 0xff}/stat`, "utf8")
      .trim()
      .split(/\s+/);
    return Number(fields[6]) * 512;
  } catch {
    return Number.NaN; // not Linux, or a file system without a device
  }
}

/** Times an action and what it makes the disk write. */
async function measure(count: number, action: (at: number) => unknown): Promise<{ perSecond: number; diskBytes: number }> {
  const bytes = deviceBytes();
  const start = performance.now();
  for (let at = 0; at < count; at++) await action(at);
  const perSecond = (count * 1000) / (performance.now() - start);
  return { perSecond, diskBytes: (deviceBytes() - bytes) / count };
}

function addPair(
  name: string,
  found: { perSecond: number; diskBytes: number },
  raw?: { rate: Baseline; disk: Baseline },
  note?: string,
): void {
  const extra = note === undefined ? {} : { note };
  report.add({ name, value: found.perSecond, unit: "syncs/s", ...(raw === undefined ? {} : { baseline: raw.rate }), ...extra });
  report.add({
    name: `${name}, on disk`,
    value: found.diskBytes,
    unit: "bytes/sync",
    ...(raw === undefined ? {} : { baseline: raw.disk }),
  });
}

async function rawBaseline(bytes: number): Promise<{ rate: Baseline; disk: Baseline }> {
  const file = nodeFileSystem.open(`${newFolder()}/raw`, "createNew");
  const body = prng.bytes(bytes);
  const found = await measure(COMMITS, (at) => {
    file.write(at * bytes, body);
    file.sync();
  });
  file.close();
  addPair(`raw append and fdatasync, ${bytes} B`, found);
  return {
    rate: { name: `raw ${bytes} B`, value: found.perSecond },
    disk: { name: `raw ${bytes} B`, value: found.diskBytes },
  };
}

function newLog(tuning: RecordLogTuning = {}): { log: RecordLog; folder: string } {
  const folder = newFolder();
  const log = createRecordLog(nodeFileSystem, `${folder}/log`, {
    name: "bench",
    entropy: { bytes: (count) => prng.bytes(count) },
    ...tuning,
  });
  return { log, folder };
}

async function benchRecordLog(): Promise<void> {
  for (const bytes of [200, 4096, 262_144]) {
    const raw = await rawBaseline(bytes);
    const body = prng.bytes(bytes);
    for (const preallocateBytes of bytes > 4096 ? [0] : [0, 262_144]) {
      const { log } = newLog({ preallocateBytes, segmentBytesMax: 64 * 1024 * 1024 });
      const found = await measure(COMMITS, () => {
        log.append(body);
        log.sync();
      });
      log.close();
      addPair(`record log, ${bytes} B${preallocateBytes > 0 ? ", laid out ahead" : ""}`, found, raw);
    }
    if (bytes !== 200) continue;
    const { log } = newLog();
    const found = await measure(COMMITS, () => {
      for (let at = 0; at < 32; at++) log.append(body);
      return log.syncAsync();
    });
    log.close();
    addPair("record log, groups of 32 of 200 B, asynchronous", found, raw);
  }
}

/** A row as small as a block's header: one commit, a few pages. */
const MIGRATION = (db: Database): void => db.run("CREATE TABLE row (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT");

function newDatabase(pageBytes: number): { db: Database; path: string } {
  const path = `${newFolder()}/bench.db`;
  return { db: openDatabase({ path, applicationId: 1, migrations: [MIGRATION], durability: "full", create: true, pageBytes }), path };
}

async function benchCommits(): Promise<void> {
  const raw = await rawBaseline(4096 + 24);
  const content = prng.bytes(400);
  for (const pageBytes of [1024, 2048, 4096, 8192]) {
    const { db } = newDatabase(pageBytes);
    const insert = db.prepare<unknown, [{ content: Uint8Array }]>("INSERT INTO row (content) VALUES ($content)");
    const commit = (): unknown => db.atomically(() => insert.run({ content }));
    const growing = await measure(COMMITS, commit);
    for (let at = 0; at < COMMITS; at++) commit();
    db.checkpoint();
    const found = await measure(COMMITS, commit);
    db.close();
    addPair(`database, one-row commits, pages of ${pageBytes}`, found, raw);
    report.add({ name: `  of these while the log's file still grows`, value: growing.diskBytes, unit: "bytes/sync", baseline: raw.disk });
  }
  for (const reuse of ["TRUNCATE", "RESTART"]) {
    const sqlite = new Sqlite(`${newFolder()}/plain.db`, { create: true, strict: true, safeIntegers: true });
    for (const pragma of ["locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"])
      sqlite.run(`PRAGMA ${pragma}`);
    sqlite.run("CREATE TABLE row (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT");
    const insert = sqlite.prepare("INSERT INTO row (content) VALUES ($content)");
    for (let at = 0; at < 2 * COMMITS; at++) insert.run({ content });
    sqlite.run(`PRAGMA wal_checkpoint(${reuse})`);
    const found = await measure(COMMITS, () => insert.run({ content }));
    addPair(`plain SQLite, one-row commits, log ${reuse === "TRUNCATE" ? "emptied" : "written over"}`, found, raw, "no sums, no mark");
    insert.finalize();
    sqlite.close();
  }
}

async function benchCheckpoint(): Promise<void> {
  const { db, path } = newDatabase(4096);
  const insert = db.prepare<unknown, [{ content: Uint8Array }]>("INSERT INTO row (content) VALUES ($content)");
  for (let at = 0; at < 500; at++) db.atomically(() => insert.run({ content: prng.bytes(4000) }));
  const log = new Uint8Array(readFileSync(`${path}-wal`));
  const inspection = await measure(5, () => inspectWal(log, { syncsEachCommit: true }));
  report.add({ name: "write-ahead log, proved", value: (inspection.perSecond * log.length) / 1e9, unit: "GB/s" });
  const sumsOf = (): number => nodeFileSystem.list(`${path}.sums`).reduce((sum, name) => sum + statSync(`${path}.sums/${name}`).size, 0);
  const before = sumsOf();
  const start = performance.now();
  db.checkpoint();
  const tookMs = performance.now() - start;
  report.add({ name: `checkpoint of ${(log.length / 1e6).toFixed(1)} MB, with sums`, value: tookMs, unit: "ms" });
  report.add({
    name: "bytes of sums a byte of log",
    value: (sumsOf() - before) / log.length,
    unit: "",
    goal: { of: "value", is: "at most", bound: 0.01 },
  });
  db.close();
}

async function benchProof(): Promise<void> {
  const { db, path } = newDatabase(4096);
  const insert = db.prepare<unknown, [{ content: Uint8Array }]>("INSERT INTO row (content) VALUES ($content)");
  const big = prng.bytes(1_000_000);
  for (let at = 0; at < 100; at++) db.atomically(() => insert.run({ content: big }));
  db.close();
  const sizeBytes = statSync(path).size;
  const read = await measure(3, () => readFileSync(path));
  const baseline = { name: "reading the file", value: (read.perSecond * sizeBytes) / 1e9 };
  report.add({ name: "database file, read", value: baseline.value, unit: "GB/s" });
  const options = { path, applicationId: 1, migrations: [MIGRATION], durability: "full", create: false } as const;
  const opened = await measure(3, () => openDatabase(options).close());
  report.add({
    name: `database of ${(sizeBytes / 1e6).toFixed(0)} MB, opened, proved, closed`,
    value: 1000 / opened.perSecond,
    unit: "ms",
  });
  report.add({
    name: "database file, proved at opening",
    value: (opened.perSecond * sizeBytes) / 1e9,
    unit: "GB/s",
    baseline,
    goal: { of: "value", is: "at least", bound: 1 },
  });
  const { log, folder } = newLog({ segmentBytesMax: 4 * 1024 * 1024 });
  for (let at = 0; at < 200; at++) log.append(big.subarray(0, 262_144));
  log.close();
  const proof = await measure(3, () => openRecordLog(nodeFileSystem, `${folder}/log`, { name: "bench" }));
  report.add({ name: "record log, proved at opening", value: (proof.perSecond * log.sizeBytes) / 1e9, unit: "GB/s" });
}

try {
  await benchRecordLog();
  await benchCommits();
  await benchCheckpoint();
  await benchProof();
  report.finish();
} finally {
  rmSync(root, { recursive: true, force: true });
}
