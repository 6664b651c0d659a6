import { toHex } from "../kernel/index.ts";
import { type BatchRoom, shareOf } from "./author-usage.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { EpochMembers } from "./types.ts";

/** What the sets of one height say of authors. */
type Known = { readonly height: number; readonly count: number; readonly epochOf: ReadonlyMap<string, number>; readonly share: BatchRoom };

const NO_ROOM: BatchRoom = { count: 0, sizeBytes: 0 };

/** Who may author batches, looked up once a block: whoever asks does so for every transaction. */
export class Members {
  readonly #epochs: () => readonly EpochMembers[];
  readonly #bounds: MempoolBounds;
  readonly #height: () => number;
  #known: Known | undefined;

  /**
   * @param epochs the sets whose members may author batches, the running epoch's first
   * @param height of the last block that is reflected here; sets change with blocks only
   */
  constructor(epochs: () => readonly EpochMembers[], bounds: MempoolBounds, height: () => number) {
    this.#epochs = epochs;
    this.#bounds = bounds;
    this.#height = height;
  }

  /** Members of the running epoch; 1 when none is known. */
  get count(): number {
    return this.#now().count;
  }

  /** The latest known epoch with this member, by key in hexadecimal. */
  epochOf(author: string): number | undefined {
    return this.#now().epochOf.get(author);
  }

  /** A member's share of the room for others' batches; none for who is in no set. */
  roomOf(author: string): BatchRoom {
    const { epochOf, share } = this.#now();
    return epochOf.has(author) ? share : NO_ROOM;
  }

  #now(): Known {
    const height = this.#height();
    if (this.#known?.height === height) return this.#known;
    const epochs = this.#epochs();
    const epochOf = new Map<string, number>();
    for (const { epoch, validatorSet } of epochs.toReversed())
      for (const { publicKey } of validatorSet.validators) epochOf.set(toHex(publicKey), epoch);
    const count = epochs[0]?.validatorSet.validators.length ?? 1;
    this.#known = { height, count, epochOf, share: shareOf(this.#bounds, count) };
    return this.#known;
  }
}
