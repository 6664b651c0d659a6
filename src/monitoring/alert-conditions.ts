import { HARDWARE_CONDITIONS, type HardwareSample } from "./hardware-conditions.ts";

/** How urgent a condition is: act now, or soon. */
export type AlertSeverity = "critical" | "warning";

/** What is known of a node at one moment; a figure that nobody has is absent and raises nothing. */
export type NodeSample = HardwareSample & {
  /** Final height, and milliseconds since the last final block by the node's own clock. */
  readonly height?: number;
  readonly lastBlockAgeMs?: number;
  /** Longest interval between blocks that the profile allows when idle, in milliseconds. */
  readonly heartbeatMs?: number;
  readonly pendingTransactions?: number;
  readonly pendingTransactionsMax?: number;
  readonly syncState?: "synced" | "catchingUp" | "recovering" | "outdated";
  /** Why this release can take no further part in the chain, and what is approved that it will not know. */
  readonly outdatedBecause?: string;
  readonly comingUpdate?: string;
  readonly eventLoopLagP99Ms?: number;
  readonly diskFreeBytes?: number;
  readonly diskFreeBytesMin?: number;
  readonly diskFreeBytesReserve?: number;
  readonly diskFreeBytesWarn?: number;
  readonly residentBytes?: number;
  /** Milliseconds that a durable write takes, 99th percentile. */
  readonly syncP99Ms?: number;
  /** Wall clock minus header time of the last final block just received, in milliseconds. */
  readonly clockOffsetMs?: number;
  readonly listensBeyondLoopback?: boolean;
  /** Threads that verify signatures and failed in the last ten minutes, and whether none is tried any more. */
  readonly verifyThreadsFailed?: number;
  readonly areVerifyThreadsGivenUp?: boolean;
  /** Where another box was met that runs this node's key, or `unknown`. */
  readonly sharedKeyAddress?: string;
};

/** One condition: when it holds, its sentence says so with the figures, its remedy says what to do. */
export type AlertCondition = {
  /** Stable name in lower-case words joined by `-`. */
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly remedy: string;
  /** The sentence, or undefined when the condition does not hold or is not known. */
  readonly findReason: (sample: NodeSample) => string | undefined;
};

/** A condition that holds. */
export type Alert = { readonly name: string; readonly severity: AlertSeverity; readonly reason: string; readonly remedy: string };

const MIB = 1024 * 1024;

/** Everything that `doctor` and the alerting rules look at, the most urgent first. */
export const ALERT_CONDITIONS: readonly AlertCondition[] = [
  {
    name: "disk-spent",
    severity: "critical",
    remedy: "free space on the disk of the home; the node catches up and votes again by itself",
    findReason: ({ diskFreeBytes: free, diskFreeBytesReserve: reserve }) =>
      free !== undefined && reserve !== undefined && free < reserve
        ? `the node takes nothing in and so votes for no new transactions: ${mib(free)} are free on the disk and the last ${mib(reserve)} are kept for what it promised`
        : undefined,
  },
  {
    name: "disk-full",
    severity: "critical",
    remedy: "free space on the disk of the home, or lower storage.freeBytesMin; admission goes on by itself",
    findReason: ({ diskFreeBytes: free, diskFreeBytesMin: min, diskFreeBytesReserve: reserve }) =>
      free !== undefined && min !== undefined && free < min && free >= (reserve ?? 0)
        ? `admission has stopped: ${mib(free)} are free on the disk and ${mib(min)} are kept free; the node still takes others' batches and votes`
        : undefined,
  },
  ...HARDWARE_CONDITIONS,
  {
    name: "outdated",
    severity: "critical",
    remedy: "install the release that knows it and start the node; it goes on from where it stopped",
    findReason: ({ outdatedBecause }) => outdatedBecause,
  },
  {
    name: "update-due",
    severity: "warning",
    remedy: "install the release that knows it before that epoch begins",
    findReason: ({ comingUpdate }) => comingUpdate,
  },
  {
    name: "recovering",
    severity: "critical",
    remedy: "let other validators answer; with one validator, run `bizra doctor` and follow its advice on the journal",
    findReason: ({ syncState }) =>
      syncState === "recovering" ? "the journal of votes is damaged or missing, so the node does not vote" : undefined,
  },
  {
    name: "key-shared",
    severity: "critical",
    remedy: "stop one of the two boxes and erase its keys; a key that signs on two boxes is convicted and slashed",
    findReason: ({ sharedKeyAddress: address }) =>
      address === undefined ? undefined : `another box runs this node's key; where: ${address}`,
  },
  {
    name: "chain-stalled",
    severity: "critical",
    remedy: "see that validators of more than two thirds of the weight are up and reach one another",
    findReason: ({ lastBlockAgeMs: age, heartbeatMs: heartbeat, height }) =>
      age !== undefined && heartbeat !== undefined && age > 3 * heartbeat
        ? `no block became final for ${seconds(age)}, three idle intervals are ${seconds(3 * heartbeat)}${height === undefined ? "" : `; the height is ${height}`}`
        : undefined,
  },
  {
    name: "work-stalled",
    severity: "critical",
    remedy: "see that validators of more than two thirds of the weight are up, and look for slow disks",
    findReason: ({ lastBlockAgeMs: age, pendingTransactions: pending }) =>
      age !== undefined && pending !== undefined && pending > 0 && age > 30_000
        ? `${pending} transactions wait and no block became final for ${seconds(age)}`
        : undefined,
  },
  {
    name: "mempool-nearly-full",
    severity: "warning",
    remedy: "slow the senders down, raise the minimum fee, or raise mempool.transactionsMax",
    findReason: ({ pendingTransactions: pending, pendingTransactionsMax: max }) =>
      pending !== undefined && max !== undefined && pending >= 0.9 * max
        ? `${pending} of ${max} places for pending transactions are taken`
        : undefined,
  },
  {
    name: "catching-up",
    severity: "warning",
    remedy: "wait; if the height does not grow, look at the network to the other validators",
    findReason: ({ syncState }) => (syncState === "catchingUp" ? "the node is behind the chain and takes no transactions" : undefined),
  },
  {
    name: "disk-low",
    severity: "warning",
    remedy: "free space on the disk of the home before admission stops",
    findReason: ({ diskFreeBytes: free, diskFreeBytesMin: min, diskFreeBytesWarn: warn }) =>
      free !== undefined && warn !== undefined && free < warn && free >= (min ?? 0)
        ? `${mib(free)} are free on the disk, less than ${mib(warn)}`
        : undefined,
  },
  {
    name: "disk-slow",
    severity: "warning",
    remedy: "use another disk, or the wan profile; votes wait for the disk",
    findReason: ({ syncP99Ms: p99 }) =>
      p99 !== undefined && p99 > 250 ? `durable writes take ${Math.round(p99)} ms (99th percentile), more than 250 ms` : undefined,
  },
  {
    name: "verify-threads",
    severity: "warning",
    remedy: "look for want of memory in the system's log, restart the node when it goes on, and report it with its metrics",
    findReason: ({ verifyThreadsFailed: failed = 0, areVerifyThreadsGivenUp }) => {
      if (areVerifyThreadsGivenUp === true) return "threads that verify signatures failed one after the other: the slower pool verifies";
      return failed > 0 ? `${failed} threads that verify signatures hung or ended in the last 10 minutes and were replaced` : undefined;
    },
  },
  {
    name: "loop-lagging",
    severity: "warning",
    remedy: "lower the load, or give the machine more processor time",
    findReason: ({ eventLoopLagP99Ms: p99 }) =>
      p99 !== undefined && p99 > 100 ? `the event loop is late by ${Math.round(p99)} ms (99th percentile), more than 100 ms` : undefined,
  },
  {
    name: "memory-high",
    severity: "warning",
    remedy: "restart the node and report it with its metrics; a healthy one stays below 300 MB",
    findReason: ({ residentBytes: resident }) =>
      resident !== undefined && resident > 600 * MIB ? `the process holds ${mib(resident)}, more than 600 MiB` : undefined,
  },
  {
    name: "clock-off",
    severity: "warning",
    remedy: "set the clock, or let it be set over the network",
    findReason: ({ clockOffsetMs: offset }) =>
      offset !== undefined && Math.abs(offset) > 5_000
        ? `this machine's clock differs from the chain's by ${seconds(Math.abs(offset))}`
        : undefined,
  },
  {
    name: "open-to-network",
    severity: "warning",
    remedy: "set http.listen to a loopback address, or put an authenticating proxy in front",
    findReason: ({ listensBeyondLoopback }) =>
      listensBeyondLoopback === true ? "the HTTP interface answers other machines, without authentication" : undefined,
  },
];

/** The conditions that hold for this sample, in the order of the list. */
export function findAlerts(sample: NodeSample): readonly Alert[] {
  return ALERT_CONDITIONS.flatMap(({ name, severity, remedy, findReason }) => {
    const reason = findReason(sample);
    return reason === undefined ? [] : [{ name, severity, reason, remedy }];
  });
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
