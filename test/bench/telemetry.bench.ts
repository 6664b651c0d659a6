/**
 * What telemetry costs: bytes an hour to a broker by profile, idle (a block a minute) and busy (five blocks a second), on
 * simulated time; and the time of one look at all figures. Payloads and packet heads are counted, TCP and TLS are not.
 */
import {
  BANDWIDTH_PROFILES,
  Link,
  LocalConnector,
  MachineReader,
  METRIC_NAMES,
  type MetricValues,
  planReport,
} from "../../appliance/telemetry/index.ts";
import { EMPTY_LANE, event, sealBlockRecords, sealGenesisRecords } from "../../src/events/index.ts";
import { Prng, silentLog } from "../../src/kernel/index.ts";
import { systemClock } from "../../src/node/index.ts";
import { makeValidatorSet } from "../../src/protocol/index.ts";
import { EventBench } from "../unit/events/event-fixture.ts";
import { memoryStore, NODE, sampleOf, settled } from "../unit/telemetry/telemetry-fixture.ts";
import { BenchReport, rateOf } from "./harness.ts";

const HOUR_MS = 3_600_000;
const report = new BenchReport("telemetry");

const made = makeValidatorSet([{ publicKey: new Uint8Array(32).fill(1), owner: new Uint8Array(32), weight: 5n, reputation: 10_000 }]);
if (!made.ok) throw new RangeError(made.error);
const validatorSet = made.value;

/** Bytes by kind that a broker gets in an hour, from the connection on. */
async function hourOf(
  profile: keyof typeof BANDWIDTH_PROFILES,
  blockMs: number,
): Promise<ReadonlyMap<string, { messages: number; bytes: number }>> {
  const bench = new EventBench();
  bench.chain.records.push(...sealGenesisRecords(5, validatorSet));
  const log = bench.open();
  const random = new Prng(1);
  const listeners: (() => void)[] = [];
  let height = 0;
  const jitter = (share: number): number => 1 + share * (random.below(1_000) / 500 - 1);
  const values = (): MetricValues => ({
    ...Object.fromEntries(METRIC_NAMES.map((name) => [name, 0])),
    height,
    view: height,
    voting: "voting",
    isReady: true,
    isAdmitting: true,
    isCatchingUp: false,
    isThrottled: false,
    isClockSynchronized: true,
    residentBytes: Math.round(110e6 * jitter(0.04)),
    writtenBytes: height * 4_096,
    acceptedTransactions: blockMs < 1_000 ? height * 50 : 0,
    pendingTransactions: blockMs < 1_000 ? random.below(200) : 0,
    diskFreeBytes: 20e9 - height * 8_192,
    memoryAvailableBytes: Math.round(2e9 * jitter(0.02)),
    temperatureCelsius: Math.round(10 * 47 * jitter(0.03)) / 10,
    eventLoopLagMs: Math.round(10 * 2 * jitter(0.5)) / 10,
    cpuPercent: Math.round((blockMs < 1_000 ? 25 : 2) * jitter(0.3)),
    loadAverage: 0.3,
    uptimeSeconds: Math.round(bench.time.monotonicMs() / 1_000),
  });
  const connector = new LocalConnector({ publish: () => Promise.resolve(), subscribe: () => () => {} });
  const link = new Link(
    {
      name: NODE,
      identity: { version: "0.1.0", chainName: "demo" },
      facts: {
        info: () => ({ node: NODE.node, chainId: "00".repeat(32), version: "0.1.0" }),
        head: () => ({ height, hash: "00".repeat(32), epoch: 0, view: height, timeMs: bench.time.nowMs() }),
        readiness: () => ({ isOk: true, checks: [] }),
        onHead: (listener) => {
          listeners.push(listener);
          return () => {};
        },
      },
      events: log,
      store: memoryStore().store,
      sample: () => sampleOf(bench.time.nowMs(), values()),
      devices: () => [],
      clock: bench.time,
      timers: bench.time,
      log: silentLog,
    },
    { connector, profile: BANDWIDTH_PROFILES[profile], sparkplugGroup: "bizra", sparkplugHost: "", homeAssistantPrefix: "homeassistant" },
  );
  link.start();
  for (let at = 0; at < HOUR_MS; at += blockMs) {
    height++;
    const round = { height, epoch: 0, view: height, hash: new Uint8Array(32) };
    const facts = { ...round, timeMs: bench.time.nowMs(), executed: 10, failed: 0, skipped: 0, fees: 100n, convictions: [], validatorSet };
    const records = sealBlockRecords(bench.chain.last() ?? EMPTY_LANE, { ...facts, nextValidatorSet: undefined });
    bench.chain.records.push(...records);
    log.onChainCommitted(records);
    log.appendOps(event("block.validated", { ...round, verdict: "valid" }));
    log.appendOps(event("consensus.reached", { kind: "finalization", epoch: 0, view: height }));
    for (const listener of listeners) listener();
    for (let passed = 0; passed < blockMs; passed += 1_000) {
      bench.time.pass(Math.min(1_000, blockMs - passed));
      await settled();
    }
  }
  return connector.traffic.counts;
}

for (const [load, blockMs] of [
  ["idle", 60_000],
  ["busy", 200],
] as const) {
  for (const profile of ["unmetered", "metered", "emergency"] as const) {
    const counts = await hourOf(profile, blockMs);
    const total = [...counts.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const parts = [...counts].map(([kind, { messages, bytes }]) => `${kind} ${messages}/${bytes}`).join(", ");
    report.add({ name: `${profile}, ${load}, one broker`, value: total, unit: "bytes/h", note: parts });
  }
}

const reader = new MachineReader(systemClock);
report.add({ name: "looks at the machine's figures", value: rateOf(() => reader.read()), unit: "looks/s" });
const [first, second] = [sampleOf(0, { height: 1 }), sampleOf(10_000, { height: 2 })];
const { state } = planReport(undefined, first, BANDWIDTH_PROFILES.unmetered);
report.add({
  name: "reports by exception planned",
  value: rateOf(() => planReport(state, second, BANDWIDTH_PROFILES.unmetered)),
  unit: "reports/s",
});
report.finish();
