import type { BatchHeader, RejectionCode, Transaction, ValidatorSet } from "../protocol/index.ts";

/** How an accepted transaction ends without executing. */
export type EndedStatus = "expired" | "superseded";

/** What the mempool knows of a transaction; that it is final only the blocks know. */
export type TransactionStatus = "accepted" | EndedStatus | "unknown";

/** Where an executed transaction's receipt stands. */
export type ExecutedAt = { readonly height: number; readonly index: number };

/** Why a transaction was not accepted. */
export type Refusal = {
  readonly code: RejectionCode;
  /** For people: what was expected and what came. */
  readonly detail: string;
  /** When trying again makes sense; for `mempoolFull`, `quotaExceeded` and `syncing`. */
  readonly retryAfterMs?: number;
  /** Of a `duplicate`: where it executed. */
  readonly executedAt?: ExecutedAt;
};

/**
 * What became of one submitted transaction. `accepted`: fsynced here, and it will end final, expired or superseded.
 * `rejected`: nothing changed. The id is there when the bytes decoded.
 */
export type SubmitOutcome =
  | { readonly status: "accepted"; readonly id: Uint8Array }
  | ({ readonly status: "rejected"; readonly id?: Uint8Array } & Refusal);

/** Where a batch's record stands in the batch log. */
export type BatchLocation = { readonly record: number; readonly segment: number; readonly offset: number; readonly length: number };

/** A batch held here: durable, its author's and every transaction's signature verified. */
export type HeldBatch = {
  readonly digest: Uint8Array;
  readonly header: BatchHeader;
  readonly transactions: readonly Transaction[];
  /** Bytes of its encoding. */
  readonly sizeBytes: number;
  readonly location: BatchLocation;
};

/** A batch that no longer waits for a block: a committed one names it, or nothing in it could execute for long enough. */
export type BatchRelease = { readonly digest: Uint8Array; readonly isCommitted: boolean };

/** A batch that became durable here and waits for a block. */
export type DurableBatch = {
  readonly digest: Uint8Array;
  readonly count: number;
  readonly sizeBytes: number;
  /** Whether we are its author. */
  readonly isOwn: boolean;
};

/** The validators of an epoch. */
export type EpochMembers = { readonly epoch: number; readonly validatorSet: ValidatorSet };

/**
 * Why a peer's batch was not taken. Of its sender: `malformed`, `tooLarge`, `wrongDigest` (not the one asked for),
 * `badSignature` (not its author's). Of its author: `faulty`. Of nobody: `unknownAuthor` (in no set known here), `full`,
 * `diskFull`, `closed` (this node stops or failed).
 */
export type BatchFault =
  | "malformed"
  | "tooLarge"
  | "wrongDigest"
  | "badSignature"
  | "faulty"
  | "unknownAuthor"
  | "full"
  | "diskFull"
  | "closed";

/** What became of a peer's batch: durable here (now, or it was before), or not taken. */
export type ReceiveVerdict = { readonly status: "held" } | { readonly status: "refused"; readonly code: BatchFault };

/** A batch that a committed block names. */
export type CommittedBatch = {
  readonly location: BatchLocation;
  /** Positions in the batch of the transactions that the block skipped. */
  readonly skipped: readonly number[];
};

/** What the mempool asks of the committed chain. */
export interface ChainIndex {
  /** Where the transaction with this id executed; undefined when it did not. */
  findExecuted(id: Uint8Array): ExecutedAt | undefined;
  /** The batch with this digest as a committed block has it; undefined when none names it. */
  findBatch(digest: Uint8Array): CommittedBatch | undefined;
}

/** Thrown at submitters whose transactions were neither accepted nor refused because the mempool failed: their fate is open until the node is back. */
export class MempoolFailed extends Error {
  override readonly name = "MempoolFailed";
}
