import { assert } from "../kernel/index.ts";

/**
 * Which records of the batch log are still needed after a restart. A record is pinned once for each transaction (or other
 * fact) that only it holds; the lowest pinned record is where replay has to start.
 *
 * Bounded by what is pinned: a record without pins is forgotten.
 */
export class RecordPins {
  /** Pins by record, in ascending order of record, which is the order of insertion. */
  readonly #pins = new Map<number, { count: number; readonly endsAtBytes: number }>();
  #lastRecord = -1;
  #writtenBytes = 0;

  /** Notes a record just appended (or replayed) with the pins it starts with; 0 pins is a record nobody needs. */
  add(record: number, sizeBytes: number, pins: number): void {
    assert(record > this.#lastRecord, "records are appended in ascending order");
    assert(pins >= 0, "a record starts with no negative pins");
    this.#lastRecord = record;
    this.#writtenBytes += sizeBytes;
    if (pins > 0) this.#pins.set(record, { count: pins, endsAtBytes: this.#writtenBytes });
  }

  /** Takes one pin off a record. */
  release(record: number): void {
    const pinned = this.#pins.get(record);
    assert(pinned !== undefined, "only a pinned record is released");
    pinned.count--;
    if (pinned.count === 0) this.#pins.delete(record);
  }

  /** The lowest record still needed, or undefined when none is. */
  lowest(): number | undefined {
    return this.#pins.keys().next().value;
  }

  /** The lowest pinned records, so many at most, ascending. */
  lowestRecords(countMax: number): number[] {
    const lowest: number[] = [];
    for (const record of this.#pins.keys()) {
      if (lowest.length >= countMax) break;
      lowest.push(record);
    }
    return lowest;
  }

  /** Bytes of log from the end of the lowest pinned record to the end of the newest record. */
  replaySizeBytes(): number {
    const oldest = this.#pins.values().next().value;
    return oldest === undefined ? 0 : this.#writtenBytes - oldest.endsAtBytes;
  }

  /** Pinned records, for tests and metrics. */
  get recordCount(): number {
    return this.#pins.size;
  }
}
