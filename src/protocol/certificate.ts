import { assert, CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";
import type { ValidatorSet } from "./validator-set.ts";
import {
  encodeProposal,
  isVoteKind,
  type Proposal,
  proposalIdOf,
  readProposal,
  VOTE_KIND,
  type VoteKind,
  type VoteStatement,
  voteSignBytes,
} from "./vote.ts";

/**
 * A quorum's signatures on one statement. Its identity is the statement, never the signer set. `proposal` is absent
 * exactly for a nullification.
 */
export type Certificate = {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: number;
  readonly proposal?: Proposal;
  /** Bit i (least significant bit of byte i/8 first) is set when validator i signed; ceil(n/8) bytes, no bits beyond n. */
  readonly bitmap: Uint8Array;
  /** 64 bytes each, in ascending order of signer. */
  readonly signatures: readonly Uint8Array[];
};

/** Why a certificate is refused against a validator set. */
export type CertificateFault = "wrongEpoch" | "badBitmap" | "belowQuorum" | "badSignature";

/** Verifies one Ed25519 signature by the project's rule (native or portable). */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Canonical encoding: array [kind, epoch, view, bitmap, [signature...]] with the proposal appended unless a nullification. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  const writer = new CborWriter(128 + 66 * certificate.signatures.length).array(certificate.proposal ? 6 : 5);
  writer
    .uint(certificate.kind)
    .uint(certificate.epoch)
    .uint(certificate.view)
    .bytes(certificate.bitmap)
    .array(certificate.signatures.length);
  for (const signature of certificate.signatures) writer.bytes(signature);
  if (certificate.proposal) writer.raw(encodeProposal(certificate.proposal));
  return writer.finish();
}

/** Reads a certificate at the reader's place: shape only, no signature is checked. */
export function readCertificate(reader: CborReader): Certificate {
  const fields = reader.array(6);
  const kind = reader.uint(3);
  const epoch = reader.uint();
  const view = reader.uint();
  const bitmap = reader.bytes(1, LIMITS.validatorsMax / 8);
  const count = reader.array(LIMITS.validatorsMax);
  const signatures: Uint8Array[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) signatures.push(reader.bytes(64));
  if (view < 1 || !isVoteKind(kind) || fields !== (kind === VOTE_KIND.nullify ? 5 : 6)) {
    reader.reject();
    return { kind: VOTE_KIND.nullify, epoch, view, bitmap, signatures };
  }
  if (kind === VOTE_KIND.nullify) return { kind, epoch, view, bitmap, signatures };
  const proposal = readProposal(reader);
  if (proposal.epoch !== epoch || proposal.view !== view) reader.reject();
  return { kind, epoch, view, proposal, bitmap, signatures };
}

/** Reads what `encodeCertificate` writes: shape only, no signature is checked. */
export function decodeCertificate(bytes: Uint8Array): Result<Certificate, "malformed"> {
  const reader = new CborReader(bytes);
  const certificate = readCertificate(reader);
  return reader.isComplete ? ok(certificate) : err("malformed");
}

/** The statement that every signer of the certificate signed. */
export function statementOf(certificate: Certificate): VoteStatement {
  const base = { kind: certificate.kind, epoch: certificate.epoch, view: certificate.view };
  return certificate.proposal ? { ...base, proposalId: proposalIdOf(certificate.proposal) } : base;
}

/** Signer indexes of a bitmap in ascending order, or undefined when its length or spare bits do not fit `memberCount`. */
export function parseBitmap(bitmap: Uint8Array, memberCount: number): number[] | undefined {
  if (bitmap.length !== Math.ceil(memberCount / 8)) return undefined;
  const signers: number[] = [];
  for (let i = 0; i < 8 * bitmap.length; i++) {
    if (((bitmap[i >> 3] as number) & (1 << (i & 7))) === 0) continue;
    if (i >= memberCount) return undefined;
    signers.push(i);
  }
  return signers;
}

/** The bitmap of these signers in a set of `memberCount`. */
export function makeBitmap(signers: readonly number[], memberCount: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(memberCount / 8));
  for (const signer of signers) {
    assert(signer >= 0 && signer < memberCount, "a signer is a member of the set");
    bitmap[signer >> 3] = (bitmap[signer >> 3] as number) | (1 << (signer & 7));
  }
  return bitmap;
}

/**
 * Checks a certificate against its epoch's set: signers distinct by construction, weight at least Q, every signature
 * valid. Weight is judged before any signature, so a sub-quorum one costs no verification.
 */
export function checkCertificate(
  certificate: Certificate,
  set: ValidatorSet,
  epoch: number,
  chainId: Uint8Array,
  verify: VerifySignature,
): Result<true, CertificateFault> {
  if (certificate.epoch !== epoch) return err("wrongEpoch");
  const signers = parseBitmap(certificate.bitmap, set.validators.length);
  if (!signers || signers.length !== certificate.signatures.length) return err("badBitmap");
  let weight = 0n;
  for (const signer of signers) weight += set.validators[signer]?.weight ?? 0n;
  if (weight < set.quorumWeight) return err("belowQuorum");
  const message = voteSignBytes(chainId, statementOf(certificate));
  for (const [position, signer] of signers.entries()) {
    const validator = set.validators[signer];
    const signature = certificate.signatures[position];
    if (!validator || !signature || !verify(validator.publicKey, message, signature)) return err("badSignature");
  }
  return ok(true);
}
