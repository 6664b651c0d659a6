import { CborReader, CborWriter } from "../kernel/index.ts";
import { Outgoing } from "./outgoing.ts";
import type { DeviceStorage } from "./storage.ts";

/** What a client knows from verified receipts: the nonce after its last final transaction, and the highest final height. */
export type Proven = { readonly nextNonce: bigint; readonly height: bigint };

const PROVEN_KEY = "proven";
const RECORD_VERSION = 1;

/** A client's records: one for each transaction on its way and one for what was proven. */
export class Journal {
  readonly #storage: DeviceStorage;
  readonly #genesisHash: Uint8Array;

  constructor(storage: DeviceStorage, genesisHash: Uint8Array) {
    this.#storage = storage;
    this.#genesisHash = genesisHash;
  }

  /** What was kept, in the order of the queue. Records that are damaged or of another chain are counted and left alone. */
  async load(): Promise<{ readonly outgoing: readonly Outgoing[]; readonly proven: Proven | undefined; readonly strange: number }> {
    const outgoing: Outgoing[] = [];
    let proven: Proven | undefined;
    let strange = 0;
    for (const [key, record] of await this.#storage.load()) {
      const kept = key === PROVEN_KEY ? undefined : Outgoing.decode(record, this.#genesisHash);
      if (key === PROVEN_KEY) proven = decodeProven(record);
      else if (kept && keyOf(kept) === key) outgoing.push(kept);
      else strange++;
    }
    return { outgoing: outgoing.sort((a, b) => a.sequence - b.sequence), proven, strange };
  }

  /** Keeps a transaction as it is now. */
  keep(outgoing: Outgoing): Promise<void> {
    return this.#storage.put(keyOf(outgoing), outgoing.encode());
  }

  /** Forgets a transaction that has ended. */
  forget(outgoing: Outgoing): Promise<void> {
    return this.#storage.remove(keyOf(outgoing));
  }

  /** Keeps what was proven. */
  keepProven({ nextNonce, height }: Proven): Promise<void> {
    return this.#storage.put(PROVEN_KEY, new CborWriter(32).array(3).uint(RECORD_VERSION).uint(nextNonce).uint(height).finish());
  }
}

function keyOf({ sequence }: Outgoing): string {
  return `out.${String(sequence).padStart(16, "0")}`;
}

function decodeProven(record: Uint8Array): Proven | undefined {
  const r = new CborReader(record);
  if (r.array(3) !== 3) r.reject();
  r.key(RECORD_VERSION);
  const proven = { nextNonce: r.uint64(), height: r.uint64() };
  return r.isComplete ? proven : undefined;
}
