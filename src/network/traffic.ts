/** Messages and bytes of one kind. */
export type Tally = { messages: number; bytes: number };

/** What went over the network by kind of message since the start: a kind is `lane/label`. */
export class Traffic {
  readonly sent = new Map<string, Tally>();
  readonly received = new Map<string, Tally>();
  readonly dropped = new Map<string, Tally>();

  /** Counts a message. */
  count(direction: "sent" | "received" | "dropped", kind: string, bytes: number): void {
    const tally = this[direction].get(kind);
    if (tally) {
      tally.messages++;
      tally.bytes += bytes;
    } else this[direction].set(kind, { messages: 1, bytes });
  }
}
