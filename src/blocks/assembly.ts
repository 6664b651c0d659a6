import type { BuildRequest, BuiltBlock } from "../consensus/index.ts";
import { assert, bytesEqual } from "../kernel/index.ts";
import { type Block, type BlockHeader, batchRootOf, blockHashOf, encodeBlock, evidenceRootOf, LIMITS } from "../protocol/index.ts";
import type { BatchSource, HeldBatch } from "./batch-source.ts";
import type { BlockExecutor } from "./block-executor.ts";
import type { BlockTable } from "./block-table.ts";
import type { StateOverlay } from "./ports.ts";

/** Bytes that a digest adds to an encoded block. */
const DIGEST_ITEM_BYTES = 34;
/** Bytes that the head of a longer list of digests may add, and the hash of the next set in an epoch's last block. */
const DRAFT_GROWTH = 2 + 35;
const ZEROS = new Uint8Array(32);

/** What building takes. */
export type AssemblyParts<O extends StateOverlay> = {
  readonly chainId: Uint8Array;
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
  const version = parts.executor.blockVersionOn(parent.overlay);
  const asked = draftOf(parts, request, version, parent.height + 1, request.evidence);
  const evidence = parts.executor.selectEvidence(parent.overlay, asked, parent);
  const draft = evidence.length === asked.evidence.length ? asked : draftOf(parts, request, version, parent.height + 1, evidence);
  const batches = request.isEmpty ? [] : chooseBatches(parts, request.parentHash, parent.overlay, encodeBlock(draft).length);
  const executed = parts.executor.execute(parent.overlay, draft, parent, batches);
  const { refusedEvidence, nextValidatorSet } = executed.execution;
  assert(refusedEvidence.length === 0, "a block is built with evidence that convicts");
  const batchDigests = batches.map((batch) => batch.digest);
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
  table.live.add({ ...executed, block, hash, epoch: parent.epoch });
  return { block, hash };
}

/** The block without batches and roots, as long as the final one but for its list of digests and the hash of a next set. */
function draftOf<O extends StateOverlay>(
  parts: AssemblyParts<O>,
  request: BuildRequest,
  version: number,
  height: number,
  evidence: readonly Uint8Array[],
): Block {
  const { parentCertificate } = request;
  const evidenceRoot = evidenceRootOf(evidence);
  const header: BlockHeader = {
    version,
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
    parentBitmap: parentCertificate?.bitmap ?? new Uint8Array(0),
    ...(evidenceRoot && { evidenceRoot }),
  };
  return { header, batchDigests: [], evidence, ...(parentCertificate && { parentCertificate }) };
}

/** Oldest batches first, as long as the block with its parts stays within the parameters in force. */
function chooseBatches<O extends StateOverlay>(
  parts: AssemblyParts<O>,
  parentHash: Uint8Array,
  below: O | undefined,
  draftBytes: number,
): readonly HeldBatch[] {
  const { blockBytesMax, blockTransactionsMax } = parts.executor.parametersOn(below);
  const taken = parts.table.digestsAbove(parentHash);
  let bytesLeft = blockBytesMax - draftBytes - DRAFT_GROWTH;
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
