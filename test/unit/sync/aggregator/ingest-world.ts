import { localSigner, nativeSuite, sha256 } from "../../../../src/crypto/index.ts";
import { type Clock, Prng, silentLog, toHex, utf8 } from "../../../../src/kernel/index.ts";
import { openMemoryDatabase, type SpaceLevel } from "../../../../src/storage/index.ts";
import type { Reply } from "../../../../sync/agent/index.ts";
import {
  type AdmissionPolicy,
  AGGREGATOR_APPLICATION_ID,
  AGGREGATOR_MIGRATIONS,
  type AggregatorStore,
  type BusEvent,
  Ingest,
  SqliteStore,
} from "../../../../sync/aggregator/index.ts";
import { StoreRoom } from "../../../../sync/aggregator/ingest/room.ts";
import type { RequestKind } from "../../../../sync/protocol/index.ts";
import { type Answerer, network } from "../agent/agent-world.ts";

/** The witness of the aggregator under test. */
export const witness = localSigner(sha256(utf8("an aggregator's witness")));

/** How tests name the node. */
export const REF = { network: toHex(network), node: "box-1" };

/** Opens a store in memory. */
export function memoryStore(): SqliteStore {
  return new SqliteStore(openMemoryDatabase({ applicationId: AGGREGATOR_APPLICATION_ID, migrations: AGGREGATOR_MIGRATIONS }));
}

/** The real ingest over a store that survives its crashes. */
export class RealAggregator implements Answerer {
  readonly store: AggregatorStore;
  readonly stored: BusEvent[] = [];
  readonly #clock: Clock;
  readonly #policy: AdmissionPolicy;
  readonly #prng = new Prng(5);
  /** Bytes that a node's records may take; takes effect with the next crash. */
  quotaBytes: number | undefined;
  /** How much room the disk has. */
  level: SpaceLevel = "ample";
  ingest: Ingest;

  constructor(clock: Clock, store: AggregatorStore = memoryStore(), policy: Partial<AdmissionPolicy> = {}) {
    this.store = store;
    this.#clock = clock;
    this.#policy = { isOpen: true, knowsNetwork: () => true, speaksFor: () => true, ...policy };
    this.ingest = this.#open();
  }

  /** The process dies and another begins on the same store. */
  crash(): void {
    this.ingest = this.#open();
  }

  answer(kind: RequestKind, message: Uint8Array): Promise<Reply> {
    return this.ingest.answer(kind, message, undefined);
  }

  #open(): Ingest {
    return new Ingest({
      store: this.store,
      policy: this.#policy,
      witness,
      verify: nativeSuite.verify,
      clock: this.#clock,
      entropy: { bytes: (count) => sha256(utf8(`${this.#prng.uint32()}`)).subarray(0, count) },
      log: silentLog,
      room: new StoreRoom(() => this.level, this.#clock),
      ...(this.quotaBytes !== undefined && { quotaBytes: this.quotaBytes }),
      onStored: (ref, events) => this.stored.push(...events.map((event) => ({ ...event, ...ref }))),
    });
  }
}
