import { CborReader, CborWriter } from "../kernel/index.ts";
import { Outgoing } from "./outgoing.ts";
import type { DeviceStorage } from "./storage.ts";

/** What a client knows from verified receipts: the nonce after its last final transaction, and the highest final height. */
export type Proven = { readonly nextNonce: bigint; readonly height: bigint };

/** The same with the sequence number after the last transaction that has ended. */
export type Place = { readonly proven: Proven; readonly nextSequence: number };

const PLACE_KEY = "place";
const RECORD_VERSION = 1;

/** A client's records: one for each transaction on its way and one for where it stands. The storage is asked for one thing at a time. */
export class Journal {
  readonly #storage: DeviceStorage;
  readonly #genesisHash: Uint8Array;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(storage: DeviceStorage, genesisHash: Uint8Array) {
    this.#storage = storage;
    this.#genesisHash = genesisHash;
  }

  /** What was kept, in the order of the queue. Records that are damaged or of another chain are counted and left alone. */
  async load(): Promise<{ readonly outgoing: readonly Outgoing[]; readonly place: Place | undefined; readonly strange: number }> {
    const outgoing: Outgoing[] = [];
    let place: Place | undefined;
    let strange = 0;
    for (const [key, record] of await this.#storage.load()) {
      const kept = key === PLACE_KEY ? undefined : Outgoing.decode(record, this.#genesisHash);
      if (key === PLACE_KEY) place = decodePlace(record);
      else if (kept && keyOf(kept) === key) outgoing.push(kept);
      else strange++;
    }
    return { outgoing: outgoing.sort((a, b) => a.sequence - b.sequence), place, strange };
  }

  /** Keeps a transaction as it is now. */
  keep(outgoing: Outgoing): Promise<void> {
    const record = outgoing.encode();
    return this.#inTurn(() => this.#storage.put(keyOf(outgoing), record));
  }

  /** Forgets a transaction that has ended. */
  forget(outgoing: Outgoing): Promise<void> {
    return this.#inTurn(() => this.#storage.remove(keyOf(outgoing)));
  }

  /** Keeps what was proven and how far the queue has come. */
  keepPlace({ proven, nextSequence }: Place): Promise<void> {
    const w = new CborWriter(48).array(4).uint(RECORD_VERSION).uint(proven.nextNonce).uint(proven.height);
    const record = w.uint(nextSequence).finish();
    return this.#inTurn(() => this.#storage.put(PLACE_KEY, record));
  }

  /** Takes nothing any more and resolves when what was asked is done. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#last;
  }

  /**
   * After what was asked before. A failure is told to whoever asked for that, not to who comes after. Rejects after the end,
   * so that whoever waits for it does nothing further either.
   */
  #inTurn(act: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error("the journal is closed"));
    const done = this.#last.then(act);
    this.#last = done.catch(() => {});
    return done;
  }
}

function keyOf({ sequence }: Outgoing): string {
  return `out.${String(sequence).padStart(16, "0")}`;
}

function decodePlace(record: Uint8Array): Place | undefined {
  const r = new CborReader(record);
  if (r.array(4) !== 4) r.reject();
  r.key(RECORD_VERSION);
  const place = { proven: { nextNonce: r.uint64(), height: r.uint64() }, nextSequence: r.uint() };
  return r.isComplete ? place : undefined;
}
