import type { Inventory, MetricReader, NodeFacts } from "../../appliance/telemetry/index.ts";
import { toHex } from "../kernel/index.ts";
import type { EventLoopLag } from "../monitoring/index.ts";
import type { Contexts } from "./contexts.ts";
import { healthOf } from "./gateway-ports.ts";
import type { NodeNetworking } from "./networking.ts";
import { freeBytesOf } from "./platform.ts";
import { systemClock } from "./ports.ts";
import type { NodeSetup } from "./setup.ts";
import { VERSION } from "./version.ts";
import type { Watch } from "./watch.ts";

/** What the node says of itself to brokers beside its figures. */
export function nodeFacts({
  setup,
  contexts,
  networking,
  inventory,
}: {
  readonly setup: NodeSetup;
  readonly contexts: Contexts;
  readonly networking: NodeNetworking | undefined;
  /** What the machine is, as far as is known by now. */
  readonly inventory: () => Inventory;
}): NodeFacts {
  const { blocks, loop } = contexts;
  const health = healthOf(setup, contexts, networking);
  return {
    info: () => ({
      node: setup.nodeId,
      chainId: toHex(setup.genesis.hash),
      chainName: setup.genesis.chainName,
      role: loop.status().self === undefined ? "observer" : "validator",
      validator: toHex(setup.validator.publicKey),
      version: VERSION.version,
      commit: VERSION.commit,
      runtime: VERSION.runtime,
      platform: VERSION.platform,
      inventory: inventory(),
    }),
    head: () => {
      const { height, hash, timeMs } = blocks.tip();
      const { epoch, view } = loop.status();
      return { height, hash: toHex(hash), epoch, view, timeMs };
    },
    readiness: () => health.report("ready"),
    onHead: (listener) => blocks.subscribe(listener),
  };
}

/** The figures of the node's contexts: fields, and one question of the file system. */
export function nodeReader({
  setup,
  contexts,
  lag,
  watch,
  networking,
}: {
  readonly setup: NodeSetup;
  readonly contexts: Contexts;
  readonly lag: EventLoopLag;
  readonly watch: Watch;
  readonly networking: NodeNetworking | undefined;
}): MetricReader {
  const { blocks, loop, mempool } = contexts;
  const health = healthOf(setup, contexts, networking);
  const startedAtMs = systemClock.monotonicMs();
  let blockDelayMs: number | null = null;
  blocks.subscribe(() => {
    blockDelayMs = systemClock.nowMs() - blocks.tip().timeMs;
  });
  return {
    read() {
      const { height, timeMs } = blocks.tip();
      const { epoch, view, voting, peerCount, isLagging } = loop.status();
      const { gauges, counters } = mempool.stats();
      const rejected = Object.values(counters.rejected).reduce((sum, count) => sum + count, 0);
      return {
        height,
        epoch,
        view,
        blockAgeSeconds: height === 0 ? null : Math.max(0, Math.round((systemClock.nowMs() - timeMs) / 100) / 10),
        blockDelayMs,
        voting,
        isCatchingUp: isLagging,
        peers: peerCount,
        isReady: health.report("ready").isOk,
        alerts: watch.raisedCount,
        pendingTransactions: gauges.pendingCount,
        pendingBytes: gauges.pendingSizeBytes,
        acceptedTransactions: counters.accepted,
        rejectedTransactions: rejected,
        isAdmitting: gauges.closedBecause === undefined,
        diskFreeBytes: freeBytesOf(setup.home),
        journalSyncMs: Math.round(10 * gauges.syncMs) / 10,
        journalBytes: gauges.logSizeBytes,
        eventLoopLagMs: rounded(lag.recentQuantileMs(0.99)),
        uptimeSeconds: Math.round((systemClock.monotonicMs() - startedAtMs) / 1_000),
      };
    },
  };
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(10 * value) / 10;
}
