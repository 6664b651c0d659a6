import type { SyncAck } from "../../protocol/index.ts";

/** A peer on the local network, by the name that the network knows it by. */
export type Neighbour = string;

/** The way to the peers that may keep this node's vital lane. */
export interface Neighbourhood {
  /** Peers that are connected and may be asked. */
  list(): readonly Neighbour[];
  /** Asks one of them. Resolves with its answer, or undefined when it gave none; never rejects. */
  ask(peer: Neighbour, request: Uint8Array): Promise<Uint8Array | undefined>;
}

/** A parcel as it is kept: where it stands, and the bytes as they were signed. */
export type KeptParcel = {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly tipHash: Uint8Array;
  readonly keptAtMs: number;
  readonly parcel: Uint8Array;
};

/** A node for whom something is kept. */
export type EscrowOrigin = {
  readonly identityKey: Uint8Array;
  /** Its name. */
  readonly node: string;
  /** Who brought it first. */
  readonly peer: Neighbour;
  /** The last record that was ever taken. */
  readonly tip: { readonly epoch: number; readonly sequence: number; readonly hash: Uint8Array };
  /** Up to where an aggregator is proven to hold it; epoch 0 before the first proof. */
  readonly released: { readonly epoch: number; readonly sequence: number };
  /** Bytes of its parcels. */
  readonly bytes: number;
};

/** Where parcels of other nodes are kept. */
export interface EscrowStore {
  origins(): readonly EscrowOrigin[];
  find(identityKey: Uint8Array): EscrowOrigin | undefined;
  /** The parcel of an origin that holds a record. */
  parcelWith(identityKey: Uint8Array, epoch: number, sequence: number): KeptParcel | undefined;
  /** Up to `limit` parcels of an origin that end after a place, oldest first. */
  parcelsAfter(identityKey: Uint8Array, after: { readonly epoch: number; readonly sequence: number }, limit: number): readonly KeptParcel[];
  /** Adds a parcel, and lets the oldest go that are released, to make room; all in one step. */
  put(origin: Omit<EscrowOrigin, "released" | "bytes">, parcel: KeptParcel, dropped: readonly DroppedParcel[]): void;
  /** Moves the place up to which an origin's records are held elsewhere. */
  release(identityKey: Uint8Array, place: { readonly epoch: number; readonly sequence: number }): void;
  /** Released parcels, the one that was kept first before others, of one origin or of all. */
  released(identityKey: Uint8Array | undefined, limit: number): readonly DroppedParcel[];
  /** Forgets origins of whom nothing is kept and everything is released. */
  forgetEmpty(): void;
}

/** A parcel that may go, and the bytes that it takes. */
export type DroppedParcel = { readonly identityKey: Uint8Array; readonly epoch: number; readonly from: number; readonly bytes: number };

/** How an aggregator answered an offer: its word on the records, or the code of its refusal. */
export type OfferOutcome = { readonly ack: SyncAck; readonly witnessKey: Uint8Array } | { readonly refused: string };

/** The way to an aggregator for what is kept for others. */
export interface EscrowOutlet {
  /** Since when it is connected, monotonic ms; undefined while it is not. */
  readonly upSinceMs: number | undefined;
  /** Hands over a parcel; undefined when no answer came. */
  offer(parcel: Uint8Array): Promise<OfferOutcome | undefined>;
}
