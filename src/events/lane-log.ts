import { MerkleAccumulator } from "../crypto/index.ts";
import { assert, bytesEqual, err, ok, type Result } from "../kernel/index.ts";
import { type Checkpoint, growTree } from "./checkpoint.ts";
import type { LaneReader } from "./ports.ts";
import { openRecords, tipOf } from "./record-chain.ts";
import { compareCursors, EMPTY_LANE, type Lane, type LaneCursor, type LaneFault, type LaneRecord, type LaneTip } from "./types.ts";

/** Records checked at start, counted back from the tip; the scrub checks all. */
const VERIFIED_TAIL = 256;

/** Records read at a time when a lane is walked. */
const PAGE_RECORDS = 256;

/** Thrown when a lane on disk is not what was written. Says which lane, which record and what is wrong with it. */
export class LaneDamaged extends Error {
  override readonly name = "LaneDamaged";
  /** Where and what. */
  readonly fault: LaneFault;

  constructor(fault: LaneFault) {
    super(`event lane ${fault.lane}: record ${fault.epoch}/${fault.sequence}: ${fault.detail}`);
    this.fault = fault;
  }
}

/** One lane as its readers see it, with the hash tree of its current incarnation. Knows nothing of how the lane is written. */
export class LaneLog {
  readonly lane: Lane;
  readonly #reader: LaneReader;
  #tip: LaneTip;
  #tree: MerkleAccumulator;
  #treeEpoch: number;

  /** @param checkpoint the lane's last one; its tree is carried on */
  constructor(lane: Lane, reader: LaneReader, checkpoint: Checkpoint | undefined) {
    this.lane = lane;
    this.#reader = reader;
    const last = reader.last();
    this.#tip = last ? tipOf(last) : EMPTY_LANE;
    const isCarriedOn = checkpoint?.epoch === this.#tip.epoch && checkpoint.size <= this.#tip.sequence;
    this.#tree = isCarriedOn ? new MerkleAccumulator(checkpoint.size, checkpoint.peaks) : new MerkleAccumulator();
    this.#treeEpoch = this.#tip.epoch;
  }

  /**
   * Checks what a start checks: the last records, and that the lane does not end before what a checkpoint covers.
   *
   * @returns undefined when all is well
   */
  findTailFault(checkpoint: Checkpoint | undefined): LaneFault | undefined {
    const { epoch, sequence } = this.#tip;
    if (checkpoint && compareCursors(this.#tip, { epoch: checkpoint.epoch, sequence: checkpoint.size }) < 0) {
      const detail = `is missing: a checkpoint covers it, the lane ends at ${epoch}/${sequence}`;
      return { lane: this.lane, epoch: checkpoint.epoch, sequence: checkpoint.size, kind: "missing", detail };
    }
    const verdict = this.verify({ epoch, sequence: Math.max(0, sequence - VERIFIED_TAIL) });
    return verdict.ok ? undefined : verdict.error;
  }

  /** The last record. */
  get tip(): LaneTip {
    return this.#tip;
  }

  /** How many records of the current incarnation the tree covers. */
  get treeSize(): number {
    return this.#tree.size;
  }

  /** Whether the tree covers every record. */
  get isTreeComplete(): boolean {
    return this.#treeEpoch === this.#tip.epoch && this.#tree.size === this.#tip.sequence;
  }

  /** The tree of the current incarnation. */
  get tree(): MerkleAccumulator {
    return this.#tree;
  }

  /** Takes in records that were just written after the tip. */
  accept(records: readonly LaneRecord[]): void {
    for (const record of records) {
      assert(bytesEqual(record.previousHash, this.#tip.hash), "a record follows the lane's tip");
      const isTreeReady = this.isTreeComplete;
      this.#tip = { epoch: record.epoch, sequence: record.sequence, hash: record.hash };
      if (record.epoch !== this.#treeEpoch) this.#restartTree(record.epoch);
      if (isTreeReady && record.sequence === this.#tree.size + 1) growTree(this.#tree, record.hash);
    }
  }

  /** Up to `limit` records after a place, each checked. The first damaged one ends the answer with a fault. */
  read(after: LaneCursor, limit: number): Result<readonly LaneRecord[], LaneFault> {
    const page = this.#reader.read(after, limit);
    return openRecords(this.lane, page.previous, page.records);
  }

  /**
   * Checks every record after `from` up to `to` (default: the tip): contiguous, linked, hashed.
   *
   * @returns how many were checked, or the first fault
   */
  verify(from: LaneCursor = { epoch: 0, sequence: 0 }, to: LaneCursor = this.#tip): Result<number, LaneFault> {
    let checked = 0;
    let at: LaneCursor = from;
    while (compareCursors(at, to) < 0) {
      const page = this.#reader.read(at, PAGE_RECORDS);
      const within = page.records.filter((record) => compareCursors(record, to) <= 0);
      const opened = openRecords(this.lane, page.previous, within);
      if (!opened.ok) return opened;
      checked += within.length;
      const last = within.at(-1);
      if (!last) return err({ lane: this.lane, epoch: at.epoch, sequence: at.sequence + 1, kind: "missing", detail: "is missing" });
      at = last;
    }
    return ok(checked);
  }

  /**
   * Adds up to `limit` records that the tree lacks, as after a start.
   *
   * @throws LaneDamaged when one of them is damaged
   */
  catchUpTree(limit: number): void {
    if (this.isTreeComplete) return;
    const page = this.#reader.read({ epoch: this.#treeEpoch, sequence: this.#tree.size }, limit);
    const opened = openRecords(this.lane, page.previous, page.records);
    if (!opened.ok) throw new LaneDamaged(opened.error);
    for (const record of opened.value) {
      if (record.epoch !== this.#treeEpoch) break;
      assert(record.sequence === this.#tree.size + 1, "no record is let go before the tree covers it");
      growTree(this.#tree, record.hash);
    }
  }

  #restartTree(epoch: number): void {
    this.#tree = new MerkleAccumulator();
    this.#treeEpoch = epoch;
  }
}
