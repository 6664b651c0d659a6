import { type LaneRecord, linkBodies } from "../../../src/events/index.ts";
import { bytesEqual } from "../../../src/kernel/index.ts";
import { type EscrowParcel, type EscrowProof, splitBodies, unpackRecords } from "../../protocol/index.ts";
import { isAfter } from "../types.ts";
import type { EscrowOrigin, KeptParcel } from "./ports.ts";

/** What each node may have kept here, and all together. */
export const ESCROW_BOUNDS = {
  originBytesMax: 4 * 1024 * 1024,
  bytesMax: 64 * 1024 * 1024,
  originsMax: 128,
  /** Nodes for whom one peer may bring parcels: itself, and what it was before it was restored. */
  originsOfPeerMax: 4,
} as const;

/** The same, for tests of what happens beyond. */
export type EscrowBounds = { readonly [Bound in keyof typeof ESCROW_BOUNDS]: number };

/** The records of a parcel, their chain computed again; undefined when they are not what it says. */
export function recordsOfParcel(parcel: EscrowParcel): readonly LaneRecord[] | undefined {
  const { epoch, from, to, previousHash, tipHash } = parcel;
  const plain = unpackRecords(parcel.records, parcel.codec, parcel.plainBytes);
  const bodies = plain.ok ? splitBodies(plain.value, to - from + 1) : plain;
  const records = bodies.ok ? linkBodies("crit", { epoch, sequence: from }, previousHash, bodies.value) : bodies;
  const last = records.ok ? records.value.at(-1) : undefined;
  return records.ok && last && bytesEqual(last.hash, tipHash) ? records.value : undefined;
}

/**
 * Where a parcel stands to what is kept of its origin: `next` to be kept; `held` when its last record is kept, or was until
 * it was released; `gap` when it overlaps, was left out, or is of an incarnation that is over; `fork` when it contradicts. Records may be left out: its node need not
 * bring here what an aggregator holds.
 *
 * @param hashAt the hash of a record that is kept; undefined when that was let go
 */
export function placeParcel(
  parcel: Pick<EscrowParcel, "epoch" | "from" | "to" | "previousHash" | "tipHash">,
  origin: Pick<EscrowOrigin, "tip" | "released"> | undefined,
  hashAt: (sequence: number) => Uint8Array | undefined,
): "next" | "held" | "gap" | "fork" {
  const { epoch, from, to, previousHash, tipHash } = parcel;
  if (!origin || epoch > origin.tip.epoch) return "next";
  const { tip } = origin;
  if (epoch < tip.epoch) return "gap";
  if (from > tip.sequence) return from === tip.sequence + 1 && !bytesEqual(previousHash, tip.hash) ? "fork" : "next";
  if (to > tip.sequence) return "gap";
  const known = hashAt(to);
  if (known) return bytesEqual(known, tipHash) ? "held" : "fork";
  return isAfter({ epoch, sequence: to }, origin.released) ? "gap" : "held";
}

/**
 * Whether a witness's word, its signature checked, releases what is kept: it names a record that is kept and its hash, and all that is
 * kept up to there is one run, so what is held elsewhere is this history and no other.
 *
 * @param kept parcels after what was released before, oldest first
 */
export function isReleasing(
  proof: EscrowProof,
  { released }: Pick<EscrowOrigin, "released">,
  kept: readonly Pick<KeptParcel, "epoch" | "from" | "to">[],
  hashAt: (sequence: number) => Uint8Array | undefined,
): boolean {
  if (proof.lane !== "crit" || proof.sequence === 0 || !isAfter(proof, released)) return false;
  const known = hashAt(proof.sequence);
  if (!known || !bytesEqual(known, proof.hash)) return false;
  const upTo = kept.filter(({ epoch, from }) => !isAfter({ epoch, sequence: from }, proof));
  return upTo.every(({ epoch, from }, index) => {
    const before = upTo[index - 1];
    return !before || (epoch === before.epoch ? from === before.to + 1 : from === 1);
  });
}
