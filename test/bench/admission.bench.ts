/** Admission: from submitted bytes to a durable batch, against the signature verifications that it cannot do without. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { localSigner, type SignatureClaim, type Signer, verifyEd25519, verifyEd25519Many } from "../../src/crypto/index.ts";
import { type Clock, Prng, silentLog, type Timers } from "../../src/kernel/index.ts";
import { Mempool, type MempoolBounds } from "../../src/mempool/index.ts";
import { decodeTransaction, signTransaction, transactionAad, transactionSignBytes } from "../../src/protocol/index.ts";
import { createRecordLog, nodeFileSystem, type RecordLog } from "../../src/storage/index.ts";
import { TableChain } from "../unit/mempool/mempool-world.ts";
import { BenchReport, quantile, rateOf, rateOfAsync } from "./harness.ts";

const COUNT = 20_000;
const ACCOUNTS = 2_000;
const PER_REQUEST = 100;
const CHAIN_ID = new Uint8Array(32).fill(7);
const AAD = transactionAad(CHAIN_ID);
/** On the disk that the repository lies on: a temporary folder may be memory. */
const FOLDER = join(import.meta.dir, "../../dist/bench");

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const timers: Timers = {
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    return () => clearTimeout(handle);
  },
};

const prng = new Prng(1);
const signers: readonly Signer[] = Array.from({ length: ACCOUNTS }, () => localSigner(prng.bytes(32)));
const author = localSigner(prng.bytes(32));
const transactions = Array.from({ length: COUNT }, (_, i) => {
  const signer = signers[i % ACCOUNTS] as Signer;
  const nonce = BigInt(Math.floor(i / ACCOUNTS));
  return signTransaction(signer, AAD, {
    ...{ sender: signer.publicKey, nonce, fee: 1_000n, validUntil: 900n },
    body: { type: 1, to: prng.bytes(32), amount: 250_000n },
  });
});
const transactionBytes = transactions.reduce((sum, { length }) => sum + length, 0) / COUNT;

type Opened = { readonly mempool: Mempool; readonly log: RecordLog; readonly chain: TableChain; readonly close: () => Promise<void> };

/** A mempool over funded accounts on a new log of this machine's disk. */
function open(bounds: Partial<MempoolBounds> = {}): Opened {
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(FOLDER, "admission-"));
  const log = createRecordLog(nodeFileSystem, join(folder, "batches"), {
    name: "batches",
    entropy: { bytes: (count) => prng.bytes(count) },
  });
  const chain = new TableChain();
  for (const { publicKey } of signers) chain.state.fund(publicKey, 1n << 50n);
  const mempool = new Mempool({
    ...{ chainId: CHAIN_ID, signer: author, log, chain, clock, timers, journal: silentLog, verifyMany: verifyEd25519Many },
    finalizedView: () => chain.state,
    tip: { height: 0, timeMs: 1 },
    parameters: { minimumFee: 10n, maxValidity: 1_000n },
    bounds: { sourceCountMax: 100_000, sourceSizeBytesMax: 1 << 26, ...bounds },
    onWork: () => {},
    onFatal: (error) => {
      throw error;
    },
  });
  mempool.start(0);
  const close = async (): Promise<void> => {
    await mempool.stop();
    log.close();
    rmSync(folder, { recursive: true });
  };
  return { mempool, log, chain, close };
}

/** CPU seconds that this process used while an action ran, all threads, and how long it took. */
async function costOf(action: () => Promise<unknown>): Promise<{ cpuMs: number; wallMs: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await action();
  const used = process.cpuUsage(cpu);
  return { cpuMs: (used.user + used.system) / 1_000, wallMs: performance.now() - start };
}

/** Bytes that this process has sent to the disk. */
function writtenBytes(): number {
  const found = /^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"));
  return Number(found?.[1] ?? Number.NaN);
}

/** Submits everything in requests, so many at a time, as HTTP clients would. */
async function submitAll(mempool: Mempool, items: readonly Uint8Array[], concurrency: number): Promise<number> {
  let at = 0;
  let accepted = 0;
  const client = async (name: string): Promise<void> => {
    while (at < items.length) {
      const request = items.slice(at, at + PER_REQUEST);
      at += PER_REQUEST;
      for (const { status } of await mempool.submit(request, name)) if (status === "accepted") accepted++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, i) => client(`client ${i}`)));
  return accepted;
}

/** Submits one by one at a steady rate and gives how long each took to be accepted, in milliseconds. */
async function submitSteadily(mempool: Mempool, items: readonly Uint8Array[], perSecond: number): Promise<number[]> {
  const took: number[] = [];
  const answers: Promise<unknown>[] = [];
  const start = performance.now();
  let sent = 0;
  while (sent < items.length) {
    const due = Math.min(items.length, Math.floor(((performance.now() - start) * perSecond) / 1_000));
    for (; sent < due; sent++) {
      const at = performance.now();
      const answer = mempool.submit(items.slice(sent, sent + 1), `client ${sent % 16}`);
      answers.push(answer.then(([outcome]) => void (outcome?.status === "accepted" && took.push(performance.now() - at))));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(answers);
  return took;
}

const report = new BenchReport("admission");
const claims: SignatureClaim[] = transactions.slice(0, 4_096).map((encoded) => {
  const decoded = decodeTransaction(AAD, encoded);
  if (!decoded.ok) throw new Error("a transaction we signed decodes");
  const { sender, payload, signature } = decoded.value;
  return { key: sender, message: transactionSignBytes(AAD, payload), signature };
});
let turn = 0;
const one = rateOf(() => {
  const { key, message, signature } = claims[turn++ % claims.length] as SignatureClaim;
  return verifyEd25519(key, message, signature);
});
report.add({ name: "native verifications, one thread", value: one, unit: "1/s" });
const many = { name: "native verifications of all cores", value: await rateOfAsync(claims.length, () => verifyEd25519Many(claims)) };
report.add({ ...many, unit: "1/s" });
const verifying = await costOf(() => verifyEd25519Many(claims));
const verifyCpuUs = (verifying.cpuMs * 1_000) / claims.length;
report.add({ name: "CPU per verification off the thread", value: verifyCpuUs, unit: "us" });

// One sync at a time of a small record: what the disk allows.
const disk = open();
const syncs = await rateOfAsync(1, () => {
  disk.log.append(new Uint8Array(200));
  return disk.log.syncAsync();
});
report.add({ name: "syncs of a 200-byte record", value: syncs, unit: "1/s" });
await disk.close();

const rates: number[] = [];
const cpus: number[] = [];
for (let round = 0; round < 4; round++) {
  const { mempool, close } = open();
  const cost = await costOf(() => submitAll(mempool, transactions, 16));
  if (mempool.stats().counters.accepted !== COUNT) throw new Error("every transaction of the benchmark is accepted");
  await close();
  if (round === 0) continue; // warm-up
  rates.push((COUNT * 1_000) / cost.wallMs);
  cpus.push((cost.cpuMs * 1_000) / COUNT);
}
const rate = quantile(rates, 0.5);
report.add({ name: "admitted, durable", value: rate, unit: "tx/s", baseline: many, goal: { of: "ratio", is: "at least", bound: 0.6 } });
const cpuUs = quantile(cpus, 0.5);
report.add({ name: "CPU per admitted transaction", value: cpuUs, unit: "us", baseline: { name: "a verification's", value: verifyCpuUs } });
report.add({
  ...{ name: "CPU beside the verification", value: cpuUs - verifyCpuUs, unit: "us", goal: { of: "value", is: "at most", bound: 10 } },
  note: `decoding, checks, pool, batch, hashing, log; ${PER_REQUEST} a request`,
});

// The same without signatures: what this thread alone does.
const unsigned = open();
const trusting = new Mempool({
  ...{ chainId: CHAIN_ID, signer: author, log: unsigned.log, chain: unsigned.chain, clock, timers, journal: silentLog },
  verifyMany: async (asked) => asked.map(() => true),
  finalizedView: () => unsigned.chain.state,
  tip: { height: 0, timeMs: 1 },
  parameters: { minimumFee: 10n, maxValidity: 1_000n },
  onWork: () => {},
  onFatal: (error) => {
    throw error;
  },
});
trusting.start(0);
const bare = await costOf(() => submitAll(trusting, transactions, 16));
report.add({ name: "CPU with verification left out", value: (bare.cpuMs * 1_000) / COUNT, unit: "us" });
let committed = 0;
let commitUs = 0;
while (trusting.stats().gauges.pendingCount > 0) {
  await new Promise((resolve) => setTimeout(resolve, 0)); // what waited for a gap is batched in between
  const start = process.cpuUsage();
  const batches = trusting.select({ bytes: 1 << 20, transactions: 4_096 }, () => false);
  committed += unsigned.chain.commit(trusting, batches).executed.length;
  const used = process.cpuUsage(start);
  commitUs += used.user + used.system;
}
report.add({
  name: "CPU to select, execute and follow the commit",
  value: commitUs / committed,
  unit: "us",
  note: "per transaction, execution on plain tables included",
});
await trusting.stop();
await unsigned.close();

const half = open();
const took = await submitSteadily(half.mempool, transactions.slice(0, Math.min(COUNT, Math.floor(rate * 2))), rate / 2);
report.add({
  name: "submit to accepted at half load, p50",
  value: quantile(took, 0.5),
  unit: "ms",
  note: `${Math.round(rate / 2)} tx/s, one a request`,
});
report.add({
  name: "submit to accepted at half load, p99",
  value: quantile(took, 0.99),
  unit: "ms",
  goal: { of: "value", is: "at most", bound: 50 },
});
await half.close();

for (const [name, bounds] of [
  ["", {}],
  [", flash profile", { lingerMinMs: 20 }],
] as const) {
  for (const perSecond of [100, 1_000]) {
    const steady = open(bounds);
    const before = writtenBytes();
    await submitSteadily(steady.mempool, transactions.slice(0, perSecond * 5), perSecond);
    const written = writtenBytes() - before;
    const { syncs: syncCount, syncMs } = steady.mempool.stats().counters;
    const note = `${syncCount} syncs of ${(syncMs / syncCount).toFixed(1)} ms for ${perSecond * 5} transactions of ${Math.round(transactionBytes)} bytes`;
    report.add({
      name: `bytes written per transaction byte, ${perSecond} tx/s${name}`,
      value: written / (perSecond * 5 * transactionBytes),
      unit: "x",
      note,
    });
    await steady.close();
  }
}
report.finish();
process.exit(0);
