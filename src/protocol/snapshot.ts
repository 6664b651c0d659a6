import type { CryptoSuite } from "../crypto/portable.ts";
import { bytesEqual, CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import { type Block, type BlockHeader, batchRootOf, decodeBlock, encodeBlock, evidenceRootOf } from "./block.ts";
import { type Certificate, encodeCertificate, readCertificate } from "./certificate.ts";
import { LIMITS } from "./limits.ts";
import { type EpochHop, PROOF_LIMITS, readEpochHop, writeEpochHop } from "./proof-bundle.ts";
import { decodeValidatorSet, encodeValidatorSet, type ValidatorSet } from "./validator-set.ts";
import { type TrustedSet, verifyEpochHop, verifyFinalHeaders } from "./verify-proof.ts";

/** Bounds of a snapshot: what a node is willing to read. */
export const SNAPSHOT_LIMITS = {
  manifestBytesMax: 4 * 1024 * 1024,
  /** Bytes of one part. */
  partBytesMax: 4 * 1024 * 1024,
  partsMax: 4_096,
} as const;

/** A part of a snapshot's state: its name is the SHA-256 of its content. */
export type SnapshotPart = { readonly hash: Uint8Array; readonly sizeBytes: number };

/** A final block from which a chain can go on, with what proves it from genesis. */
export type ChainAnchor = {
  readonly block: Block;
  /** Finalization of the block itself. */
  readonly finalization: Certificate;
  /** One hop for each epoch before the block's, from epoch 0 on. */
  readonly hops: readonly EpochHop[];
  /** The set of the next epoch; present exactly when the block is the last of its epoch. */
  readonly nextSet?: ValidatorSet;
};

/** What a snapshot holds: the state after its block, in parts. The header names chain, height and state root. */
export type SnapshotManifest = ChainAnchor & { readonly parts: readonly SnapshotPart[] };

/** Canonical encoding: array [1, block, finalization, hops, [next set] or [], [[hash, size] ...]]; docs/snapshot.cddl is the grammar. */
export function encodeSnapshotManifest(manifest: SnapshotManifest): Uint8Array {
  const { block, finalization, hops, nextSet, parts } = manifest;
  const w = new CborWriter(4_096).array(6).uint(1).bytes(encodeBlock(block)).raw(encodeCertificate(finalization)).array(hops.length);
  for (const hop of hops) writeEpochHop(w, hop);
  w.array(nextSet ? 1 : 0);
  if (nextSet) w.bytes(encodeValidatorSet(nextSet));
  w.array(parts.length);
  for (const { hash, sizeBytes } of parts) w.array(2).bytes(hash).uint(sizeBytes);
  return w.finish();
}

/** Reads what `encodeSnapshotManifest` writes: shape and bounds only, nothing is verified. */
export function decodeSnapshotManifest(bytes: Uint8Array): Result<SnapshotManifest, "malformed" | "tooLarge"> {
  if (bytes.length > SNAPSHOT_LIMITS.manifestBytesMax) return err("tooLarge");
  const r = new CborReader(bytes);
  if (r.array(6) !== 6 || r.uint() !== 1) r.reject();
  const block = decodeBlock(r.bytes(1, LIMITS.blockBytesMax));
  const finalization = readCertificate(r);
  const hopCount = r.array(PROOF_LIMITS.hopsMax);
  const hops: EpochHop[] = [];
  for (let i = 0; i < hopCount && !r.isBroken; i++) {
    const hop = readEpochHop(r);
    if (hop) hops.push(hop);
  }
  const nextSet = r.array(1) === 1 ? decodeValidatorSet(r.bytes(1, 16_384)) : undefined;
  const partCount = r.array(SNAPSHOT_LIMITS.partsMax);
  const parts: SnapshotPart[] = [];
  for (let i = 0; i < partCount && !r.isBroken; i++) {
    if (r.array(2) !== 2) r.reject();
    parts.push({ hash: r.bytes(32), sizeBytes: r.uint(SNAPSHOT_LIMITS.partBytesMax) });
  }
  if (!r.isComplete || !block.ok || nextSet?.ok === false) return err("malformed");
  return ok({ block: block.value, finalization, hops, parts, ...(nextSet && { nextSet: nextSet.value }) });
}

/** Why a manifest is not to be trusted. */
export type SnapshotFault = { readonly code: "notFinal" | "wrongBody" | "wrongSet" | "wrongEpoch"; readonly detail: string };

/**
 * Verifies from the set of epoch 0 that the block of an anchor is final: every epoch hop, the finalization of the block
 * itself, and that its body and the next set are those that its header commits to. Gives the header, whose state root
 * the parts have to give.
 *
 * @param genesis the set of epoch 0
 * @see consensus R13
 */
export function verifyChainAnchor(suite: CryptoSuite, genesis: TrustedSet, anchor: ChainAnchor): Result<BlockHeader, SnapshotFault> {
  let at = genesis;
  for (const hop of anchor.hops) {
    const next = verifyEpochHop(suite, at, hop);
    if (!next.ok) return refuse("notFinal", `the step into epoch ${at.epoch + 1} fails: ${next.error.detail}`);
    at = next.value;
  }
  const { block, finalization, nextSet } = anchor;
  const { header } = block;
  if (header.epoch !== at.epoch) return refuse("wrongEpoch", `the block is of epoch ${header.epoch}, its hops lead to ${at.epoch}`);
  const final = verifyFinalHeaders(suite, at, { headers: [header], finalization });
  if (!final.ok) return refuse("notFinal", final.error.detail);
  const evidenceRoot = evidenceRootOf(block.evidence);
  if (!bytesEqual(header.batchRoot, batchRootOf(block.batchDigests)) || !isSame(header.evidenceRoot, evidenceRoot))
    return refuse("wrongBody", `the header at height ${header.height} commits to other batches or evidence`);
  if (!isSame(header.nextValidatorSetHash, nextSet?.hash))
    return refuse("wrongSet", `the header at height ${header.height} does not commit to the given next set`);
  return ok(header);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

function refuse(code: SnapshotFault["code"], detail: string): { readonly ok: false; readonly error: SnapshotFault } {
  return err({ code, detail });
}
