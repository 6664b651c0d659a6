import { CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import { type BlockHeader, encodeBlockHeader, readBlockHeader } from "./block.ts";
import { type Certificate, encodeCertificate, readCertificate } from "./certificate.ts";
import { encodeReceipt, type Receipt, readReceipt } from "./receipt.ts";
import { decodeStateProof, encodeStateProof, type StateProof } from "./state-proof.ts";
import { decodeValidatorSet, encodeValidatorSet, type ValidatorSet } from "./validator-set.ts";

/** Bounds of a proof bundle: what a verifier is willing to read. */
export const PROOF_LIMITS = {
  bundleBytesMax: 4 * 1024 * 1024,
  hopsMax: 4_096,
  ancestryMax: 64,
  pathMax: 32,
  stateProofBytesMax: 65_536,
} as const;

/**
 * Headers from the one a finalization names (first) down to the one it is wanted for (last), each the parent of the one
 * before: usually a single header. The finalization makes all of them final.
 */
export type FinalHeaders = { readonly headers: readonly BlockHeader[]; readonly finalization: Certificate };

/** One step of trust into the next epoch: its boundary header, final, and the set that the header commits to. */
export type EpochHop = FinalHeaders & { readonly nextSet: ValidatorSet };

/** What a bundle proves: a receipt by its path to receiptRoot, or a state entry's value or absence by its path to stateRoot. */
export type ProofContent =
  | { readonly kind: "receipt"; readonly receipt: Receipt; readonly path: readonly Uint8Array[] }
  | { readonly kind: "state"; readonly proof: StateProof };

/** Everything an offline verifier needs beside what it trusts already. */
export type ProofBundle = FinalHeaders & { readonly hops: readonly EpochHop[]; readonly content: ProofContent };

/** Canonical encoding: array [hops, headers, finalization, content]; docs/proof.cddl is the grammar. */
export function encodeProofBundle(bundle: ProofBundle): Uint8Array {
  const w = new CborWriter(2048).array(4).array(bundle.hops.length);
  for (const hop of bundle.hops) writeEpochHop(w, hop);
  writeFinalHeaders(w, bundle);
  w.raw(encodeCertificate(bundle.finalization));
  const { content } = bundle;
  if (content.kind === "state") return w.array(2).uint(2).bytes(encodeStateProof(content.proof)).finish();
  w.array(3).uint(1).raw(encodeReceipt(content.receipt)).array(content.path.length);
  for (const hash of content.path) w.bytes(hash);
  return w.finish();
}

/** Reads what `encodeProofBundle` writes: shape and bounds only, nothing is verified. */
export function decodeProofBundle(bytes: Uint8Array): Result<ProofBundle, "malformed" | "tooLarge"> {
  if (bytes.length > PROOF_LIMITS.bundleBytesMax) return err("tooLarge");
  const r = new CborReader(bytes);
  if (r.array(4) !== 4) r.reject();
  const hopCount = r.array(PROOF_LIMITS.hopsMax);
  const hops: EpochHop[] = [];
  for (let i = 0; i < hopCount && !r.isBroken; i++) {
    const hop = readEpochHop(r);
    if (hop) hops.push(hop);
  }
  const headers = readHeaders(r);
  const finalization = readCertificate(r);
  const content = readContent(r);
  return r.isComplete && content ? ok({ hops, headers, finalization, content }) : err("malformed");
}

/** Writes an epoch hop: array [headers, finalization, next set]. */
export function writeEpochHop(w: CborWriter, hop: EpochHop): void {
  w.array(3);
  writeFinalHeaders(w, hop);
  w.raw(encodeCertificate(hop.finalization)).bytes(encodeValidatorSet(hop.nextSet));
}

function writeFinalHeaders(w: CborWriter, { headers }: FinalHeaders): void {
  w.array(headers.length);
  for (const header of headers) w.raw(encodeBlockHeader(header));
}

function readHeaders(r: CborReader): BlockHeader[] {
  const count = r.array(PROOF_LIMITS.ancestryMax);
  if (count === 0) r.reject();
  const headers: BlockHeader[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) headers.push(readBlockHeader(r));
  return headers;
}

/** Reads an epoch hop; undefined, and the reader broken, when it is none. */
export function readEpochHop(r: CborReader): EpochHop | undefined {
  if (r.array(3) !== 3) r.reject();
  const headers = readHeaders(r);
  const finalization = readCertificate(r);
  const nextSet = decodeValidatorSet(r.bytes(1, 16_384));
  if (!nextSet.ok) r.reject();
  return nextSet.ok ? { headers, finalization, nextSet: nextSet.value } : undefined;
}

function readContent(r: CborReader): ProofContent | undefined {
  const fields = r.array(3);
  const kind = r.uint(2);
  if (kind === 2) {
    const proof = decodeStateProof(r.bytes(1, PROOF_LIMITS.stateProofBytesMax));
    if (fields !== 2 || !proof.ok) r.reject();
    return proof.ok ? { kind: "state", proof: proof.value } : undefined;
  }
  if (kind !== 1 || fields !== 3) r.reject();
  const receipt = readReceipt(r);
  const pathLength = r.array(PROOF_LIMITS.pathMax);
  const path: Uint8Array[] = [];
  for (let i = 0; i < pathLength && !r.isBroken; i++) path.push(r.bytes(32));
  return { kind: "receipt", receipt, path };
}
