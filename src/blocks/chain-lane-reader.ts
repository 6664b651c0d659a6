import type { BlockStore } from "./store.ts";
import type { LanePlace, LaneRecords } from "./types.ts";

/** A record of the chain lane as its row holds it. */
export type LaneEntry = LanePlace & { readonly body: Uint8Array };

/** A page of the chain lane: records in order, and the place that the first of them follows. */
export type LanePage = { readonly previous: LanePlace; readonly records: readonly LaneEntry[] };

const NOWHERE: LanePlace = { epoch: 1, sequence: 0, hash: new Uint8Array(32) };

/**
 * The chain lane of the event log as it lies in the rows of blocks. Knows where records stand, not what they say: the
 * event log checks their hashes.
 */
export class ChainLaneReader {
  readonly #store: BlockStore;

  constructor(store: BlockStore) {
    this.#store = store;
  }

  /** The last record, or undefined before genesis was put. */
  last(): LaneEntry | undefined {
    const tip = this.#store.tipHeight;
    return tip === undefined ? undefined : entriesOf(this.#laneAt(tip)).at(-1);
  }

  /** Up to `limit` records after a place, oldest first, across incarnations of the log. */
  read(after: { readonly epoch: number; readonly sequence: number }, limit: number): LanePage {
    const tip = this.#store.tipHeight;
    if (tip === undefined) return { previous: NOWHERE, records: [] };
    let height = this.#firstHeightReaching(after, tip);
    let previous = height === 0 ? NOWHERE : this.#placeBefore(height);
    const records: LaneEntry[] = [];
    for (; height <= tip && records.length < limit; height = this.#above(height)) {
      const isAfterGap = height > 0 && height === this.#store.baseHeight && this.#store.laneBefore !== undefined;
      if (isAfterGap && records.length > 0) break; // a page goes up to a gap, and the next begins after it
      if (isAfterGap) previous = this.#placeBefore(height);
      for (const entry of entriesOf(this.#laneAt(height))) {
        if (!isAfter(entry, after)) previous = entry;
        else if (records.length < limit) records.push(entry);
      }
    }
    return { previous: { epoch: previous.epoch, sequence: previous.sequence, hash: previous.hash }, records };
  }

  /** The lowest height whose last record is after a place; one above the tip when there is none. */
  #firstHeightReaching(after: { readonly epoch: number; readonly sequence: number }, tip: number): number {
    const guess = this.#guess(after, tip);
    if (guess !== undefined) return guess;
    const first = entriesOf(this.#laneAt(0)).at(-1);
    if (first && isAfter(first, after)) return 0;
    let low = this.#above(0);
    let high = tip + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const last = entriesOf(this.#laneAt(middle)).at(-1);
      if (last && isAfter(last, after)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** A block has one record as a rule, so the distance to the tip in records is the distance in blocks. */
  #guess(after: { readonly epoch: number; readonly sequence: number }, tip: number): number | undefined {
    const last = this.last();
    if (!last || !isAfter(last, after)) return tip + 1;
    const height = tip - (last.sequence - after.sequence) + 1;
    if (last.epoch !== after.epoch || height < this.#above(0) || height > tip) return undefined;
    const before = this.#placeBefore(height);
    return !isAfter(before, after) && before.sequence === after.sequence ? height : undefined;
  }

  /** The place that the first record of a row follows: noted where the rows below went, else the last of the row before. */
  #placeBefore(height: number): LanePlace {
    const { baseHeight, laneBefore } = this.#store;
    if (height === baseHeight && laneBefore) return laneBefore;
    return entriesOf(this.#laneAt(height === baseHeight ? 0 : height - 1)).at(-1) ?? NOWHERE;
  }

  /** The height with a row after this one: between genesis and the lowest row there is none. */
  #above(height: number): number {
    return height === 0 ? Math.max(1, this.#store.baseHeight) : height + 1;
  }

  #laneAt(height: number): LaneRecords {
    return height === 0 ? this.#store.genesis().lane : this.#store.read(height).lane;
  }
}

function entriesOf(lane: LaneRecords): LaneEntry[] {
  return lane.records.map(({ body, hash }, at) => ({ epoch: lane.epoch, sequence: lane.firstSequence + at, body, hash }));
}

function isAfter(
  a: { readonly epoch: number; readonly sequence: number },
  b: { readonly epoch: number; readonly sequence: number },
): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}
