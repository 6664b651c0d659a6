/**
 * The compiled node as a whole: finalized throughput, latency, admission, bytes written, memory and start time, beside
 * native verifications and synced writes measured in the same run. `bun test/bench/node.bench.ts [throughput|steady|flash|idle]...`
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, parsePkcs8Pem, type Signer, verifyEd25519Many } from "../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../src/kernel/index.ts";
import { decodeTransaction, signTransaction, transactionAad, transactionSignBytes } from "../../src/protocol/index.ts";
import { makeTestnet, type Testnet } from "../e2e/support/bizra.ts";
import { NodeProcess } from "../e2e/support/node-process.ts";
import { BenchReport, quantile, rateOfAsync } from "./harness.ts";

const SENDERS = 64;
const PER_REQUEST = 256;
const TRANSFER_UNITS = 1n;

const wanted = process.argv.slice(2);
const report = new BenchReport("node");
const directory = mkdtempSync(join(tmpdir(), "bizra-bench-"));

/** Many funded senders, so that nonces do not order everything behind one account. */
type Crowd = {
  readonly net: Testnet;
  readonly node: NodeProcess;
  readonly aad: Uint8Array;
  readonly signers: readonly Signer[];
  readonly nonces: bigint[];
};

async function startCrowd(name: string, words: readonly string[]): Promise<Crowd> {
  const net = await makeTestnet(join(directory, name));
  const node = await NodeProcess.start(net.homes[0] as string, words);
  const seed = parsePkcs8Pem(readFileSync(net.accounts["alice"] as string, "utf8"));
  if (!seed.ok) throw new Error("the demo account's key parses");
  const rich = localSigner(seed.value);
  const aad = transactionAad(net.hash);
  const signers = Array.from({ length: SENDERS }, (_, i) => localSigner(new Uint8Array(32).fill(i + 1)));
  const funding = signers.map((signer, i) =>
    signTransaction(rich, aad, {
      sender: rich.publicKey,
      nonce: BigInt(i),
      fee: 1000n,
      validUntil: 10_000n,
      body: { type: 1, to: signer.publicKey, amount: 10n ** 12n },
    }),
  );
  await submitAll(node, [funding]);
  await untilFinal(node, idOf(aad, funding.at(-1)));
  return { net, node, aad, signers, nonces: signers.map(() => 0n) };
}

/** Signed transfers from every sender in turn, nonces in order. */
function sign(crowd: Crowd, count: number, validUntil = 900_000n): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const at = i % SENDERS;
    const signer = crowd.signers[at] as Signer;
    const nonce = crowd.nonces[at] as bigint;
    crowd.nonces[at] = nonce + 1n;
    const to = (crowd.signers[(at + 1 + (i % 7)) % SENDERS] as Signer).publicKey;
    return signTransaction(signer, crowd.aad, {
      sender: signer.publicKey,
      nonce,
      fee: 1000n,
      validUntil,
      body: { type: 1, to, amount: TRANSFER_UNITS },
    });
  });
}

function idOf(aad: Uint8Array, encoded: Uint8Array | undefined): string {
  const decoded = decodeTransaction(aad, encoded ?? new Uint8Array(0));
  if (!decoded.ok) throw new Error("a transaction we signed decodes");
  return toHex(decoded.value.id);
}

/** Submits groups one after another; retries what a full pool refuses; gives the milliseconds of each answer. */
async function submitAll(node: NodeProcess, groups: readonly (readonly Uint8Array[])[]): Promise<number[]> {
  const times: number[] = [];
  for (const group of groups) {
    for (;;) {
      const start = performance.now();
      const { status, json } = await node.submit(Buffer.from(concatBytes(...group)), "application/cbor-seq");
      times.push(performance.now() - start);
      const outcomes = json["transactions"] as { status: string; code?: string; detail?: string }[] | undefined;
      const refused = outcomes?.find((o) => o.status === "rejected");
      if (status === 202 && !refused) break;
      const code = refused?.code ?? json["code"];
      if (code !== "mempoolFull" && code !== "quotaExceeded") throw new Error(`refused: ${status} ${JSON.stringify(refused ?? json)}`);
      await Bun.sleep(20);
    }
  }
  return times;
}

async function untilFinal(node: NodeProcess, id: string): Promise<void> {
  for (;;) {
    const { status } = await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=30000`);
    if (status === "final") return;
    if (status !== "accepted") throw new Error(`a submitted transaction is ${status}`);
  }
}

function groupsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/**
 * Bytes written so far to the device that holds the homes, everything that waits included. The process's own count in
 * /proc charges whole folios for a small overwrite, up to a megabyte, so it says nothing about wear. Other programs that
 * write meanwhile are counted too: keep the machine quiet.
 */
function deviceWrittenBytes(): number {
  execFileSync("sync");
  const { dev } = statSync(directory);
  const major = ((dev >>> 8) & 0xfff).toString();
  const minor = ((dev & 0xff) | ((dev >>> 12) & 0xfff00)).toString();
  const sectors = readFileSync(`/sys/dev/block/${major}:${minor}/stat`, "utf8").trim().split(/\s+/)[6];
  return 512 * Number(sectors);
}

type Usage = { readonly writtenBytes: number; readonly rssBytes: number; readonly cpuMs: number };

function usageOf(node: NodeProcess): Usage {
  const { pid } = node.child;
  const field = (file: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+([0-9]+)`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1]);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return {
    writtenBytes: deviceWrittenBytes(),
    rssBytes: 1024 * field("status", "VmRSS"),
    cpuMs: 10 * (Number(stat[11]) + Number(stat[12])),
  };
}

/** The rate of native verifications over all cores, and of 4 KiB synced writes: what the machine can do at best now. */
async function baselines(crowd: Crowd): Promise<{ verifications: number; syncs: number }> {
  const samples = sign({ ...crowd, nonces: crowd.nonces.slice() }, 2_048).map((encoded) => {
    const decoded = decodeTransaction(crowd.aad, encoded);
    if (!decoded.ok) throw new Error("a transaction we signed decodes");
    const { sender, payload, signature } = decoded.value;
    return { key: sender, message: transactionSignBytes(crowd.aad, payload), signature };
  });
  const verifications = await rateOfAsync(samples.length, () => verifyEd25519Many(samples));
  const file = await open(join(directory, "sync-probe"), "w");
  const page = Buffer.alloc(4096, 1);
  const syncs = await rateOfAsync(1, async () => {
    await file.write(page, 0, page.length, null);
    await file.datasync();
  });
  await file.close();
  report.add({ name: "baseline: native verifications, all cores", value: verifications, unit: "ops/s" });
  report.add({ name: "baseline: 4 KiB write and sync", value: syncs, unit: "ops/s" });
  return { verifications, syncs };
}

async function throughput(): Promise<void> {
  const crowd = await startCrowd("throughput", ["--http-rate-loopback-per-second", "0"]);
  const { node } = crowd;
  const idle = usageOf(node);
  report.add({ name: "RSS idle after start", value: idle.rssBytes / 1e6, unit: "MB", goal: { of: "value", is: "at most", bound: 120 } });
  const { verifications } = await baselines(crowd);
  await submitAndWait(crowd, 4_096);
  const count = 40_000;
  const signed = sign(crowd, count);
  const before = usageOf(node);
  const start = performance.now();
  const lanes = lanesOf(signed);
  await Promise.all(lanes.map((groups) => submitAll(node, groups)));
  await Promise.all(signed.slice(-SENDERS).map((encoded) => untilFinal(node, idOf(crowd.aad, encoded))));
  const seconds = (performance.now() - start) / 1000;
  const after = usageOf(node);
  const baseline = { name: "native verifications/s of all cores", value: verifications };
  report.add({
    name: "finalized tx/s, single validator",
    value: count / seconds,
    unit: "tx/s",
    baseline,
    goal: { of: "ratio", is: "at least", bound: 0.6 },
  });
  const cpuMicros = (1000 * (after.cpuMs - before.cpuMs)) / count;
  report.add({
    name: "CPU of the node per transaction",
    value: cpuMicros,
    unit: "us",
    baseline: { name: "one native verification (all cores)", value: (2 * 1e6) / verifications },
  });
  const bytes = signed.reduce((sum, encoded) => sum + encoded.length, 0);
  report.add({
    name: "bytes written per transaction byte, at peak",
    value: (after.writtenBytes - before.writtenBytes) / bytes,
    unit: "x",
  });
  report.add({ name: "RSS at peak", value: after.rssBytes / 1e6, unit: "MB", goal: { of: "value", is: "at most", bound: 300 } });
  await node.stop();
}

/** One lane per eight senders, each in nonce order, so that several submissions are under way at once. */
function lanesOf(signed: readonly Uint8Array[]): Uint8Array[][][] {
  const lanes = 8;
  return Array.from({ length: lanes }, (_, lane) =>
    groupsOf(
      signed.filter((_, i) => (i % SENDERS) % lanes === lane),
      PER_REQUEST,
    ),
  );
}

async function submitAndWait(crowd: Crowd, count: number): Promise<void> {
  const signed = sign(crowd, count);
  await Promise.all(lanesOf(signed).map((groups) => submitAll(crowd.node, groups)));
  await Promise.all(signed.slice(-SENDERS).map((encoded) => untilFinal(crowd.node, idOf(crowd.aad, encoded))));
}

/** A steady rate for a while: latency of accepted and final, and bytes written. */
async function steady(name: string, words: readonly string[], perSecond: number, seconds: number, bytesGoal: number): Promise<void> {
  const crowd = await startCrowd(name, words);
  const { node } = crowd;
  await Bun.sleep(1_000);
  const before = usageOf(node);
  const signed = sign(crowd, perSecond * seconds);
  const accepted: number[] = [];
  const final: number[] = [];
  const running: Promise<void>[] = [];
  const start = performance.now();
  for (const [i, encoded] of signed.entries()) {
    const due = start + (1000 * i) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    const isSampled = i % 10 === 0;
    running.push(
      (async () => {
        const sent = performance.now();
        const answer = await node.submit(Buffer.from(encoded));
        if (answer.status !== 202) throw new Error(`refused: ${JSON.stringify(answer)}`);
        accepted.push(performance.now() - sent);
        if (!isSampled) return;
        await untilFinal(node, idOf(crowd.aad, encoded));
        final.push(performance.now() - sent);
      })(),
    );
  }
  await Promise.all(running);
  await untilFinal(node, idOf(crowd.aad, signed.at(-1)));
  const bytes = signed.reduce((sum, encoded) => sum + encoded.length, 0);
  const written = usageOf(node).writtenBytes - before.writtenBytes;
  await node.stop();
  const label = `${perSecond} tx/s, ${name}`;
  report.add({ name: `submit -> accepted p50, ${label}`, value: quantile(accepted, 0.5), unit: "ms" });
  report.add({
    name: `submit -> accepted p99, ${label}`,
    value: quantile(accepted, 0.99),
    unit: "ms",
    goal: { of: "value", is: "at most", bound: 50 },
  });
  report.add({ name: `submit -> final p50, ${label}`, value: quantile(final, 0.5), unit: "ms" });
  report.add({ name: `submit -> final p99, ${label}`, value: quantile(final, 0.99), unit: "ms" });
  report.add({
    name: `bytes written per transaction byte, ${label}`,
    value: written / bytes,
    unit: "x",
    goal: { of: "value", is: "at most", bound: bytesGoal },
    note: `over ${seconds} s`,
  });
}

/** What an idle node writes, and how much memory it holds. */
async function idle(seconds: number): Promise<void> {
  const net = await makeTestnet(join(directory, "idle"));
  const started = performance.now();
  const node = await NodeProcess.start(net.homes[0] as string, ["--consensus-profile", "wan"]);
  report.add({
    name: "start to readyz, empty home",
    value: performance.now() - started,
    unit: "ms",
    goal: { of: "value", is: "at most", bound: 500 },
    note: "polled every 10 ms",
  });
  await Bun.sleep(3_000);
  const before = usageOf(node);
  await Bun.sleep(1_000 * seconds);
  const after = usageOf(node);
  report.add({ name: "RSS idle", value: after.rssBytes / 1e6, unit: "MB", goal: { of: "value", is: "at most", bound: 120 } });
  report.add({ name: "CPU idle", value: (after.cpuMs - before.cpuMs) / seconds / 10, unit: "% of a core", note: `over ${seconds} s` });
  report.add({
    name: "bytes written per hour, idle",
    value: ((after.writtenBytes - before.writtenBytes) * 3600) / seconds / 1e6,
    unit: "MB",
    goal: { of: "value", is: "at most", bound: 1 },
    note: `from ${seconds} s`,
  });
  await node.stop();
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  throughput,
  steady: () => steady("lan", [], 1_000, 60, 5),
  flash: () => steady("wan", ["--consensus-profile", "wan"], 100, 60, 20),
  idle: () => idle(60),
};

try {
  for (const [name, run] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await run();
  report.finish();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
