import type { Block, Certificate, Proposal, Vote } from "../protocol/index.ts";

/** Who is at the other end of an authenticated connection: lower-case hex of its Ed25519 key (a validator's, or an observer's). */
export type PeerId = string;

/**
 * A leader's proposal with its block and the nullifications that prove its parent (the parent's own certificate is in
 * the block). The payload may travel before the leader's NOTARIZE is durable (J4), so `leaderVote`, which is what makes
 * it a signed proposal, is absent on the first sending and present when anyone sends it again.
 */
export type ProposalMessage = {
  readonly kind: "proposal";
  readonly proposal: Proposal;
  readonly block: Block;
  readonly nullifications: readonly Certificate[];
  readonly leaderVote?: Vote;
};

/** What to fetch (R9d): certificates of a span of views, a proposal by round and id, a block by hash, final blocks from a height. */
export type FetchTarget =
  | { readonly kind: "certificates"; readonly epoch: number; readonly fromView: number; readonly toView: number }
  | { readonly kind: "proposal"; readonly epoch: number; readonly view: number; readonly proposalId: Uint8Array }
  | { readonly kind: "block"; readonly hash: Uint8Array }
  | { readonly kind: "finalBlocks"; readonly fromHeight: number };

/**
 * First word after a start or a new connection (R15). `token` names this start, so that an answer to an earlier one does
 * not count; `votes` are the sender's last own votes.
 */
export type HelloMessage = {
  readonly kind: "hello";
  readonly token: number;
  readonly height: number;
  readonly epoch: number;
  readonly floorView: number;
  readonly votes: readonly Vote[];
};

/** Answer to a hello: the asker's votes that the answerer has seen above the asker's floor, newest first (J7). */
export type HelloAnswerMessage = { readonly kind: "helloAnswer"; readonly token: number; readonly votesOfYours: readonly Vote[] };

/** A box without its journal asks where the others are (R14). */
export type RecoveryRequestMessage = { readonly kind: "recoveryRequest"; readonly token: number };

/**
 * Answer to a recovery request. `opening` is the finalization of the boundary block that opened the answerer's epoch
 * (absent in epoch 0), `highest` its certificate of the highest view in that epoch (absent when it holds none).
 */
export type RecoveryAnswerMessage = {
  readonly kind: "recoveryAnswer";
  readonly token: number;
  readonly isRecovering: boolean;
  readonly opening?: Certificate;
  readonly highest?: Certificate;
};

/** Everything that consensus says to a peer. The network carries votes and certificates ahead of everything else. */
export type Message =
  | { readonly kind: "vote"; readonly vote: Vote }
  | ProposalMessage
  | { readonly kind: "certificates"; readonly certificates: readonly Certificate[] }
  | { readonly kind: "fetch"; readonly target: FetchTarget }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "finalBlocks"; readonly blocks: readonly Block[]; readonly finalization: Certificate }
  | HelloMessage
  | HelloAnswerMessage
  | RecoveryRequestMessage
  | RecoveryAnswerMessage;
