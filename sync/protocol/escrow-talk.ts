import { type CborReader, CborWriter, type Result } from "../../src/kernel/index.ts";
import { readChoice, readCursor, readMessage, writeCursor } from "./fields.ts";
import { SYNC_LIMITS } from "./limits.ts";
import type { SyncAck, SyncCursor } from "./types.ts";

/** An aggregator's witnessed word on how far it holds a node's vital lane, for others to see. */
export type EscrowProof = SyncCursor & Pick<SyncAck, "timeMs" | "witness"> & { readonly witnessKey: Uint8Array };

/** What a node asks of a peer that keeps its vital lane. */
export type EscrowRequest =
  /** Keep this parcel: an encoded one. */
  | { readonly kind: "deposit"; readonly parcel: Uint8Array }
  /** What comes up to this place is held elsewhere; it may go when room is wanted. */
  | { readonly kind: "release"; readonly identityKey: Uint8Array; readonly proof: EscrowProof };

const KINDS = ["deposit", "release"] as const;

/** Encodes a request: [kind, fields...]. */
export function encodeEscrowRequest(request: EscrowRequest): Uint8Array {
  const kind = KINDS.indexOf(request.kind);
  if (request.kind === "deposit") return new CborWriter(request.parcel.length + 16).array(2).uint(kind).bytes(request.parcel).finish();
  const { proof } = request;
  const w = writeCursor(new CborWriter(256).array(6).uint(kind).bytes(request.identityKey), proof).uint(proof.timeMs);
  return w.bytes(proof.witness).bytes(proof.witnessKey).finish();
}

/** Reads what `encodeEscrowRequest` writes. */
export function decodeEscrowRequest(bytes: Uint8Array): Result<EscrowRequest, "malformed"> {
  return readMessage(bytes, (r): EscrowRequest => {
    const fields = r.array(6);
    const kind = readChoice(r, KINDS, 0);
    const request = READERS[kind](r);
    if (fields !== FIELDS[kind]) r.reject();
    return request;
  });
}

const FIELDS = { deposit: 2, release: 6 } as const;

const READERS: Readonly<Record<EscrowRequest["kind"], (r: CborReader) => EscrowRequest>> = {
  deposit: (r) => ({ kind: "deposit", parcel: r.bytes(1, SYNC_LIMITS.parcelBytesMax) }),
  release: (r) => {
    const identityKey = r.bytes(32);
    const cursor = readCursor(r);
    return { kind: "release", identityKey, proof: { ...cursor, timeMs: r.uint(), witness: r.bytes(64), witnessKey: r.bytes(32) } };
  },
};

/**
 * How a keeper answers a deposit or a release. `held`: durable here, or known to be elsewhere. `gap`: something else was expected;
 * `fork`: another record stands there; the cursor says which. `full`: there is no room. `refused`: this is not kept here.
 */
export const ESCROW_VERDICTS = ["held", "gap", "fork", "full", "refused"] as const;

/** One of `ESCROW_VERDICTS`, with the last record that is kept; sequence 0 where nothing is. */
export type EscrowStanding = {
  readonly verdict: (typeof ESCROW_VERDICTS)[number];
  readonly epoch: number;
  readonly sequence: number;
  /** Hash of that record, 32 bytes. */
  readonly hash: Uint8Array;
};

/** Encodes an answer: [verdict, epoch, sequence, hash]. */
export function encodeStanding({ verdict, epoch, sequence, hash }: EscrowStanding): Uint8Array {
  return new CborWriter(64).array(4).uint(ESCROW_VERDICTS.indexOf(verdict)).uint(epoch).uint(sequence).bytes(hash).finish();
}

/** Reads what `encodeStanding` writes. */
export function decodeStanding(bytes: Uint8Array): Result<EscrowStanding, "malformed"> {
  return readMessage(bytes, (r): EscrowStanding => {
    if (r.array(4) !== 4) r.reject();
    return { verdict: readChoice(r, ESCROW_VERDICTS, 0), epoch: r.uint(), sequence: r.uint(), hash: r.bytes(32) };
  });
}
