import type { Result } from "../kernel/index.ts";
import type { SignedTransaction } from "./transactions.ts";

/** What a node says when a transaction is given to it. All of it is a claim. */
export type SubmitAnswer =
  /** Durable on that node. */
  | { readonly kind: "accepted" }
  /** It executed before; its proof can be had. */
  | { readonly kind: "executed" }
  /** Not taken, with the stable code of the interface and, where the node says it, when to come back. */
  | { readonly kind: "refused"; readonly code: string; readonly detail: string; readonly retryAfterMs?: number }
  /** Nobody knows whether it was taken. */
  | { readonly kind: "noAnswer"; readonly detail: string };

/** What a node says of a transaction's end. All of it is a claim, the proof too until it is verified. */
export type LookUp =
  | { readonly kind: "proof"; readonly bundle: Uint8Array }
  /** `unproven`: there is no proof yet, and the carrier cannot tell why. */
  | { readonly kind: "pending" | "unproven" | "expired" | "superseded" | "unknown" }
  | { readonly kind: "noAnswer"; readonly detail: string };

/** What a signer must know of the chain: the final height and, where the node says it, the least fee in base units. */
export type ChainTerms = { readonly height: bigint; readonly minimumFee?: bigint };

/** What a signer must know of its account. */
export type AccountTerms = { readonly balance: bigint; readonly pendingNonce: bigint; readonly isSponsored: boolean };

/**
 * A way to a node. A carrier keeps nothing that must not be lost and gives no guarantee: what it does not deliver, the
 * client sends again. No method throws or rejects for what a network or a node does.
 */
export interface Carrier {
  /** For people. */
  readonly name: string;
  /** Gives the bytes to the node. */
  submit(transaction: SignedTransaction): Promise<SubmitAnswer>;
  /** Asks for a transaction's end, waiting for it at most this long where the carrier can. */
  lookUp(id: Uint8Array, waitMs: number): Promise<LookUp>;
  /** The chain's terms; absent where the carrier has no way to ask. The error is a sentence. */
  terms?(): Promise<Result<ChainTerms, string>>;
  /** An account's terms, by its 32-byte public key; absent where the carrier has no way to ask. The error is a sentence. */
  account?(publicKey: Uint8Array): Promise<Result<AccountTerms, string>>;
}
