import type { Block, Certificate, Proposal, Vote, VoteStatement } from "../protocol/index.ts";
import type { Message, PeerId } from "./messages.ts";
import type { Round } from "./rounds.ts";

/**
 * Where the votes of this box stand after a lost journal (R14, J7, J8): none lost; lost and asking; or found, with every
 * vote before the gate forbidden for ever. In `epoch` views from `firstView` are free; in a later epoch nothing is, until
 * its members were asked.
 */
export type RecoveryStatus =
  | { readonly kind: "intact" }
  | { readonly kind: "recovering" }
  | { readonly kind: "gated"; readonly epoch: number; readonly firstView: number };

/** One journal record. Votes are journaled as statements: the signer is deterministic, so a re-send is byte-identical (J3). */
export type JournalRecord =
  /** An own vote (J1). */
  | { readonly kind: "vote"; readonly statement: VoteStatement }
  /** The certificate that let us enter a view (J2). */
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  /** A proposal with its block, no later than our NOTARIZE for it, so that a block outlives a power cut of every box. */
  | { readonly kind: "proposal"; readonly proposal: Proposal; readonly block: Block }
  /** Nothing at or below this round is voted for again (J5). */
  | { readonly kind: "floor"; readonly round: Round }
  /** Recovery status; durable like a vote (J8). */
  | { readonly kind: "recovery"; readonly status: RecoveryStatus };

/** Why a journal cannot be trusted (J7). */
export type JournalLoss = "missing" | "empty" | "damaged";

/** What a journal held at start: its records above its floor in the order written, or why they are lost. */
export type JournalReplay =
  | { readonly kind: "intact"; readonly floor: Round; readonly recovery: RecoveryStatus; readonly records: readonly JournalRecord[] }
  | { readonly kind: "lost"; readonly loss: JournalLoss; readonly detail: string };

/**
 * The consensus journal (J1..J8), append-only and synced before anything that depends on it leaves. All calls throw on
 * an environment failure; after a throw nothing is appended or signed again in this process (J7).
 */
export interface JournalPort {
  /** What was found when it was opened. */
  replay(): JournalReplay;
  /** Adds a record; not durable before `sync`. On a lost journal the first append (a recovery record) starts a new one. */
  append(record: JournalRecord): void;
  /** Makes every appended record durable. */
  sync(): void | Promise<void>;
  /** Allows records at or below a round to be dropped. The caller has that floor durable in the chain (J5). */
  prune(floor: Round): void;
}

/** The only way to a signature of this box. */
export interface VoteSigner {
  /** Public key, 32 bytes, that verifies the votes. */
  readonly publicKey: Uint8Array;
  /**
   * Signs a vote that is durable in the journal and conflicts with no other there (J3, R5, R7).
   *
   * @throws when it is not, which is a defect of the caller, or when the key cannot be used
   */
  sign(statement: VoteStatement, signer: number): Vote | Promise<Vote>;
}

/** Consensus messages to other boxes. Delivery is not promised; connections are authenticated by the peer's key (R0). */
export interface NetworkPort {
  /** Sends to every connected validator. */
  broadcast(message: Message): void;
  /** Sends to one peer; dropped when it is not connected. */
  send(peer: PeerId, message: Message): void;
  /** Asks peers for batches by digest; when they are held, the node calls the loop's `onBatchesHeld`. */
  fetchBatches(digests: readonly Uint8Array[]): void;
}
