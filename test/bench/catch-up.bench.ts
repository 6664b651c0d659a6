/**
 * How fast a node that starts empty catches up by blocks, beside how fast the others execute live: three of four
 * validators run under load, the fourth joins and is timed from its first connection on. `bun test/bench/catch-up.bench.ts [transactions] [load|quiet]`
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, parsePkcs8Pem, type Signer } from "../../src/crypto/index.ts";
import { concatBytes } from "../../src/kernel/index.ts";
import { signTransaction, transactionAad } from "../../src/protocol/index.ts";
import { NodeNetwork } from "../e2e/support/node-network.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import { BenchReport } from "./harness.ts";
import { peakMemory, threadTimes } from "./thread-times.ts";

const SENDERS = 64;
const PER_REQUEST = 256;
const [countText = "60000", manner = "quiet"] = process.argv.slice(2);
const count = Number(countText);

const report = new BenchReport(`catch-up-${manner}`);
const directory = mkdtempSync(join(tmpdir(), "bizra-bench-"));
const place = new Workplace(directory);

async function submit(node: NodeProcess, group: readonly Uint8Array[]): Promise<void> {
  for (;;) {
    const { status, json } = await node.submit(Buffer.from(concatBytes(...group)), "application/cbor-seq");
    const outcomes = json["transactions"] as { status: string; code?: string }[] | undefined;
    const refused = outcomes?.find((outcome) => outcome.status === "rejected");
    if (status === 202 && (!refused || refused.code === "duplicate")) return;
    await Bun.sleep(50);
  }
}

const numbersOf = async (node: NodeProcess): Promise<{ height: number; executed: number }> => {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  const executed = Number(/^bizra_\S*executed\S* ([0-9]+)/m.exec(text)?.[1]);
  return { height: Number((await node.get("/api/v2/status"))["height"]), executed };
};

try {
  const words = ["--http-rate-loopback-per-second", "0", "--consensus-profile", "lan"];
  const network = await NodeNetwork.start(place, "net", { validators: 4, words, absent: [3] });
  const nodes = network.nodes.filter((node) => node !== undefined);
  const first = nodes[0] as NodeProcess;
  const seed = parsePkcs8Pem(readFileSync(network.net.accounts["alice"] as string, "utf8"));
  if (!seed.ok) throw new Error("the demo account's key parses");
  const rich = localSigner(seed.value);
  const aad = transactionAad(network.net.hash);
  const signers: readonly Signer[] = Array.from({ length: SENDERS }, (_, i) => localSigner(new Uint8Array(32).fill(i + 1)));
  const order = (signer: Signer, nonce: bigint, to: Uint8Array, amount: bigint): Uint8Array =>
    signTransaction(signer, aad, { sender: signer.publicKey, nonce, fee: 1000n, validUntil: 100_000n, body: { type: 1, to, amount } });
  await submit(
    first,
    signers.map((signer, i) => order(rich, BigInt(i), signer.publicKey, 10n ** 12n)),
  );
  await Bun.sleep(3_000);
  const nonces = signers.map(() => 0n);
  const sign = (many: number): Uint8Array[] =>
    Array.from({ length: many }, (_, i) => {
      const at = i % SENDERS;
      const nonce = nonces[at] as bigint;
      nonces[at] = nonce + 1n;
      return order(signers[at] as Signer, nonce, (signers[(at + 1) % SENDERS] as Signer).publicKey, 1n);
    });
  const signed = sign(count);
  const before = await numbersOf(first);
  const began = performance.now();
  for (let at = 0; at < count; at += PER_REQUEST) await submit(first, signed.slice(at, at + PER_REQUEST));
  while ((await numbersOf(first)).executed < before.executed + count) await Bun.sleep(100);
  const live = await numbersOf(first);
  const liveMs = performance.now() - began;
  const liveRate = (1000 * count) / liveMs;
  report.add({ name: "live: transactions executed", value: liveRate, unit: "tx/s" });
  report.add({ name: "live: blocks", value: (1000 * (live.height - before.height)) / liveMs, unit: "blocks/s" });
  let isLoading = manner === "load";
  const load = (async () => {
    while (isLoading) {
      await submit(first, sign(128));
      await Bun.sleep(200);
    }
  })();
  const late = network.launch(3);
  await late.alive();
  while (Number((await late.get("/api/v2/status"))["peers"]) === 0) await Bun.sleep(5);
  const joined = performance.now();
  const target = await numbersOf(first);
  let firstMs = 0;
  for (let at = await numbersOf(late); at.height < target.height; at = await numbersOf(late)) {
    if (performance.now() - joined > 120_000) throw new Error(`stuck at ${at.height} of ${target.height}`);
    if (at.height > 0 && firstMs === 0) firstMs = performance.now() - joined;
    await Bun.sleep(50);
  }
  const joinMs = performance.now() - joined;
  const times = threadTimes(late.child.pid);
  isLoading = false;
  await load;
  const baseline = { name: "live execution", value: liveRate };
  report.add({
    name: `catch-up by blocks, ${manner}: transactions executed`,
    value: (1000 * target.executed) / joinMs,
    unit: "tx/s",
    baseline,
    goal: { of: "ratio", is: "at least", bound: 5 },
  });
  report.add({ name: "  first blocks committed after", value: firstMs || joinMs, unit: "ms" });
  report.add({
    name: "  CPU per transaction of the node that catches up",
    value: (1000 * (times.get("all") ?? 0)) / target.executed,
    unit: "us",
    note: "its start and the compiling of what is hot included",
  });
  for (const [role, ms] of times)
    if (role !== "all") report.add({ name: `    of it ${role}`, value: (1000 * ms) / target.executed, unit: "us" });
  report.add({ name: "  memory of that node at its peak", value: peakMemory(late.child.pid) / 1e6, unit: "MB" });
  report.add({ name: `catch-up by blocks, ${manner}: blocks`, value: (1000 * target.height) / joinMs, unit: "blocks/s" });
  for (const fault of await network.stop()) console.log(fault);
} finally {
  await place.end();
  rmSync(directory, { recursive: true, force: true });
}
