/**
 * Four validators as processes at the most that this machine lets them do: finalized transactions a second beside native
 * verifications, and what each costs a validator in CPU time, by what its threads do. CPU time hardly depends on who else
 * uses the machine; the rate does. A first load lets the runtime compile what is hot, and is reported by itself, since a
 * short run measures little else. `bun test/bench/peak.bench.ts [transactions] [warm-up]`
 */

import { verifyEd25519 } from "../../src/crypto/index.ts";
import { NodeNetwork } from "../e2e/support/node-network.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import { type Crowd, claimsOf, makeCrowd, submitEverywhere, untilFinal, verificationsPerSecond } from "./crowd.ts";
import { BenchReport } from "./harness.ts";
import { peakMemory, threadTimes } from "./thread-times.ts";

const VALIDATORS = 4;
const PER_REQUEST = 256;
/** Milliseconds of a round of verifications on one thread. */
const VERIFY_MS = 600;
const [countText = "40000", warmUpText = "60000"] = process.argv.slice(2);

const report = new BenchReport("peak");
const place = new Workplace();

/** What a node has done, of which differences are taken. */
type Reading = {
  readonly times: ReadonlyMap<string, number>;
  readonly metrics: ReadonlyMap<string, number>;
};

/** CPU microseconds of one native verification, on one thread. */
function verificationUs(crowd: Crowd): number {
  const claims = claimsOf(crowd, 256);
  const began = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() - began < VERIFY_MS) {
    for (const { key, message, signature } of claims) verifyEd25519(key, message, signature);
    count += claims.length;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function readingOf(node: NodeProcess): Promise<Reading> {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  const lines = text.matchAll(/^(bizra_[^\s{]+(?:\{[^}]*\})?) (\S+)$/gm);
  return {
    times: threadTimes(node.child.pid),
    metrics: new Map([...lines].map(([, name = "", value]) => [name, Number(value)])),
  };
}

/** The least bound of the histogram that this share of the samples between two readings stayed below, in milliseconds. */
function lagMs(before: Reading, after: Reading, share: number): number {
  const grown = (name: string): number => (after.metrics.get(name) ?? 0) - (before.metrics.get(name) ?? 0);
  const wanted = share * grown("bizra_event_loop_lag_seconds_count");
  for (const name of after.metrics.keys()) {
    const bound = /^bizra_event_loop_lag_seconds_bucket\{le="([^"]+)"\}$/.exec(name)?.[1];
    if (bound !== undefined && grown(name) >= wanted) return bound === "+Inf" ? Number.POSITIVE_INFINITY : 1_000 * Number(bound);
  }
  return Number.POSITIVE_INFINITY;
}

/** Submits so many at all nodes and waits until all of them have them final; transactions a second. */
async function load(crowd: Crowd, count: number): Promise<number> {
  const signed = crowd.sign(count);
  const began = performance.now();
  await submitEverywhere(crowd, signed, PER_REQUEST);
  for (const node of crowd.network.nodes) for (const { id } of signed.slice(-64)) await untilFinal(node, id);
  return (1_000 * count) / (performance.now() - began);
}

try {
  const words = ["--http-rate-loopback-per-second", "0"];
  const network = await NodeNetwork.start(place, "peak", { validators: VALIDATORS, words });
  const nodes = network.nodes.filter((node) => node !== undefined);
  const crowd = await makeCrowd(network);
  const perSecond = report.add({
    name: "baseline: native verifications, all cores",
    value: await verificationsPerSecond(crowd),
    unit: "ops/s",
  });
  const oneUs = report.add({ name: "baseline: CPU of one native verification", value: verificationUs(crowd), unit: "us" });
  const share = { name: `native verifications/s of all cores / ${VALIDATORS}`, value: perSecond / VALIDATORS };
  const phases = [
    ["while the runtime warms up", Number(warmUpText)],
    ["warm", Number(countText)],
  ] as const;
  for (const [phase, count] of phases) {
    const isWarm = phase === "warm";
    const before = await Promise.all(nodes.map(readingOf));
    const rate = await load(crowd, count);
    const after = await Promise.all(nodes.map(readingOf));
    const grown = (pick: (reading: Reading) => number): number =>
      after.reduce((sum, reading, at) => sum + pick(reading) - pick(before[at] ?? reading), 0);
    const perTransaction = (role: string): number => (1_000 * grown(({ times }) => times.get(role) ?? 0)) / VALIDATORS / count;
    const metric = (name: string): number => grown(({ metrics }) => metrics.get(name) ?? 0);
    report.add({
      name: `finalized, ${phase}`,
      value: rate,
      unit: "tx/s",
      baseline: share,
      ...(isWarm ? { goal: { of: "ratio" as const, is: "at least" as const, bound: 0.6 } } : {}),
      note: `${count} transfers, client on the same cores`,
    });
    report.add({
      name: `CPU per transaction and validator, ${phase}`,
      value: perTransaction("all"),
      unit: "us",
      baseline: { name: "one native verification", value: oneUs },
      ...(isWarm ? { goal: { of: "ratio" as const, is: "at most" as const, bound: 1.5 } } : {}),
    });
    for (const role of ["main thread", "verification", "compiling", "collecting", "other threads"])
      report.add({ name: `  of it ${role}`, value: perTransaction(role), unit: "us" });
    report.add({
      name: `event-loop lag, p99 at most, ${phase}`,
      value: Math.max(...after.map((reading, at) => lagMs(before[at] ?? reading, reading, 0.99))),
      unit: "ms",
      ...(isWarm ? { goal: { of: "value" as const, is: "at most" as const, bound: 20 } } : {}),
      note: "of the slowest node; a bound of its histogram; others on this machine add to it",
    });
    const blocks = metric("bizra_chain_height");
    report.add({ name: `transactions in a block, ${phase}`, value: (VALIDATORS * count) / blocks, unit: "tx" });
    report.add({ name: `syncs of the batch log per block, ${phase}`, value: metric("bizra_mempool_syncs_total") / blocks, unit: "syncs" });
    const sent = grown(({ metrics }) =>
      [...metrics].reduce((sum, [name, value]) => sum + (name.startsWith("bizra_network_sent_messages_total") ? value : 0), 0),
    );
    report.add({ name: `messages sent per node and block, ${phase}`, value: sent / blocks, unit: "messages" });
    report.add({
      name: `verifications per transaction and node, ${phase}`,
      value: metric("bizra_mempool_verified_total") / VALIDATORS / count,
      unit: "x",
      goal: { of: "value", is: "at most", bound: 1 },
    });
  }
  report.add({
    name: "memory at the peak, the largest node",
    value: Math.max(...nodes.map(({ child }) => peakMemory(child.pid))) / 1e6,
    unit: "MB",
    goal: { of: "value", is: "at most", bound: 300 },
  });
  for (const fault of await network.stop()) console.log(fault);
  report.finish();
} finally {
  await place.end();
}
