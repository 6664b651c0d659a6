import type { HardwareFiguresReader } from "../../appliance/hardware/index.ts";
import { LAN_TIMERS, WAN_TIMERS } from "../consensus/index.ts";
import { event } from "../events/index.ts";
import type { CancelTimer, Log } from "../kernel/index.ts";
import { blockVersionOf } from "../ledger/index.ts";
import { type Alert, type EventLoopLag, findAlerts, type NodeSample, readProcessFigures } from "../monitoring/index.ts";
import type { SharedKey } from "../network/index.ts";
import { isStorageError } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import { remedyOf } from "./custody.ts";
import { hardwareReader, knownOf } from "./hardware.ts";
import { reserveOf } from "./open-mempool.ts";
import { freeBytesOf, verifyThreadsHealth } from "./platform.ts";
import { systemClock, systemTimers } from "./ports.ts";
import type { NodeSetup } from "./setup.ts";
import { syncStateOf } from "./sync-state.ts";
import { findComingUpdate, findOutdated } from "./upgrade.ts";

const INTERVAL_MS = 10_000;
/** A thread that failed is told of for so long. */
const THREAD_FAULTS_MS = 600_000;

/** Looks at the node's own figures now and then; conditions that people must know of go to the log and the vital lane. */
export class Watch {
  readonly #setup: NodeSetup;
  readonly #contexts: Contexts;
  readonly #lag: EventLoopLag;
  readonly #log: Log;
  readonly #findSharedKey: () => SharedKey | undefined;
  readonly #hardware: HardwareFiguresReader;
  readonly #raised = new Map<string, Alert>();
  readonly #findMore: (() => readonly Alert[])[] = [];
  #threadFaults: { readonly count: number; readonly atMs: number }[] = [];
  #threadFaultsTold = 0;
  #isSparing = false;
  #cancel: CancelTimer = () => {};

  constructor(setup: NodeSetup, contexts: Contexts, lag: EventLoopLag, log: Log, findSharedKey: () => SharedKey | undefined) {
    this.#setup = setup;
    this.#contexts = contexts;
    this.#lag = lag;
    this.#log = log;
    this.#findSharedKey = findSharedKey;
    this.#hardware = hardwareReader(setup.home);
  }

  /** Conditions that hold. */
  get raisedCount(): number {
    return this.#raised.size;
  }

  /** Has conditions looked at that another part of the node knows of. */
  watchAlso(find: () => readonly Alert[]): void {
    this.#findMore.push(find);
  }

  /** Begins to look; the first time after an interval. */
  start(): void {
    this.#cancel = systemTimers.after(INTERVAL_MS, () => {
      this.#lookIfThereIsRoom();
      this.start();
    });
  }

  /** Stops looking; what was raised stays raised. */
  stop(): void {
    this.#cancel();
  }

  /** Looks at once, as before a stop that is about a condition which holds no more. */
  lookNow(): void {
    this.#lookIfThereIsRoom();
  }

  /** Alerts are durable; on a full disk, which is one of them, they wait for room. */
  #lookIfThereIsRoom(): void {
    try {
      this.#look();
    } catch (error) {
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
    }
  }

  #look(): void {
    const { events } = this.#contexts;
    const sample = this.#sample();
    this.#spareTheDisk(sample);
    const holding = new Map(
      [...this.#custodyAlerts(), ...this.#findMore.flatMap((find) => find()), ...findAlerts(sample)].map((alert) => [alert.name, alert]),
    );
    for (const [name, alert] of holding) {
      if (this.#raised.has(name)) continue;
      this.#log.warn("alert.raised", { alert: name, severity: alert.severity, reason: alert.reason, remedy: alert.remedy });
      events.appendCrit(event("alert.raised", { alert: name, severity: alert.severity, detail: alert.reason }));
      this.#raised.set(name, alert);
    }
    for (const name of [...this.#raised.keys()].filter((raised) => !holding.has(raised))) {
      events.appendCrit(event("alert.cleared", { alert: name }));
      this.#raised.delete(name);
      this.#log.info("alert.cleared", { alert: name });
    }
  }

  /** A key that is barred here stays so until the next start. */
  #custodyAlerts(): readonly Alert[] {
    const { custody, home } = this.#setup;
    if (custody?.verdict.kind !== "barred") return [];
    const { detail, fault } = custody.verdict;
    return [{ name: "custody-barred", severity: "critical", reason: detail, remedy: remedyOf(fault, home) }];
  }

  /** Between the warning and the end of admission the operational events make room; they may have it back where the warning ends. */
  #spareTheDisk({ diskFreeBytes: free = Number.POSITIVE_INFINITY }: NodeSample): void {
    const { freeBytesMin, freeBytesWarn } = this.#setup.configuration.storage;
    const isWanted = free < (this.#isSparing ? freeBytesWarn : (freeBytesMin + freeBytesWarn) / 2);
    if (isWanted === this.#isSparing) return;
    this.#isSparing = isWanted;
    this.#contexts.events.compactOps(isWanted);
    this.#log.warn("disk.opsCompacted", { isWanted, freeBytes: free });
  }

  #sample(): NodeSample {
    const shared = this.#findSharedKey();
    const { configuration, home } = this.#setup;
    const { blocks, loop, mempool, state } = this.#contexts;
    const { voting } = loop.standing();
    const threads = verifyThreadsHealth();
    const outdated = findOutdated(blockVersionOf(state.finalized), blocks.tip().epoch + 1);
    const coming = findComingUpdate(state);
    const { pendingCount, foreignCount } = mempool.stats().gauges;
    const { height, timeMs } = blocks.tip();
    const profile = configuration.consensus.profile === "wan" ? WAN_TIMERS : LAN_TIMERS;
    const lagMs = this.#lag.recentQuantileMs(0.99);
    const { residentBytes } = readProcessFigures();
    return {
      ...knownOf(this.#hardware.read()),
      height,
      ...(height > 0 && { lastBlockAgeMs: systemClock.nowMs() - timeMs }),
      heartbeatMs: profile.heartbeatMs,
      pendingTransactions: pendingCount - foreignCount, // what others' batches bring has room of its own
      pendingTransactionsMax: configuration.mempool.transactionsMax,
      syncState: syncStateOf({ voting, isLagging: false }), // moments behind are no condition for people
      ...(outdated !== undefined && { outdatedBecause: outdated }),
      ...(coming !== undefined && { comingUpdate: coming }),
      ...(lagMs !== undefined && { eventLoopLagP99Ms: lagMs }),
      ...(residentBytes !== undefined && { residentBytes }),
      verifyThreadsFailed: this.#recentThreadFaults(Object.values(threads.failed).reduce((sum, count) => sum + count, 0)),
      areVerifyThreadsGivenUp: threads.isGivenUp,
      diskFreeBytes: freeBytesOf(home),
      diskFreeBytesMin: configuration.storage.freeBytesMin,
      diskFreeBytesReserve: reserveOf(configuration.storage),
      diskFreeBytesWarn: configuration.storage.freeBytesWarn,
      ...(shared && { sharedKeyAddress: shared.address ?? "unknown" }),
      listensBeyondLoopback: !/^(127\.|::1$|localhost$)/.test(configuration.http.listen.host),
    };
  }

  /** Of the threads that failed since the start, those of the last ten minutes. */
  #recentThreadFaults(count: number): number {
    const nowMs = systemClock.monotonicMs();
    this.#threadFaults = this.#threadFaults.filter(({ atMs }) => nowMs - atMs < THREAD_FAULTS_MS);
    if (count > this.#threadFaultsTold) this.#threadFaults.push({ count: count - this.#threadFaultsTold, atMs: nowMs });
    this.#threadFaultsTold = count;
    return this.#threadFaults.reduce((sum, fault) => sum + fault.count, 0);
  }
}
