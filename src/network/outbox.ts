import { assert } from "../kernel/index.ts";

/** What becomes of a message for which there is no room: the oldest of its label goes, or it is refused. */
export type OverflowPolicy = "dropOldest" | "refuse";

/** Bounds of what waits to be sent to one peer on one lane. */
export type OutboxBounds = { readonly bytesMax: number; readonly messagesMax: number; readonly policy: OverflowPolicy };

/** A message that waits; `label` is its kind for the policy and the counters. */
export type Outgoing = { readonly label: string; readonly bytes: Uint8Array };

/** What became of an offer: whether it waits now, and what had to go for it. */
export type Offered = { readonly isQueued: boolean; readonly dropped: readonly Outgoing[] };

/**
 * First in, first out, bounded in bytes and messages. With `dropOldest` the newest always gets in, at the cost of the
 * oldest with its label, then of the oldest of all: a consensus message is worth less the older it is, and the rules
 * fetch what is missing. With `refuse` the caller waits, as for batches and blocks. One message always fits an empty
 * outbox, whatever its size.
 */
export class Outbox {
  readonly #bounds: OutboxBounds;
  #waiting: Outgoing[] = [];
  #bytes = 0;

  constructor(bounds: OutboxBounds) {
    assert(bounds.bytesMax > 0 && bounds.messagesMax > 0, "an outbox holds something");
    this.#bounds = bounds;
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages waiting. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Whether at most half of it is in use, which is when who was refused may come again. */
  get isRoomy(): boolean {
    return 2 * this.#bytes <= this.#bounds.bytesMax && 2 * this.#waiting.length <= this.#bounds.messagesMax;
  }

  /** Adds a message at the end, or refuses it, as the policy says. */
  offer(message: Outgoing): Offered {
    const dropped: Outgoing[] = [];
    while (!this.#hasRoomFor(message)) {
      if (this.#bounds.policy === "refuse") return { isQueued: false, dropped };
      dropped.push(this.#dropFor(message));
    }
    this.#waiting.push(message);
    this.#bytes += message.bytes.length;
    return { isQueued: true, dropped };
  }

  /** Removes the oldest. */
  poll(): Outgoing | undefined {
    const message = this.#waiting.shift();
    if (message) this.#bytes -= message.bytes.length;
    assert(this.#bytes >= 0, "no message leaves an outbox twice");
    return message;
  }

  #hasRoomFor({ bytes }: Outgoing): boolean {
    const { bytesMax, messagesMax } = this.#bounds;
    return this.#waiting.length === 0 || (this.#waiting.length < messagesMax && this.#bytes + bytes.length <= bytesMax);
  }

  #dropFor({ label }: Outgoing): Outgoing {
    const same = this.#waiting.findIndex((waiting) => waiting.label === label);
    const [dropped] = this.#waiting.splice(Math.max(0, same), 1);
    assert(dropped !== undefined, "an outbox without room holds something");
    this.#bytes -= dropped.bytes.length;
    return dropped;
  }
}
