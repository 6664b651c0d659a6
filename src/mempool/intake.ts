import type { MempoolBounds } from "./bounds.ts";
import type { Waiter } from "./submission.ts";
import type { Refusal } from "./types.ts";

/** A submitted transaction that was not looked at yet. */
export type IntakeItem = Waiter & { readonly encoded: Uint8Array; readonly source: string };

/** Items taken from one source before the next source has its turn. */
const TURN_COUNT = 32;

type Lane = { items: IntakeItem[]; head: number; sizeBytes: number };

/**
 * What was submitted and waits for judgement: one line per source, served in turns, so that a source that floods waits
 * behind itself. Bounded in all and per source; what does not fit is refused whole before anything is done with it.
 */
export class Intake {
  readonly #bounds: MempoolBounds;
  readonly #lanes = new Map<string, Lane>();
  #count = 0;
  #sizeBytes = 0;

  constructor(bounds: MempoolBounds) {
    this.#bounds = bounds;
  }

  /** Items waiting. */
  get count(): number {
    return this.#count;
  }

  /** Bytes waiting. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Why this many more from a source do not fit, or undefined when they do. */
  findRefusal(source: string, count: number, sizeBytes: number): Refusal | undefined {
    const bounds = this.#bounds;
    const lane = this.#lanes.get(source);
    const waiting = lane === undefined ? 0 : lane.items.length - lane.head;
    if (waiting + count > bounds.sourceIntakeCountMax || (lane?.sizeBytes ?? 0) + sizeBytes > bounds.sourceIntakeSizeBytesMax) {
      const detail = `at most ${bounds.sourceIntakeCountMax} transactions and ${bounds.sourceIntakeSizeBytesMax} bytes of one source wait at a time`;
      return { code: "quotaExceeded", detail, retryAfterMs: 1_000 };
    }
    if (this.#count + count > bounds.intakeCountMax || this.#sizeBytes + sizeBytes > bounds.intakeSizeBytesMax) {
      return { code: "mempoolFull", detail: "more is being submitted than can be verified", retryAfterMs: 1_000 };
    }
    return undefined;
  }

  /** Adds an item; the caller has asked `findRefusal`. */
  offer(item: IntakeItem): void {
    let lane = this.#lanes.get(item.source);
    if (lane === undefined) {
      lane = { items: [], head: 0, sizeBytes: 0 };
      this.#lanes.set(item.source, lane);
    }
    lane.items.push(item);
    lane.sizeBytes += item.encoded.length;
    this.#count++;
    this.#sizeBytes += item.encoded.length;
  }

  /** Takes up to this many, a turn from each source; those of one source in order. */
  take(countMax: number): IntakeItem[] {
    const taken: IntakeItem[] = [];
    while (taken.length < countMax) {
      const first = this.#lanes.entries().next().value;
      if (first === undefined) break;
      const [source, lane] = first;
      this.#lanes.delete(source);
      const end = Math.min(lane.head + TURN_COUNT, lane.head + countMax - taken.length, lane.items.length);
      for (const item of lane.items.slice(lane.head, end)) {
        taken.push(item);
        lane.sizeBytes -= item.encoded.length;
        this.#sizeBytes -= item.encoded.length;
        this.#count--;
      }
      lane.head = end;
      if (lane.head < lane.items.length) this.#lanes.set(source, compacted(lane)); // behind all others
    }
    return taken;
  }

  /** Takes everything, e.g. to refuse it when stopping. */
  takeAll(): IntakeItem[] {
    return this.take(this.#count);
  }
}

/** Lets go of what was taken once it is most of the lane. */
function compacted(lane: Lane): Lane {
  if (lane.head < 1_024 || 2 * lane.head < lane.items.length) return lane;
  return { items: lane.items.slice(lane.head), head: 0, sizeBytes: lane.sizeBytes };
}
