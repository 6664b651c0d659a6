import { assert, bytesEqual, type Clock, type Log, toHex } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import {
  decodeEscrowRequest,
  decodeParcel,
  type EscrowParcel,
  type EscrowProof,
  type EscrowStanding,
  encodeStanding,
  isWitnessed,
  type VerifySignature,
} from "../../protocol/index.ts";
import { ESCROW_BOUNDS, type EscrowBounds, isReleasing, placeParcel, recordsOfParcel } from "./judge.ts";
import type { DroppedParcel, EscrowOrigin, EscrowStore, Neighbour } from "./ports.ts";

/** What a keeper stands on. */
export type EscrowKeeperParts = {
  readonly store: EscrowStore;
  /** Makes what was put survive a power cut, without holding up the thread. */
  readonly flush: () => Promise<void>;
  /** Hash of the genesis document: nothing of another network is kept. */
  readonly network: Uint8Array;
  readonly verify: VerifySignature;
  /** Whether a key is the witness of an aggregator of this node. */
  readonly isWitness: (key: Uint8Array) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: ESCROW_BOUNDS. */
  readonly bounds?: EscrowBounds;
};

const NOTHING = { epoch: 0, sequence: 0, hash: new Uint8Array(32) } as const;
/** Released parcels that make room for one new one, at most. */
const DROPPED_MAX = 256;
/** Parcels that are looked at for one release; those beyond are released by the next. */
const RUN_MAX = 256;

/**
 * Keeps the vital lane of other nodes until an aggregator has it.
 *
 * Invariants: what is kept was signed by its origin's identity for this network and hashes to what it says; `held` is said only
 * of what is durable here or was let go after a witness proved that it is held elsewhere; nothing else is ever let go.
 */
export class EscrowKeeper implements MetricSource {
  readonly #parts: EscrowKeeperParts;
  readonly #bounds: EscrowBounds;
  #bytes: number;
  #refused = 0;

  constructor(parts: EscrowKeeperParts) {
    this.#parts = parts;
    this.#bounds = parts.bounds ?? ESCROW_BOUNDS;
    this.#bytes = parts.store.origins().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Answers a request of a peer; undefined when it is none. */
  async answer(peer: Neighbour, message: Uint8Array): Promise<Uint8Array | undefined> {
    const request = decodeEscrowRequest(message);
    if (!request.ok) return undefined;
    const standing = request.value.kind === "deposit" ? await this.#take(peer, request.value.parcel) : this.#release(request.value);
    if (standing.verdict !== "held") this.#refused++;
    return encodeStanding(standing);
  }

  collect(): readonly MetricFamily[] {
    const gauge = (name: string, help: string, value: number): MetricFamily => ({ name, help, kind: "gauge", samples: [{ value }] });
    return [
      gauge("bizra_escrow_kept_bytes", "Bytes of other nodes' vital events that are kept here.", this.#bytes),
      gauge("bizra_escrow_kept_nodes", "Nodes whose vital events are kept here.", this.#parts.store.origins().length),
      {
        name: "bizra_escrow_refused_total",
        help: "Requests of other nodes to keep or release events that were refused.",
        kind: "counter",
        samples: [{ value: this.#refused }],
      },
    ];
  }

  async #take(peer: Neighbour, bytes: Uint8Array): Promise<EscrowStanding> {
    const { store, network, verify, log } = this.#parts;
    const decoded = decodeParcel(bytes, verify);
    if (!decoded.ok) return { verdict: "refused", ...NOTHING };
    const parcel = decoded.value;
    const origin = store.find(parcel.identityKey);
    const at = origin?.tip ?? NOTHING;
    if (!bytesEqual(parcel.network, network) || (origin && origin.node !== parcel.node)) return { verdict: "refused", ...at };
    const place = placeParcel(parcel, origin, (sequence) => this.#hashAt(parcel.identityKey, parcel.epoch, sequence));
    if (place === "fork") log.warn("escrow.fork", { node: parcel.node, peer, epoch: parcel.epoch, sequence: parcel.from });
    if (place === "gap" || place === "fork") return { verdict: place, ...at };
    if (place === "next") {
      if (!recordsOfParcel(parcel)) return { verdict: "refused", ...at };
      if (!this.#store(peer, parcel, bytes, origin)) return { verdict: "full", ...at };
    }
    await this.#parts.flush(); // also where it is held already: its first taking may not be durable yet
    return { verdict: "held", ...(place === "next" ? { epoch: parcel.epoch, sequence: parcel.to, hash: parcel.tipHash } : at) };
  }

  /** Makes room and puts; false when there is none. */
  #store(peer: Neighbour, parcel: EscrowParcel, bytes: Uint8Array, origin: EscrowOrigin | undefined): boolean {
    const { store, clock, log } = this.#parts;
    const { identityKey, node, epoch, from, to, tipHash } = parcel;
    if (!origin && !this.#hasPlace(peer)) return false;
    const dropped = this.#makeRoom(identityKey, origin?.bytes ?? 0, bytes.length);
    if (!dropped) return false;
    const tip = { epoch, sequence: to, hash: tipHash };
    try {
      store.put({ identityKey, node, peer, tip }, { epoch, from, to, tipHash, keptAtMs: clock.nowMs(), parcel: bytes }, dropped);
    } catch (error) {
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
      log.warn("escrow.diskFull", { error: error.message });
      return false;
    }
    this.#bytes += bytes.length - dropped.reduce((sum, { bytes: freed }) => sum + freed, 0);
    assert(this.#bytes >= 0 && this.#bytes <= this.#bounds.bytesMax, "what is kept stays within its bound");
    return true;
  }

  /** Whether one more node may come by this peer. */
  #hasPlace(peer: Neighbour): boolean {
    const { store } = this.#parts;
    const isFull = (origins: readonly EscrowOrigin[]): boolean =>
      origins.length >= this.#bounds.originsMax || origins.filter((other) => other.peer === peer).length >= this.#bounds.originsOfPeerMax;
    if (!isFull(store.origins())) return true;
    store.forgetEmpty();
    return !isFull(store.origins());
  }

  /** Released parcels whose going makes room: of the origin itself, then of any. Undefined when that is not enough. */
  #makeRoom(identityKey: Uint8Array, originBytes: number, bytes: number): readonly DroppedParcel[] | undefined {
    const { store } = this.#parts;
    const dropped: DroppedParcel[] = [];
    let [excess, excessOfOrigin] = [this.#bytes + bytes - this.#bounds.bytesMax, originBytes + bytes - this.#bounds.originBytesMax];
    if (excessOfOrigin > 0)
      for (const parcel of store.released(identityKey, DROPPED_MAX)) {
        if (excessOfOrigin <= 0) break;
        dropped.push(parcel);
        excessOfOrigin -= parcel.bytes;
        excess -= parcel.bytes;
      }
    if (excessOfOrigin > 0) return undefined;
    if (excess > 0)
      for (const parcel of store.released(undefined, DROPPED_MAX)) {
        if (excess <= 0) break;
        if (bytesEqual(parcel.identityKey, identityKey)) continue; // went above, or need not
        dropped.push(parcel);
        excess -= parcel.bytes;
      }
    return excess > 0 ? undefined : dropped;
  }

  #release({ identityKey, proof }: { identityKey: Uint8Array; proof: EscrowProof }): EscrowStanding {
    const { store, network, verify, isWitness, log } = this.#parts;
    const origin = store.find(identityKey);
    if (!origin) return { verdict: "held", ...NOTHING };
    const ack = { ...proof, creditBytes: 0, intervalMs: 0 };
    const parties = { witnessKey: proof.witnessKey, network, identityKey };
    if (!isWitness(proof.witnessKey) || !isWitnessed(ack, parties, verify)) return { verdict: "refused", ...origin.tip };
    const kept = store.parcelsAfter(identityKey, origin.released, RUN_MAX);
    if (isReleasing(proof, origin, kept, (sequence) => this.#hashAt(identityKey, proof.epoch, sequence))) {
      store.release(identityKey, proof);
      log.debug("escrow.released", { node: origin.node, identity: toHex(identityKey), epoch: proof.epoch, sequence: proof.sequence });
    }
    return { verdict: "held", ...origin.tip };
  }

  #hashAt(identityKey: Uint8Array, epoch: number, sequence: number): Uint8Array | undefined {
    const { store, verify } = this.#parts;
    const kept = store.parcelWith(identityKey, epoch, sequence);
    if (!kept || kept.to === sequence) return kept?.tipHash;
    const parcel = decodeParcel(kept.parcel, verify);
    const records = parcel.ok ? recordsOfParcel(parcel.value) : undefined;
    return records?.find((record) => record.sequence === sequence)?.hash;
  }
}
