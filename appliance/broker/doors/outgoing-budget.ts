import { assert } from "../../../src/kernel/index.ts";

/** What one connection has in the budget. */
export interface OutgoingAccount {
  /** So many bytes more are held, because the client does not take them; this connection may be over when it returns. */
  hold(bytes: number): void;
  /** The client took so many of them: it is the last now to be ended. */
  take(bytes: number): void;
  /** Nothing is held any more. */
  close(): void;
}

type Entry = { bytes: number; isOpen: boolean; readonly onEnded: () => void };

/**
 * Bytes held for clients that do not take them, of all connections together: each connection's own mark lets a thousand
 * that read nothing hold a gigabyte. Beyond the bound whoever has taken nothing for the longest is ended, until the rest fits.
 *
 * Invariant: after each call the bytes held are within the bound.
 */
export class OutgoingBudget {
  readonly #bytesMax: number;
  /** Those that hold something, the one that has taken nothing for the longest first. */
  readonly #holders = new Set<Entry>();
  #usedBytes = 0;

  /** @param bytesMax of all connections */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held now. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Begins a connection. `onEnded` drops what is held for it; it is called in the midst of a write and must not write. */
  open(onEnded: () => void): OutgoingAccount {
    const entry: Entry = { bytes: 0, isOpen: true, onEnded };
    return {
      hold: (bytes) => {
        if (!entry.isOpen) return;
        this.#change(entry, bytes);
        this.#makeRoom();
      },
      take: (bytes) => {
        if (!entry.isOpen) return;
        this.#holders.delete(entry);
        this.#change(entry, -bytes);
      },
      close: () => this.#end(entry),
    };
  }

  #change(entry: Entry, bytes: number): void {
    entry.bytes += bytes;
    this.#usedBytes += bytes;
    assert(entry.bytes >= 0 && this.#usedBytes >= entry.bytes, "what a client takes was held for it");
    if (entry.bytes > 0) this.#holders.add(entry);
    else this.#holders.delete(entry);
  }

  #end(entry: Entry): void {
    this.#change(entry, -entry.bytes);
    entry.isOpen = false;
  }

  #makeRoom(): void {
    for (const entry of this.#holders) {
      if (this.#usedBytes <= this.#bytesMax) return;
      this.#end(entry);
      entry.onEnded();
    }
    assert(this.#usedBytes <= this.#bytesMax, "what is held fits when nobody is left to end");
  }
}
