import { assert, concatBytes } from "../../../src/kernel/index.ts";
import type { OutgoingAccount } from "./outgoing-budget.ts";

/** What a connection's outgoing bytes go into: takes as many as it can now, and says how many. */
export type Sink = (bytes: Uint8Array) => number;

/** Bytes held for one connection above which its sender is asked to wait. */
const HIGH_BYTES = 128 * 1024;
/** Bytes gathered above which they are handed over at once. */
const GATHER_BYTES = 64 * 1024;

/**
 * Outgoing bytes of one connection. What is written in one turn of the event loop leaves as one piece, since each write
 * costs a system call; what the other side does not take yet is held. The bound is kept by the writer, who stops when
 * `write` says false, and that of all connections together by the account, which may end this one.
 */
export class Outlet {
  readonly #sink: Sink;
  readonly #onRelief: () => void;
  readonly #account: OutgoingAccount;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isWriterWaiting = false;
  #isClosed = false;

  /**
   * @param onRelief called when everything was taken after `write` said false
   * @param account counts what is held
   */
  constructor(sink: Sink, onRelief: () => void, account: OutgoingAccount) {
    this.#sink = sink;
    this.#onRelief = onRelief;
    this.#account = account;
  }

  /** Bytes not taken yet. */
  get waitingBytes(): number {
    return this.#gatheredBytes + this.#heldBytes;
  }

  /** Takes the bytes; false: wait for relief before more. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true; // nothing is held for a connection that is gone
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gathered.length === 1) queueMicrotask(() => this.flush());
    if (this.#gatheredBytes >= GATHER_BYTES) this.flush();
    if (this.waitingBytes >= HIGH_BYTES) this.#isWriterWaiting = true;
    return !this.#isWriterWaiting;
  }

  /** Hands over what was gathered, and what the sink takes of it. */
  flush(): void {
    if (this.#gatheredBytes > 0 && !this.#isClosed) {
      const [first] = this.#gathered;
      const joined = this.#gathered.length === 1 && first ? first : concatBytes(...this.#gathered);
      this.#gathered = [];
      this.#gatheredBytes = 0;
      const taken = this.#held.length > 0 ? 0 : this.#sink(joined);
      if (taken < joined.length && !this.#isClosed) this.#hold(joined.subarray(taken));
    }
    this.#tellRelief();
  }

  /** The sink takes more. */
  onWritable(): void {
    while (this.#held.length > 0) {
      const next = this.#held[0] ?? new Uint8Array(0);
      const taken = this.#sink(next);
      if (this.#isClosed) return; // the account ended it
      this.#heldBytes -= taken;
      if (taken > 0) this.#account.take(taken);
      if (taken < next.length) {
        this.#held[0] = next.subarray(taken);
        return;
      }
      this.#held.shift();
    }
    assert(this.#heldBytes === 0, "nothing is held when every piece was taken");
    this.#tellRelief();
  }

  /** The connection is gone: what is held is dropped. */
  close(): void {
    this.#isClosed = true;
    this.#gathered = [];
    this.#held = [];
    this.#gatheredBytes = 0;
    this.#heldBytes = 0;
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.#account.hold(bytes.length);
  }

  #tellRelief(): void {
    if (!this.#isWriterWaiting || this.#isClosed || this.waitingBytes > 0) return;
    this.#isWriterWaiting = false;
    this.#onRelief();
  }
}
