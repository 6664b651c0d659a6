import type { BuildRequest, BuiltBlock } from "../consensus/index.ts";
import { assert, bytesEqual } from "../kernel/index.ts";
import {
  BLOCK_VERSION,
  type Block,
  type BlockHeader,
  batchRootOf,
  blockHashOf,
  encodeBlock,
  evidenceRootOf,
  type GenesisParameters,
  LIMITS,
} from "../protocol/index.ts";
import type { BatchSource, HeldBatch } from "./batch-source.ts";
import type { BlockExecutor } from "./block-executor.ts";
import type { BlockTable } from "./block-table.ts";
import type { StateOverlay } from "./ports.ts";

/** Bytes that a digest adds to an encoded block. */
const DIGEST_ITEM_BYTES = 34;
/** Bytes that the head of a longer list of digests may add. */
const LIST_HEAD_GROWTH = 2;
const ZEROS = new Uint8Array(32);

/** What building takes. */
export type AssemblyParts<O extends StateOverlay> = {
  readonly chainId: Uint8Array;
  readonly parameters: GenesisParameters;
  readonly table: BlockTable<O>;
  readonly executor: BlockExecutor<O>;
  readonly batches: BatchSource;
};

/**
 * Builds a block on its parent, executes it and holds it as a live block.
 *
 * @see consensus R2
 */
export function assembleBlock<O extends StateOverlay>(parts: AssemblyParts<O>, request: BuildRequest): BuiltBlock {
  const { table } = parts;
  const parent = table.findParent(request.parentHash);
  assert(parent !== undefined, "a block is built on the tip or on a block that was executed here");
  assert(parent.epoch.epoch === request.epoch, "a block belongs to the epoch that its parent leaves open");
  assert(bytesEqual(parent.epoch.validatorSet.hash, request.validatorSet.hash), "an epoch has one validator set");
  const isLast = table.isEpochEnd(parent, request.timeMs);
  const draft = draftOf(parts, request, parent.height + 1, isLast);
  const batches = request.isEmpty ? [] : chooseBatches(parts, request.parentHash, encodeBlock(draft).length);
  const { height, timeMs, leader } = draft.header;
  const { epoch, validatorSet } = request;
  const executed = parts.executor.execute(parent.overlay, { height, epoch, timeMs, leader, validatorSet }, batches);
  const batchDigests = batches.map((batch) => batch.digest);
  const nextValidatorSet = isLast ? table.nextSetAfter(parent, executed.overlay) : undefined;
  const header: BlockHeader = {
    ...draft.header,
    batchRoot: batchRootOf(batchDigests),
    stateRoot: executed.stateRoot,
    receiptRoot: executed.receiptRoot,
    ...(nextValidatorSet && { nextValidatorSetHash: nextValidatorSet.hash }),
  };
  const block: Block = { ...draft, header, batchDigests };
  const hash = blockHashOf(header);
  table.live.makeRoomOn(request.parentHash); // a leader's own block is held in any case: there is one a view
  table.live.add({ ...executed, block, hash, epoch: parent.epoch, nextValidatorSet });
  return { block, hash };
}

/** The block without batches and roots, as long as the final one but for its list of digests. */
function draftOf<O extends StateOverlay>(parts: AssemblyParts<O>, request: BuildRequest, height: number, isLast: boolean): Block {
  const { parentCertificate, evidence } = request;
  const evidenceRoot = evidenceRootOf(evidence);
  const header: BlockHeader = {
    version: BLOCK_VERSION,
    chainId: parts.chainId,
    height,
    epoch: request.epoch,
    view: request.view,
    parentHash: request.parentHash,
    leader: request.leader,
    timeMs: request.timeMs,
    batchRoot: ZEROS,
    stateRoot: ZEROS,
    receiptRoot: ZEROS,
    validatorSetHash: request.validatorSet.hash,
    ...(isLast && { nextValidatorSetHash: ZEROS }),
    parentBitmap: parentCertificate?.bitmap ?? new Uint8Array(0),
    ...(evidenceRoot && { evidenceRoot }),
  };
  return { header, batchDigests: [], evidence, ...(parentCertificate && { parentCertificate }) };
}

/** Oldest batches first, as long as the block with its parts stays within the genesis parameters. */
function chooseBatches<O extends StateOverlay>(parts: AssemblyParts<O>, parentHash: Uint8Array, draftBytes: number): readonly HeldBatch[] {
  const { blockBytesMax, blockTransactionsMax } = parts.parameters;
  const taken = parts.table.digestsAbove(parentHash);
  let bytesLeft = blockBytesMax - draftBytes - LIST_HEAD_GROWTH;
  let transactionsLeft = blockTransactionsMax;
  if (bytesLeft <= 0) return [];
  const offered = parts.batches.select({ bytes: bytesLeft, transactions: transactionsLeft }, (digestHex) => taken.has(digestHex));
  const chosen: HeldBatch[] = [];
  for (const batch of offered) {
    bytesLeft -= batch.sizeBytes + DIGEST_ITEM_BYTES;
    transactionsLeft -= batch.header.count;
    if (bytesLeft < 0 || transactionsLeft < 0 || chosen.length === LIMITS.blockBatchesMax) break;
    chosen.push(batch);
  }
  return chosen;
}
