import type { Block, Vote, VoteStatement } from "../protocol/index.ts";
import type { BlockVerdict, BuildRequest, BuiltBlock, ChainTip, EpochOpening, FinalizedBlock } from "./block-port.ts";
import type { Message, PeerId } from "./messages.ts";
import type { JournalRecord } from "./ports.ts";
import type { Round } from "./rounds.ts";

/** The time of a step: monotonic milliseconds drive timers, wall milliseconds only R16. */
export type StepTime = { readonly monotonicMs: number; readonly wallMs: number };

/** Everything that can happen to the core. Messages come from peers whose key the connection has proven (R0). */
export type Input =
  /** Time has passed: a deadline may be due. */
  | { readonly kind: "tick" }
  /** Whether an includable batch is held (R1). */
  | { readonly kind: "work"; readonly hasWork: boolean }
  | { readonly kind: "message"; readonly from: PeerId; readonly message: Message }
  | { readonly kind: "peerUp"; readonly peer: PeerId }
  | { readonly kind: "peerDown"; readonly peer: PeerId }
  /** A peer says which is the lowest block that it can serve. */
  | { readonly kind: "peerReach"; readonly peer: PeerId; readonly lowestHeight: number }
  /** Batches arrived: blocks that missed some may be judged again. */
  | { readonly kind: "batchesHeld" }
  /** Answer to `build`; no block when building failed. */
  | { readonly kind: "built"; readonly request: BuildRequest; readonly built?: BuiltBlock }
  /** Answer to `check`. */
  | { readonly kind: "checked"; readonly hash: Uint8Array; readonly verdict: BlockVerdict }
  /** Answer to `sign`: the vote is durable, counts and may leave (J1). */
  | { readonly kind: "ownVote"; readonly vote: Vote }
  /** Answer to `commit`; `opened` when the last block was a boundary. */
  | { readonly kind: "committed"; readonly tip: ChainTip; readonly opened?: EpochOpening }
  /** Encoded evidence that another part of the node found, e.g. a faulty batch. */
  | { readonly kind: "evidence"; readonly encoded: Uint8Array };

/** Something worth a log line, a metric or a score, with no bearing on the protocol. */
export type Notice =
  | { readonly kind: "refused"; readonly from: PeerId; readonly code: RefusalCode }
  | { readonly kind: "entered"; readonly epoch: number; readonly view: number }
  | {
      readonly kind: "certified";
      readonly epoch: number;
      readonly view: number;
      readonly by: "notarization" | "nullification" | "finalization";
    }
  | { readonly kind: "evidence"; readonly encoded: Uint8Array }
  | { readonly kind: "blockInvalid"; readonly epoch: number; readonly view: number; readonly code: string }
  | { readonly kind: "recovering"; readonly why: string }
  /** Blocks of this version, from this epoch on, are not known here: this box takes no further part. */
  | { readonly kind: "outdated"; readonly version: number; readonly epoch: number }
  /** No connected peer says that it has the next block that is missing here; the lowest of theirs. */
  | { readonly kind: "outOfReach"; readonly fromHeight: number; readonly lowestHeight: number }
  | { readonly kind: "recovered"; readonly epoch: number; readonly firstView: number };

/**
 * Why a peer's message was refused; each costs the peer score. `notItsSigner`: a vote from another's connection.
 * `secondVote`: one more of a signer that contradicted itself in that view already. `badBlock`: what came with a header is not what
 * the header commits to. `unsolicited`: an answer nobody asked for.
 */
export type RefusalCode =
  | "notItsSigner"
  | "unknownSigner"
  | "secondVote"
  | "badSignature"
  | "badCertificate"
  | "badProposal"
  | "badBlock"
  | "unsolicited";

/**
 * What the loop does, in list order. After a `persist`, every later effect of the list waits until it is durable;
 * `build`, `check` and a broadcast that `isPayload` do not (J4).
 */
export type Effect =
  | { readonly kind: "persist"; readonly record: JournalRecord }
  /** Sign a journaled vote; answered by `ownVote`. */
  | { readonly kind: "sign"; readonly statement: VoteStatement; readonly signer: number }
  | { readonly kind: "broadcast"; readonly message: Message; readonly isPayload?: true }
  | { readonly kind: "send"; readonly to: PeerId; readonly message: Message }
  | { readonly kind: "build"; readonly request: BuildRequest }
  | { readonly kind: "check"; readonly hash: Uint8Array; readonly block: Block }
  | { readonly kind: "fetchBatches"; readonly digests: readonly Uint8Array[] }
  | { readonly kind: "commit"; readonly blocks: readonly FinalizedBlock[] }
  | { readonly kind: "discard"; readonly hash: Uint8Array }
  /** Allows the journal to forget what lies at or below a round that the chain holds durably (J5). */
  | { readonly kind: "prune"; readonly floor: Round }
  /** Send a peer the block of this hash, or final blocks from a height, out of the store. */
  | { readonly kind: "serveBlock"; readonly to: PeerId; readonly hash: Uint8Array }
  | { readonly kind: "serveFinalBlocks"; readonly to: PeerId; readonly fromHeight: number }
  | { readonly kind: "notice"; readonly notice: Notice }
  /** Agreement itself is broken (more than F faulty, or this box computes wrongly): stop the process, sign nothing more. */
  | { readonly kind: "halt"; readonly reason: string };
