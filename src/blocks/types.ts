import type { Block, BlockHeader, Certificate, EpochHop, Receipt } from "../protocol/index.ts";
import type { BatchLocation } from "./batch-source.ts";
import type { ExecutionRecord } from "./execution-record.ts";

/** A batch as a committed block lists it: enough to show it and to read it back. */
export type CommittedBatch = {
  readonly digest: Uint8Array;
  readonly author: Uint8Array;
  readonly sequence: number;
  readonly transactionCount: number;
  readonly sizeBytes: number;
  readonly location: BatchLocation;
};

/** Records of the chain lane that one commit wrote; the body and hash of each is the event log's. */
export type LaneRecords = {
  readonly epoch: number;
  readonly firstSequence: number;
  readonly records: readonly { readonly body: Uint8Array; readonly hash: Uint8Array }[];
};

/** A place in the chain lane with the hash there. */
export type LanePlace = { readonly epoch: number; readonly sequence: number; readonly hash: Uint8Array };

/** The certificate a block was committed under, or the height of the later block whose row holds it. */
export type CommittedUnder = { readonly certificate: Certificate } | { readonly height: number };

/** A committed block as its row holds it. */
export type CommittedBlock = {
  readonly block: Block;
  readonly hash: Uint8Array;
  readonly finalization: CommittedUnder;
  readonly batches: readonly CommittedBatch[];
  readonly execution: ExecutionRecord;
  readonly lane: LaneRecords;
  /** Lowest record of the batch log that was still needed when it was committed. */
  readonly replayMark: number;
  /** Encoded set of the next epoch; present exactly in an epoch's last block. */
  readonly nextValidatorSet?: Uint8Array;
  /**
   * Steps into the epochs up to its own, from epoch 0 on; present exactly when the chain here begins after this block, at a
   * snapshot: its batches and everything below it are not here.
   */
  readonly hops?: readonly EpochHop[];
};

/** What the row of height 0 holds. */
export type CommittedGenesis = {
  readonly chainId: Uint8Array;
  readonly timeMs: number;
  readonly stateRoot: Uint8Array;
  /** Encoded set of epoch 0. */
  readonly validatorSet: Uint8Array;
  readonly lane: LaneRecords;
};

/** Where an executed transaction stands, with its block's header. */
export type ExecutedAt = { readonly height: number; readonly index: number };

/** A receipt with what proves it: its path to the header's receiptRoot among `receiptCount` leaves. */
export type ProvenReceipt = {
  readonly receipt: Receipt;
  readonly receiptCount: number;
  readonly path: readonly Uint8Array[];
  readonly header: BlockHeader;
};

/**
 * Thrown when the chain on disk, or what follows from it, is not what was written. Says which file and which block, for
 * the operator; nothing is repaired silently.
 */
export class ChainDamaged extends Error {
  override readonly name = "ChainDamaged";
  /** File that the damage is in, as far as it can be told. */
  readonly file: string;
  /** Block it was found at. */
  readonly height: number;

  constructor(file: string, height: number, detail: string) {
    super(`${file}: block ${height}: ${detail}`);
    this.file = file;
    this.height = height;
  }
}

/** Whether an error names damage of the chain. */
export function isChainDamaged(error: unknown): error is ChainDamaged {
  return error instanceof ChainDamaged;
}
