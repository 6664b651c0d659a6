/** State: roots, proofs, memory, checkpoints and starts at 100,000 and 1,000,000 accounts, against raw SHA-256. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nativeSuite, sha256 } from "../../src/crypto/index.ts";
import { compareBytes, Prng, present, silentLog, utf8 } from "../../src/kernel/index.ts";
import type { EntryChange } from "../../src/ledger/index.ts";
import { accountKey, encodeEntry, encodeStateProof, stateBucketOf, verifyStateProof } from "../../src/protocol/index.ts";
import { bucketHash } from "../../src/state/hasher.ts";
import { CHECKPOINT_POLICY_DEFAULT, type CheckpointParts, State, WorkerCheckpointWriter } from "../../src/state/index.ts";
import { mergeBucket } from "../../src/state/packed-bucket.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { BenchReport, loopLagOf, quantile, rateOf } from "./harness.ts";

const UPDATES = 2_000;
const BLOCKS = 60;
/** Bytes of a transfer. */
const TRANSACTION_BYTES = 165;
const RESIDENT = "resident";
const CHAIN_ID = sha256(utf8("state benchmark"));
const prng = new Prng(1);
if (process.argv[2] === RESIDENT) {
  printResident(present(process.argv[3], "the path of a checkpoint"));
  process.exit(0);
}
const report = new BenchReport("state-root");
const node = new Uint8Array(65);
const hash = { name: "SHA-256 of 65 bytes", value: 1e6 / rateOf(() => sha256(node)) };
report.add({ name: "SHA-256 of a tree node", value: hash.value, unit: "us" });

const folder = mkdtempSync(join(tmpdir(), "bizra-bench-"));
for (const count of [100_000, 1_000_000]) await measure(count);
measureCrowd();
rmSync(folder, { recursive: true });
report.finish();

async function measure(count: number): Promise<void> {
  const at = `${count / 1000}k accounts: `;
  const path = join(folder, `${count}.state`);
  const keys = new Uint8Array(32 * count);
  for (let i = 0; i < count; i++) keys.set(prng.bytes(32), 32 * i);
  const keyOf = (i: number): Uint8Array => accountKey(keys.slice(32 * i, 32 * i + 32));
  const account = (i: number, nonce: bigint): EntryChange => ({
    key: keyOf(i),
    entry: { kind: "account", nonce, balance: 10n ** 12n - BigInt(i) * (nonce + 1n) },
  });
  const startedMs = performance.now();
  const state = State.ofGenesis(
    CHAIN_ID,
    Array.from({ length: count }, (_, i) => account(i, 0n)),
    partsOf(path),
  );
  report.add({ name: `${at}built from entries`, value: performance.now() - startedMs, unit: "ms" });

  const samples: number[] = [];
  let hashes = 0;
  for (let block = 0; block < BLOCKS; block++) {
    const chosen = new Set<number>();
    while (chosen.size < UPDATES) chosen.add(prng.below(count));
    const changes = [...chosen].map((i) => account(i, BigInt(block + 1)));
    const t0 = performance.now();
    const overlay = state.stack(undefined, changes);
    const elapsedMs = performance.now() - t0;
    state.fold(overlay, state.height + 1);
    if (block < BLOCKS / 2) continue;
    samples.push(elapsedMs);
    hashes += hashesOf(changes, count);
  }
  const medianMs = quantile(samples, 0.5);
  const raw = { name: `${Math.round(hashes / samples.length)} hashes`, value: (hashes / samples.length) * (hash.value / 1000) };
  report.add({
    name: `${at}root after 2,000 updates`,
    value: medianMs,
    unit: "ms",
    baseline: raw,
    goal: { of: "value", is: "at most", bound: 20 },
  });
  report.add({ name: `${at}root, for 1,000 updates`, value: (medianMs * 1000) / UPDATES, unit: "ms" });

  const proofs = rateOf(() => state.prove(keyOf(prng.below(count))));
  report.add({ name: `${at}proof made`, value: 1e6 / proofs, unit: "us" });
  const proof = state.prove(keyOf(1));
  report.add({ name: `${at}proof, encoded`, value: encodeStateProof(proof).length, unit: "bytes" });
  report.add({ name: `${at}proof verified`, value: 1e6 / rateOf(() => verifyStateProof(nativeSuite, proof, state.root)), unit: "us" });

  const checkpoints = count > 100_000 ? 4 : 12;
  const lag = await loopLagOf(async () => {
    for (let i = 0; i < checkpoints; i++) {
      state.fold(state.stack(undefined, []), state.height + 1);
      if (!(await state.checkpoint())) throw new Error("the checkpoint was not written");
    }
  });
  const idle = await loopLagOf(() => Bun.sleep(500));
  const sizeBytes = nodeFileSystem.stat(path)?.sizeBytes ?? 0;
  report.add({ name: `${at}checkpoint, by the worker`, value: state.checkpointCounters?.lastMs ?? 0, unit: "ms" });
  report.add({ name: `${at}event-loop lag meanwhile, p99`, value: lag.p99Ms, unit: "ms", goal: { of: "value", is: "at most", bound: 20 } });
  report.add({ name: `${at}event-loop lag of nothing, p99`, value: idle.p99Ms, unit: "ms", note: "the machine's own, for comparison" });
  report.add({ name: `${at}checkpoint, written`, value: sizeBytes, unit: "bytes" });
  const byPolicy = Math.max(CHECKPOINT_POLICY_DEFAULT.changedEntriesMin, Math.ceil(count / 4)) / 2;
  const goal = { of: "value", is: "at most", bound: 1.5 } as const;
  const written = sizeBytes / byPolicy / TRANSACTION_BYTES;
  report.add({
    name: `${at}written per transaction byte by default`,
    value: written,
    unit: "bytes",
    ...(count === 100_000 ? { goal } : {}),
  });
  for (const transactions of [10_000, 100_000, 250_000]) {
    const ratio = sizeBytes / transactions / TRANSACTION_BYTES;
    report.add({ name: `${at}written per transaction byte, every ${transactions / 1000}k`, value: ratio, unit: "bytes" });
  }
  const loads = [0, 1, 2].map(() => {
    const t0 = performance.now();
    if (!State.load(nodeFileSystem, path, CHAIN_ID).ok) throw new Error("the checkpoint loads");
    return performance.now() - t0;
  });
  report.add({
    name: `${at}loaded and verified`,
    value: quantile(loads, 0.5),
    unit: "ms",
    goal: { of: "value", is: "at most", bound: 3000 },
  });
  const child = Bun.spawn([process.execPath, import.meta.path, RESIDENT, path], { stdout: "pipe" });
  const resident = Number(await new Response(child.stdout).text());
  report.add({ name: `${at}packed`, value: state.gauges.sizeBytes / count, unit: "bytes/account" });
  report.add({ name: `${at}resident in a process of its own`, value: resident / count, unit: "bytes/account" });
}

/** SHA-256 calls that a root after these changes takes: each key's bucket, each entry and node of a changed bucket, each node above. */
function hashesOf(changes: readonly EntryChange[], count: number): number {
  let level = new Set(changes.map(({ key }) => stateBucketOf(nativeSuite, key)));
  const inBuckets = level.size * (2 * (1 + count / 65_536));
  let above = 0;
  for (let height = 0; height < 16; height++) {
    level = new Set([...level].map((bucket) => bucket >>> 1));
    above += level.size;
  }
  return changes.length + inBuckets + above;
}

/** Keys can be ground into one bucket, at 65,536 hashes each. What a block then costs that changes one of them. */
function measureCrowd(): void {
  for (const count of [15, 1_000, 10_000, 100_000]) {
    const entry = { kind: "account", nonce: 0n, balance: 10n ** 12n } as const;
    const keys = Array.from({ length: count }, () => accountKey(prng.bytes(32))).sort(compareBytes);
    const bucket = mergeBucket(
      undefined,
      keys.map((key) => ({ key, value: encodeEntry(entry) })),
    );
    const change = { key: present(keys[count >> 1], "a key"), value: encodeEntry({ ...entry, nonce: 9n }) };
    const rate = rateOf(() => bucketHash(mergeBucket(bucket, [change])));
    report.add({ name: `one update in a bucket of ${count.toLocaleString("en-US")}`, value: 1e6 / rate, unit: "us" });
  }
}

/** In a process of its own: prints by how many bytes the resident set grows when a state is loaded. */
function printResident(path: string): void {
  const at = (): number => {
    Bun.gc(true);
    return process.memoryUsage.rss();
  };
  const before = at();
  const loaded = State.load(nodeFileSystem, path, CHAIN_ID);
  const grown = at() - before;
  if (!loaded.ok || loaded.value.height < 0) throw new Error("the checkpoint loads");
  console.log(grown);
}

function partsOf(path: string): CheckpointParts {
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
  const policy = { changedEntriesMin: 1e9, blocksMax: 1e9, intervalMs: 1e12 };
  const onDefect = (error: unknown): never => {
    throw error;
  };
  return { writer: new WorkerCheckpointWriter(path), policy, clock, log: silentLog, onDefect };
}
