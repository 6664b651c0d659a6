import type { Signer } from "../crypto/index.ts";
import type { CancelTimer, Clock, Log, Result, Timers } from "../kernel/index.ts";
import { isStorageError, type StorageError } from "../storage/index.ts";
import { CHECKPOINT_POLICY, type Checkpoint, checkpointOrigin, signCheckpoint } from "./checkpoint.ts";
import { type Event, type EventTypeOf, event } from "./event-schemas.ts";
import { LaneDamaged, LaneLog } from "./lane-log.ts";
import { OPS_TUNING, type OpsTuning, OpsWriter } from "./ops-writer.ts";
import type { CheckpointStore, CritStore, LaneReader, LaneStore } from "./ports.ts";
import { sealRecord } from "./record-chain.ts";
import { LANES, type Lane, type LaneCursor, type LaneFault, type LaneRecord, type LaneTip } from "./types.ts";

/** Events of one lane. */
export type EventOf<L extends Lane> = Event<EventTypeOf<L>>;

/** What the event log stands on. */
export type EventLogParts = {
  readonly crit: CritStore;
  readonly ops: LaneStore;
  /** The chain lane as it lies in the rows of blocks, genesis included. */
  readonly chain: LaneReader;
  readonly checkpoints: CheckpointStore;
  /** The node's identity; never a validator key. */
  readonly identity: Signer;
  /** `{net}` and `{node}` of the origin in checkpoints. */
  readonly network: string;
  readonly node: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Told when the disk under the `ops` lane failed for good. */
  readonly onOpsFailed?: (error: StorageError) => void;
  readonly opsTuning?: OpsTuning;
};

/** Told that a lane has grown, once that can be read. Returns at once; what it throws is logged. */
export type LaneListener = (lane: Lane, tip: LaneTip) => void;

/** Records that a lane's tree is caught up by at a time. */
const CATCH_UP_RECORDS = 512;

/** The three lanes with their readers, writers and checkpoints. */
export class EventLog {
  readonly #parts: EventLogParts;
  readonly #lanes: Readonly<Record<Lane, LaneLog>>;
  readonly #ops: OpsWriter;
  readonly #listeners = new Set<LaneListener>();
  /** What the last checkpoint of each lane covers. */
  readonly #signed = new Map<Lane, LaneCursor>();
  #cancelTimer: CancelTimer | undefined;
  #isDueAtOnce = false;

  /**
   * Opens the lanes, checking their ends. Damage in `ops` does not stop a node: the lane goes on in a new incarnation
   * that links to what is left, and `crit` says so.
   *
   * @throws LaneDamaged when `crit` or `chain` is not what was written
   */
  constructor(parts: EventLogParts) {
    this.#parts = parts;
    const open = (lane: Lane, reader: LaneReader): LaneLog => new LaneLog(lane, reader, parts.checkpoints.find(lane));
    this.#lanes = { crit: open("crit", parts.crit), chain: open("chain", parts.chain), ops: open("ops", parts.ops) };
    this.#ops = new OpsWriter(
      {
        log: this.#lanes.ops,
        store: parts.ops,
        clock: parts.clock,
        timers: parts.timers,
        onWritten: () => this.#onGrown("ops"),
        onFailed: (error) => this.#onOpsFailed(error),
      },
      parts.opsTuning ?? OPS_TUNING,
    );
    for (const lane of LANES) this.#checkTail(lane, parts.checkpoints.find(lane));
    this.#scheduleCheckpoint();
  }

  /** Writes an event to the vital lane; durable when this returns. */
  appendCrit(item: EventOf<"crit">): LaneRecord {
    const record = sealRecord("crit", this.#lanes.crit.tip, this.#parts.clock.nowMs(), item);
    this.#parts.crit.append([record]);
    this.#accept("crit", [record]);
    return record;
  }

  /**
   * Carries an event over from a file outside node.db (a journal, say), once: its source counts positions upward, and
   * after a restart it is replayed from `critCursor` on.
   *
   * @returns whether it was written; false when that position had been carried over before
   */
  appendCritFrom(source: string, position: number, item: EventOf<"crit">): boolean {
    const carried = this.#parts.crit.cursor(source);
    if (carried !== undefined && position <= carried) return false;
    const record = sealRecord("crit", this.#lanes.crit.tip, this.#parts.clock.nowMs(), item);
    this.#parts.crit.appendFrom(source, position, record);
    this.#accept("crit", [record]);
    return true;
  }

  /** The last position of a source that was carried into the vital lane; undefined before its first. */
  critCursor(source: string): number | undefined {
    return this.#parts.crit.cursor(source);
  }

  /** Hands an event to the `ops` lane, which writes it within a second or so. Never throws for a disk. */
  appendOps(item: EventOf<"ops">): void {
    this.#ops.append(item);
  }

  /**
   * While wanted, the `ops` lane keeps to a quarter of its quota: it lets the oldest records go, a gap record says which,
   * and their room is written over, so its file grows no more. The other lanes are never shortened.
   */
  compactOps(isWanted: boolean): void {
    this.#ops.compact(isWanted);
  }

  /** Takes in the chain lane's records of a block that was just committed. */
  onChainCommitted(records: readonly LaneRecord[]): void {
    this.#accept("chain", records);
  }

  /**
   * Begins a new incarnation of a lane whose history somebody else holds otherwise: what is here stays, and the first
   * record says what it follows and why.
   *
   * @param beyondEpoch the latest incarnation that is known elsewhere
   * @param reason `restore`, `clone` or `tamper`
   */
  reopen(lane: "crit" | "ops", beyondEpoch: number, reason: string): LaneRecord {
    if (lane === "ops") this.#ops.flush();
    const { tip } = this.#lanes[lane];
    const payload = { reason, previousEpoch: tip.epoch, previousSequence: tip.sequence, previousHash: tip.hash };
    const place = { epoch: Math.max(tip.epoch, beyondEpoch) + 1, sequence: 0, hash: tip.hash };
    const opening = sealRecord(lane, place, this.#parts.clock.nowMs(), event("log.opened", payload));
    this.#parts[lane].append([opening]);
    this.#accept(lane, [opening]);
    return opening;
  }

  /** The last record of a lane that can be read. */
  tip(lane: Lane): LaneTip {
    return this.#lanes[lane].tip;
  }

  /** Up to `limit` records of a lane after a place, each checked; where records were let go it begins after the gap. */
  read(lane: Lane, after: LaneCursor, limit: number): Result<readonly LaneRecord[], LaneFault> {
    return this.#lanes[lane].read(after, limit);
  }

  /** Checks a lane's records after `from` up to `to` (all by default); gives their count, or the first fault. */
  verify(lane: Lane, from?: LaneCursor, to?: LaneCursor): Result<number, LaneFault> {
    return this.#lanes[lane].verify(from, to);
  }

  /** The last signed checkpoint of a lane. */
  checkpoint(lane: Lane): Checkpoint | undefined {
    return this.#parts.checkpoints.find(lane);
  }

  /**
   * Signs the tree of a lane as it stands, for somebody who is given its records at once; nothing is kept of it. Undefined
   * while the tree has a long way to catch up.
   */
  signHead(lane: Lane): Pick<Checkpoint, "epoch" | "size" | "note"> | undefined {
    const log = this.#lanes[lane];
    log.catchUpTree(CATCH_UP_RECORDS);
    if (!log.isTreeComplete) return undefined;
    const { epoch, sequence } = log.tip;
    const origin = checkpointOrigin(this.#parts.network, this.#parts.node, lane, epoch);
    return { epoch, size: sequence, note: signCheckpoint(this.#parts.identity, origin, log.tree) };
  }

  /** Tells a listener whenever a lane has grown. Readers keep a cursor and read on: nothing is buffered for them, so nothing is lost. */
  subscribe(listener: LaneListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Signs a checkpoint of every lane that has grown since its last one, in one durable commit. A lane whose tree has a
   * long way to catch up (its checkpoint was lost) has its turn when it has.
   */
  signCheckpoints(): readonly Checkpoint[] {
    this.#ops.flush();
    const signed: Checkpoint[] = [];
    for (const lane of LANES) {
      const log = this.#lanes[lane];
      log.catchUpTree(CATCH_UP_RECORDS);
      if (!log.isTreeComplete || this.#uncovered(lane) === 0) continue;
      if (lane === "ops") this.#parts.ops.sync(); // a signed record must not be lost with a power cut
      const { epoch } = log.tip;
      const origin = checkpointOrigin(this.#parts.network, this.#parts.node, lane, epoch);
      signed.push({
        lane,
        epoch,
        size: log.tree.size,
        peaks: log.tree.peaks,
        note: signCheckpoint(this.#parts.identity, origin, log.tree),
      });
    }
    if (signed.length > 0) this.#parts.checkpoints.put(signed);
    for (const { lane, epoch, size } of signed) this.#signed.set(lane, { epoch, sequence: size });
    this.#scheduleCheckpoint();
    return signed;
  }

  /** Writes what waits, signs, and stops the timers. */
  close(): void {
    this.#ops.close();
    this.signCheckpoints();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #accept(lane: Lane, records: readonly LaneRecord[]): void {
    this.#lanes[lane].accept(records);
    this.#onGrown(lane);
  }

  #onGrown(lane: Lane): void {
    this.#scheduleCheckpoint();
    for (const listener of this.#listeners) {
      try {
        listener(lane, this.#lanes[lane].tip);
      } catch (error) {
        this.#parts.log.error("events.listenerFailed", { lane, error: String(error) });
      }
    }
  }

  /** Records of the current incarnation that no checkpoint covers. */
  #uncovered(lane: Lane): number {
    const { epoch, sequence } = this.#lanes[lane].tip;
    const signed = this.#signed.get(lane);
    return signed?.epoch === epoch ? sequence - signed.sequence : sequence;
  }

  #scheduleCheckpoint(): void {
    const uncovered = Math.max(...LANES.map((lane) => this.#uncovered(lane)));
    const isDueAtOnce = uncovered >= CHECKPOINT_POLICY.recordsMax;
    if (uncovered === 0 || (this.#cancelTimer && (this.#isDueAtOnce || !isDueAtOnce))) return;
    this.#cancelTimer?.();
    this.#isDueAtOnce = isDueAtOnce;
    this.#cancelTimer = this.#parts.timers.after(isDueAtOnce ? 0 : CHECKPOINT_POLICY.ageMaxMs, () => {
      this.#cancelTimer = undefined;
      this.#signInTime();
    });
  }

  /** A checkpoint that finds no room is signed later; the records that it covers are there in any case. */
  #signInTime(): void {
    try {
      this.signCheckpoints();
    } catch (error) {
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
      this.#parts.log.warn("events.checkpoint.postponed", { file: error.path, error: error.message });
      this.#cancelTimer = this.#parts.timers.after(CHECKPOINT_POLICY.ageMaxMs, () => {
        this.#cancelTimer = undefined;
        this.#signInTime();
      });
    }
  }

  #checkTail(lane: Lane, checkpoint: Checkpoint | undefined): void {
    if (checkpoint) this.#signed.set(lane, { epoch: checkpoint.epoch, sequence: checkpoint.size });
    const fault = this.#lanes[lane].findTailFault(checkpoint);
    if (!fault) return;
    if (lane !== "ops") throw new LaneDamaged(fault);
    this.#reopenOps(fault);
  }

  /** What is left stays as it is; the new incarnation says what it follows. */
  #reopenOps(fault: LaneFault): void {
    this.reopen("ops", 0, fault.kind === "missing" ? "lostTail" : "tamper");
    const place = `record ${fault.epoch}/${fault.sequence}`;
    this.appendCrit(event("storage.damaged", { file: "ops.db", place, detail: fault.detail }));
  }

  #onOpsFailed(error: StorageError): void {
    this.#parts.log.error("events.ops.failed", { file: error.path, error: error.message });
    this.#parts.onOpsFailed?.(error);
  }
}
