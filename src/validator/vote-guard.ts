import { recoveryAllows, type VoteSigner } from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";
import { type Vote, type VoteStatement, voteSignBytes } from "../protocol/index.ts";
import type { ConsensusJournal } from "./journal.ts";
import { describeVote, type VoteRefusal } from "./vote-book.ts";

/**
 * Signs with the validator key: in memory now, in a TPM or another process later. Deterministic, as RFC 8032 is, so that
 * a vote signed again after a restart is byte-identical (J3).
 */
export interface VoteKey {
  /** Public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signature, 64 bytes. Throws or rejects when the key cannot be used. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Why the guard does not sign. */
export type GuardRefusal = VoteRefusal | "notDurable" | "recovering" | "failed";

/** A refusal to sign: a defect of whoever asked, never a verdict on a peer. The process must not go on voting. */
export class VoteRefused extends Error {
  override readonly name = "VoteRefused";
  /** Why. */
  readonly code: GuardRefusal;

  constructor(code: GuardRefusal, statement: VoteStatement) {
    super(`${describeVote(statement)} is not signed: ${code}`);
    this.code = code;
  }
}

/**
 * The only holder of the key. Signs a vote when exactly it is durable in the journal, contradicts nothing there, lies
 * above its floor and outside what recovery forbids; trusts nobody who asks.
 *
 * @see consensus J3
 */
export class VoteGuard implements VoteSigner {
  readonly #journal: ConsensusJournal;
  readonly #key: VoteKey;
  readonly #chainId: Uint8Array;

  constructor(journal: ConsensusJournal, key: VoteKey, chainId: Uint8Array) {
    assert(chainId.length === 32, "a chain id has 32 bytes");
    this.#journal = journal;
    this.#key = key;
    this.#chainId = chainId;
  }

  get publicKey(): Uint8Array {
    return this.#key.publicKey;
  }

  /** Why this vote would be refused now, or undefined when it would be signed. */
  check(statement: VoteStatement): GuardRefusal | undefined {
    if (this.#journal.hasFailed) return "failed";
    if (!recoveryAllows(this.#journal.recovery, statement)) return "recovering";
    const refusal = this.#journal.book.check(statement);
    return refusal ?? (this.#journal.book.isDurable(statement) ? undefined : "notDurable");
  }

  sign(statement: VoteStatement, signer: number): Vote | Promise<Vote> {
    const refusal = this.check(statement);
    if (refusal) throw new VoteRefused(refusal, statement);
    const signature = this.#key.sign(voteSignBytes(this.#chainId, statement));
    if (!(signature instanceof Promise)) return voteOf(statement, signer, signature);
    return signature.then((made) => voteOf(statement, signer, made));
  }
}

function voteOf(statement: VoteStatement, signer: number, signature: Uint8Array): Vote {
  assert(signature.length === 64, "an Ed25519 signature has 64 bytes");
  const { kind, epoch, view, proposalId } = statement;
  return { kind, epoch, view, ...(proposalId ? { proposalId } : {}), signer, signature };
}
