import type { FinalizedBlock } from "../consensus/index.ts";
import { bytesEqual, present } from "../kernel/index.ts";
import { encodeValidatorSet } from "../protocol/index.ts";
import { recordExecution } from "./execution-record.ts";
import type { LiveBlock } from "./live-blocks.ts";
import type { ChainLane, SealedRecord, StateOverlay } from "./ports.ts";
import type { CommittedBlock, CommittedUnder, LanePlace } from "./types.ts";

/** A block about to be committed: its row, and the records of the chain lane in it. */
export type PreparedCommit<O extends StateOverlay, R extends SealedRecord> = {
  readonly live: LiveBlock<O>;
  readonly row: CommittedBlock;
  readonly records: readonly R[];
};

/**
 * Makes the rows of final blocks, in height order, sealing the chain lane's records from its last place on. Pure but for
 * the lane, which only computes.
 */
export function prepareCommit<O extends StateOverlay, R extends SealedRecord>(
  lane: ChainLane<R>,
  after: LanePlace,
  blocks: readonly { readonly live: LiveBlock<O>; readonly finalized: FinalizedBlock }[],
  replayMark: number,
): readonly PreparedCommit<O, R>[] {
  const prepared: PreparedCommit<O, R>[] = [];
  let place = after;
  for (const [at, { live, finalized }] of blocks.entries()) {
    const records = lane.sealBlock(place, factsOf(live));
    const first = present(records[0], "a block has records in the chain lane");
    const last = present(records.at(-1), "a block has records in the chain lane");
    place = { epoch: last.epoch, sequence: last.sequence, hash: last.hash };
    const row: CommittedBlock = {
      block: live.block,
      hash: live.hash,
      finalization: committedUnder(finalized, blocks.slice(at + 1)),
      batches: live.batches.map(({ digest, header, sizeBytes, location }) => ({
        digest,
        author: header.author,
        sequence: header.sequence,
        transactionCount: header.count,
        sizeBytes,
        location,
      })),
      execution: recordExecution(live.transactions, live.execution),
      lane: { epoch: first.epoch, firstSequence: first.sequence, records: records.map(({ body, hash }) => ({ body, hash })) },
      replayMark,
      ...(live.execution.nextValidatorSet && { nextValidatorSet: encodeValidatorSet(live.execution.nextValidatorSet) }),
    };
    prepared.push({ live, row, records });
  }
  return prepared;
}

function factsOf<O extends StateOverlay>({ block: { header }, hash, epoch, execution }: LiveBlock<O>) {
  return {
    height: header.height,
    hash,
    epoch: header.epoch,
    view: header.view,
    timeMs: header.timeMs,
    executed: execution.receipts.length,
    failed: execution.receipts.filter(({ code }) => code !== "applied").length,
    skipped: execution.skipped.length,
    fees: execution.feesPaid,
    convictions: execution.convictions,
    validatorSet: epoch.validatorSet,
    nextValidatorSet: execution.nextValidatorSet,
  };
}

/** A certificate that finalizes several blocks of one commit is stored once, in the row of the block that it names. */
function committedUnder(
  finalized: FinalizedBlock,
  later: readonly { readonly live: { readonly hash: Uint8Array; readonly block: FinalizedBlock["block"] } }[],
): CommittedUnder {
  const named = finalized.finalization.proposal?.blockHash;
  const holder = named && later.find(({ live }) => bytesEqual(live.hash, named));
  return holder ? { height: holder.live.block.header.height } : { certificate: finalized.finalization };
}
