import { type CryptoSuite, DOMAIN_TAGS, leafHash, sha256, verifyInclusion } from "../crypto/portable.ts";
import { bytesEqual, CborReader, CborWriter, compareBytes, concatBytes, err, ok, type Result, u64be } from "../kernel/index.ts";
import { type BatchHeader, batchDigestOf, batchSignBytes } from "./batch.ts";
import { LIMITS } from "./limits.ts";
import { decodeTransaction, transactionAad, transactionSignBytes } from "./transaction.ts";
import type { ValidatorSet } from "./validator-set.ts";
import { encodeVote, readVote, VOTE_KIND, type Vote, voteSignBytes } from "./vote.ts";

/** Two votes of one signer in one round that no honest validator casts both; `first` has the smaller encoding. */
export type VoteEvidence = { readonly kind: "votes"; readonly first: Vote; readonly second: Vote };

/** A batch that its author signed although a transaction in it is malformed or badly signed. */
export type BatchEvidence = {
  readonly kind: "batch";
  /** Epoch in which the author is judged: one of the last in which it was a member. */
  readonly epoch: number;
  readonly header: BatchHeader;
  /** The author's signature over the batch, 64 bytes. */
  readonly signature: Uint8Array;
  /** Position of the faulty transaction, from 0. */
  readonly index: number;
  readonly transaction: Uint8Array;
  /** RFC 6962 path from the transaction to the batch's root. */
  readonly path: readonly Uint8Array[];
};

/**
 * Proof of a validator's fault, convincing to anyone who knows the epoch's set.
 *
 * @see consensus R11
 */
export type Evidence = VoteEvidence | BatchEvidence;

/** Why evidence convicts nobody. `innocent`: what it shows is allowed. */
export type EvidenceFault = "malformed" | "unknownSigner" | "innocent" | "badSignature";

/** Who is convicted of what: `offence` (32 bytes) is equal for all evidence of one fault, so that it counts once. */
export type Conviction = { readonly signer: number; readonly epoch: number; readonly offence: Uint8Array };

const VOTES = 1;
const BATCH = 2;
const PATH_LENGTH_MAX = 12;

/**
 * Whether two votes convict their signer: same signer and round, and two different NOTARIZE, two different FINALIZE,
 * NULLIFY with FINALIZE, or NOTARIZE(x) with FINALIZE(y). NOTARIZE with NULLIFY is legal. Signatures are not checked.
 *
 * @see consensus R11
 */
export function isConflict(a: Vote, b: Vote): boolean {
  if (a.signer !== b.signer || a.epoch !== b.epoch || a.view !== b.view) return false;
  const kinds = a.kind + b.kind;
  if (a.kind === VOTE_KIND.nullify || b.kind === VOTE_KIND.nullify)
    return kinds === VOTE_KIND.nullify + VOTE_KIND.finalize && a.kind !== b.kind;
  return a.proposalId !== undefined && b.proposalId !== undefined && !bytesEqual(a.proposalId, b.proposalId);
}

/** Evidence of two conflicting votes, in canonical order. */
export function makeVoteEvidence(a: Vote, b: Vote): VoteEvidence {
  return compareBytes(encodeVote(a), encodeVote(b)) < 0 ? { kind: "votes", first: a, second: b } : { kind: "votes", first: b, second: a };
}

/**
 * Canonical encoding: [1, vote, vote], or [2, epoch, author, sequence, count, root, signature, index, transaction,
 * [path hash...]].
 */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  if (evidence.kind === "votes") {
    return new CborWriter(320).array(3).uint(VOTES).raw(encodeVote(evidence.first)).raw(encodeVote(evidence.second)).finish();
  }
  const { header } = evidence;
  const w = new CborWriter(512 + evidence.transaction.length).array(10).uint(BATCH).uint(evidence.epoch);
  w.bytes(header.author).uint(header.sequence).uint(header.count).bytes(header.root).bytes(evidence.signature);
  w.uint(evidence.index).bytes(evidence.transaction).array(evidence.path.length);
  for (const hash of evidence.path) w.bytes(hash);
  return w.finish();
}

/** Reads what `encodeEvidence` writes; votes out of order are malformed. Nothing is checked beyond the shape. */
export function decodeEvidence(bytes: Uint8Array): Result<Evidence, "malformed"> {
  if (bytes.length > LIMITS.evidenceBytesMax) return err("malformed");
  const reader = new CborReader(bytes);
  const fields = reader.array(10);
  const kind = reader.uint(BATCH);
  if (kind === VOTES && fields === 3) {
    const [first, second] = [readVote(reader), readVote(reader)];
    if (!reader.isComplete || compareBytes(encodeVote(first), encodeVote(second)) >= 0) return err("malformed");
    return ok({ kind: "votes", first, second });
  }
  if (kind !== BATCH || fields !== 10) return err("malformed");
  const epoch = reader.uint();
  const header = {
    author: reader.bytes(32),
    sequence: reader.uint(),
    count: reader.uint(LIMITS.batchTransactionsMax),
    root: reader.bytes(32),
  };
  const signature = reader.bytes(64);
  const index = reader.uint(LIMITS.batchTransactionsMax);
  const transaction = reader.bytes(1, LIMITS.evidenceBytesMax);
  const path: Uint8Array[] = [];
  for (let left = reader.array(PATH_LENGTH_MAX); left > 0 && !reader.isBroken; left--) path.push(reader.bytes(32));
  return reader.isComplete ? ok({ kind: "batch", epoch, header, signature, index, transaction, path }) : err("malformed");
}

/** The epoch whose set judges the evidence. */
export function epochOfEvidence(evidence: Evidence): number {
  return evidence.kind === "votes" ? evidence.first.epoch : evidence.epoch;
}

/**
 * Judges evidence against the set of its epoch. Never convicts on anything but valid signatures of the accused.
 *
 * Errors: `unknownSigner` (not in the set), `innocent` (no conflict; a sound transaction; not in the batch),
 * `badSignature`.
 *
 * @see consensus R11
 */
export function checkEvidence(
  evidence: Evidence,
  set: ValidatorSet,
  chainId: Uint8Array,
  suite: CryptoSuite,
): Result<Conviction, EvidenceFault> {
  return evidence.kind === "votes" ? checkVotes(evidence, set, chainId, suite) : checkBatch(evidence, set, chainId, suite);
}

function checkVotes(
  { first, second }: VoteEvidence,
  set: ValidatorSet,
  chainId: Uint8Array,
  suite: CryptoSuite,
): Result<Conviction, EvidenceFault> {
  if (!isConflict(first, second)) return err("innocent");
  const validator = set.validators[first.signer];
  if (!validator) return err("unknownSigner");
  for (const vote of [first, second]) {
    if (!suite.verify(validator.publicKey, voteSignBytes(chainId, vote), vote.signature)) return err("badSignature");
  }
  return ok({ signer: first.signer, epoch: first.epoch, offence: voteOffenceOf(first.epoch, validator.publicKey, first.view) });
}

function checkBatch(
  evidence: BatchEvidence,
  set: ValidatorSet,
  chainId: Uint8Array,
  suite: CryptoSuite,
): Result<Conviction, EvidenceFault> {
  const { header, index, path, transaction } = evidence;
  const signer = set.validators.findIndex((v) => bytesEqual(v.publicKey, header.author));
  if (signer < 0) return err("unknownSigner");
  const digest = batchDigestOf(header);
  if (!suite.verify(header.author, batchSignBytes(chainId, digest), evidence.signature)) return err("badSignature");
  if (!verifyInclusion(suite, leafHash(transaction), index, header.count, path, header.root)) return err("innocent");
  const aad = transactionAad(chainId);
  const decoded = decodeTransaction(aad, transaction);
  if (decoded.ok && suite.verify(decoded.value.sender, transactionSignBytes(aad, decoded.value.payload), decoded.value.signature))
    return err("innocent");
  return ok({ signer, epoch: evidence.epoch, offence: batchOffenceOf(header) });
}

/**
 * The offence of having signed a faulty batch. A batch names no epoch, so its offence has none either: accusers choose the
 * epoch it is judged in, and it counts once all the same.
 */
export function batchOffenceOf(header: BatchHeader): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.evidence, Uint8Array.of(BATCH), header.author, batchDigestOf(header)));
}

function voteOffenceOf(epoch: number, accused: Uint8Array, view: number): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.evidence, Uint8Array.of(VOTES), u64be(epoch), accused, u64be(view)));
}
