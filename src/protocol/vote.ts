import { DOMAIN_TAGS, sha256 } from "../crypto/portable.ts";
import { CborReader, CborWriter, concatBytes, err, ok, type Result, u64be } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** What a vote says: 1 NOTARIZE(proposalId), 2 NULLIFY, 3 FINALIZE(proposalId). Also the kind byte of signed bytes. */
export const VOTE_KIND = { notarize: 1, nullify: 2, finalize: 3 } as const;
/** One of the three vote kinds. */
export type VoteKind = (typeof VOTE_KIND)[keyof typeof VOTE_KIND];

/** A leader's claim on a view: this block, extending the block certified in `parentView` (0: genesis or the epoch's boundary block). */
export type Proposal = {
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  /** Block hash, 32 bytes. */
  readonly blockHash: Uint8Array;
};

/** The statement a vote signs; `proposalId` (32 bytes) is absent exactly for NULLIFY. */
export type VoteStatement = {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: number;
  readonly proposalId?: Uint8Array;
};

/** A signed statement; `signer` is the index in the epoch's validator set. */
export type Vote = VoteStatement & { readonly signer: number; readonly signature: Uint8Array };

/** Canonical encoding: array [epoch, view, parentView, blockHash]. */
export function encodeProposal(proposal: Proposal): Uint8Array {
  return new CborWriter(64).array(4).uint(proposal.epoch).uint(proposal.view).uint(proposal.parentView).bytes(proposal.blockHash).finish();
}

/** Reads a proposal at the reader's place; a view below 1 or not above its parent's is malformed. */
export function readProposal(reader: CborReader): Proposal {
  if (reader.array(4) !== 4) reader.reject();
  const proposal = { epoch: reader.uint(), view: reader.uint(), parentView: reader.uint(), blockHash: reader.bytes(32) };
  if (proposal.parentView >= proposal.view) reader.reject();
  return proposal;
}

/** Reads what `encodeProposal` writes. */
export function decodeProposal(bytes: Uint8Array): Result<Proposal, "malformed"> {
  const reader = new CborReader(bytes);
  const proposal = readProposal(reader);
  return reader.isComplete ? ok(proposal) : err("malformed");
}

/** SHA-256 of the proposal's encoding: the identity that votes name. */
export function proposalIdOf(proposal: Proposal): Uint8Array {
  return sha256(encodeProposal(proposal));
}

/**
 * Bytes a validator signs: domain tag | chainId 32 | epoch u64 | view u64 | kind u8 | proposalId 32 or nothing.
 *
 * @see consensus Types
 */
export function voteSignBytes(chainId: Uint8Array, statement: VoteStatement): Uint8Array {
  const kind = Uint8Array.of(statement.kind);
  const prefix = [DOMAIN_TAGS.vote, chainId, u64be(statement.epoch), u64be(statement.view), kind];
  return statement.proposalId ? concatBytes(...prefix, statement.proposalId) : concatBytes(...prefix);
}

/** Canonical encoding: array [kind, epoch, view, signer, signature] with proposalId appended unless NULLIFY. */
export function encodeVote(vote: Vote): Uint8Array {
  const writer = new CborWriter(160).array(vote.proposalId ? 6 : 5);
  writer.uint(vote.kind).uint(vote.epoch).uint(vote.view).uint(vote.signer).bytes(vote.signature);
  if (vote.proposalId) writer.bytes(vote.proposalId);
  return writer.finish();
}

/** Reads a vote at the reader's place. The signature is not checked. */
export function readVote(reader: CborReader): Vote {
  const fields = reader.array(6);
  const kind = reader.uint(3);
  const base = { epoch: reader.uint(), view: reader.uint(), signer: reader.uint(LIMITS.validatorsMax - 1), signature: reader.bytes(64) };
  if (base.view < 1 || !isVoteKind(kind) || fields !== (kind === VOTE_KIND.nullify ? 5 : 6)) {
    reader.reject();
    return { kind: VOTE_KIND.nullify, ...base };
  }
  return kind === VOTE_KIND.nullify ? { kind, ...base } : { kind, ...base, proposalId: reader.bytes(32) };
}

/** Reads what `encodeVote` writes. The signature is not checked. */
export function decodeVote(bytes: Uint8Array): Result<Vote, "malformed"> {
  const reader = new CborReader(bytes);
  const vote = readVote(reader);
  return reader.isComplete ? ok(vote) : err("malformed");
}

/** Whether a number is a vote kind. */
export function isVoteKind(value: number): value is VoteKind {
  return value === VOTE_KIND.notarize || value === VOTE_KIND.nullify || value === VOTE_KIND.finalize;
}
