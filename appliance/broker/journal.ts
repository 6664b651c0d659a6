import { assert, type CancelTimer, type Log, type Timers } from "../../src/kernel/index.ts";
import { isStorageError } from "../../src/storage/index.ts";
import type { Message } from "./message.ts";
import type { BrokerStore } from "./store.ts";

type Change = (store: BrokerStore) => void;
type Pending = { readonly apply: Change; readonly isInsert: boolean };

/** How the journal is set up. */
export interface JournalOptions {
  readonly store: BrokerStore;
  readonly timers: Timers;
  readonly log: Log;
  /** Longest wait for others to share a commit. */
  readonly lingerMs: number;
  /** The disk refused for good. */
  readonly onFailure: (error: unknown) => void;
}

/** Until a full disk is tried again. */
const RETRY_MS = 1_000;

/**
 * What must survive and is not yet on disk: the last state of each row that changed, written together. A row that came and
 * went in between never touches the disk. Who promises something to a client does it in `afterCommit`.
 *
 * Invariant: actions run in the order in which they were given, each after everything that was changed before it is durable.
 */
export class Journal {
  readonly #options: JournalOptions;
  #pending = new Map<string, Pending>();
  #actions: (() => void)[] = [];
  /** How many stored rows refer to a message. */
  readonly #references = new Map<number, number>();
  #cancelFlush: CancelTimer | undefined;
  /** Failed or closed: nothing is written any more, and nothing promised. */
  #isOver = false;
  /** Commits made, and rows written by them. */
  commitCount = 0;
  rowCount = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Whether something is waiting to be written. */
  get isDirty(): boolean {
    return this.#pending.size > 0;
  }

  /** Writes a row at the next commit; `isInsert` says that no row of that key is on disk. */
  put(key: string, apply: Change, isInsert: boolean): void {
    if (this.#isOver) return;
    this.#pending.set(key, { apply, isInsert: this.#pending.get(key)?.isInsert ?? isInsert });
    this.#schedule();
  }

  /** Removes a row at the next commit, or never writes it when it is not on disk yet. */
  remove(key: string, apply: Change): void {
    if (this.#isOver) return;
    if (this.#pending.get(key)?.isInsert === true) {
      this.#pending.delete(key);
      return;
    }
    this.#pending.set(key, { apply, isInsert: false });
    this.#schedule();
  }

  /** A stored row refers to the message from now on. */
  refer(message: Message): void {
    const count = this.#references.get(message.id) ?? 0;
    this.#references.set(message.id, count + 1);
    if (count === 0) this.put(messageKey(message.id), (store) => store.putMessage(message), true);
  }

  /** As `refer`, for a row that is on disk with its message. */
  referStored(message: Message): void {
    this.#references.set(message.id, (this.#references.get(message.id) ?? 0) + 1);
  }

  /** A stored row refers to the message no longer; with the last, the message goes. */
  release(message: Message): void {
    const count = this.#references.get(message.id) ?? 0;
    assert(count > 0, "a reference that ends was taken");
    if (count > 1) {
      this.#references.set(message.id, count - 1);
      return;
    }
    this.#references.delete(message.id);
    this.remove(messageKey(message.id), (store) => store.dropMessage(message.id));
  }

  /** Runs the action when everything changed so far is durable: at once when nothing waits, never when the journal is over. */
  afterCommit(action: () => void): void {
    if (!this.isDirty && this.#actions.length === 0 && !this.#isOver) action();
    else if (!this.#isOver) {
      this.#actions.push(action);
      this.#schedule();
    }
  }

  /** Writes what waits, now. A full disk keeps it waiting, and its actions; any other failure ends the journal. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#isOver) return;
    const changes = this.#pending;
    const actions = this.#actions;
    if (changes.size > 0) {
      try {
        this.#options.store.commit([...changes.values()].map(({ apply }) => apply));
      } catch (error) {
        this.#onRefused(error);
        return;
      }
      this.commitCount++;
      this.rowCount += changes.size;
    }
    this.#pending = new Map();
    this.#actions = [];
    for (const action of actions) action();
  }

  /** Writes what waits, once, and ends: what comes later is not written, and its actions never run. */
  close(): void {
    this.flush();
    this.#cancelFlush?.();
    this.#isOver = true;
  }

  /** Resolves when everything changed so far is durable. */
  committed(): Promise<void> {
    return new Promise((resolve) => this.afterCommit(resolve));
  }

  #schedule(): void {
    if (this.#cancelFlush !== undefined || this.#isOver) return;
    this.#cancelFlush = this.#options.timers.after(this.#options.lingerMs, () => this.flush());
  }

  #onRefused(error: unknown): void {
    if (isStorageError(error, "diskFull")) {
      this.#options.log.error("broker.disk.full", { waiting: this.#pending.size });
      this.#cancelFlush = this.#options.timers.after(RETRY_MS, () => this.flush());
      return;
    }
    if (!isStorageError(error)) throw error;
    this.#isOver = true;
    this.#options.onFailure(error);
  }
}

function messageKey(id: number): string {
  return `message ${id}`;
}
