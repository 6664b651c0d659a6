import type { ValidatorSet } from "../protocol/index.ts";
import { event } from "./event-schemas.ts";
import { sealRecord, tipOf } from "./record-chain.ts";
import { EMPTY_LANE, type LaneRecord, type LaneTip } from "./types.ts";

/** What the chain lane says of a committed block. */
export type CommittedBlockFacts = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  /** Header time: the chain lane reads no clock, so executing a chain again gives the same records. */
  readonly timeMs: number;
  /** Transactions with a receipt, those of them that paid and changed nothing else, and those that left no trace. */
  readonly executed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Base units charged in the block. */
  readonly fees: bigint;
};

/** The records of genesis: one `validator.registered` for each member of the first set, in the set's order. */
export function sealGenesisRecords(timeMs: number, validatorSet: ValidatorSet): readonly LaneRecord[] {
  const records: LaneRecord[] = [];
  let tip = EMPTY_LANE;
  for (const { publicKey, owner, weight } of validatorSet.validators) {
    const record = sealRecord("chain", tip, timeMs, event("validator.registered", { publicKey, owner, weight, epoch: 0 }));
    records.push(record);
    tip = tipOf(record);
  }
  return records;
}

/** The records of a block: one `block.finalized`, following the lane's tip. */
export function sealBlockRecords(tip: LaneTip, { timeMs, ...facts }: CommittedBlockFacts): readonly LaneRecord[] {
  return [sealRecord("chain", tip, timeMs, event("block.finalized", facts))];
}
