import { bytesEqual } from "../kernel/index.ts";
import { batchRootOf, checkCertificate, type VerifySignature, VOTE_KIND } from "../protocol/index.ts";
import type { BlockContents } from "./block-contents.ts";
import type { ChainReader } from "./chain-reader.ts";
import type { BlockStore } from "./store.ts";
import type { CommittedBlock } from "./types.ts";

/** How deep a scrub looks. */
export type ScrubDepth = {
  /** Verifies every signature of every finalization, about 40 microseconds each. */
  readonly verifySignature?: VerifySignature;
  /** Reads every batch back and compares the receipts' root with the header's. */
  readonly contents?: BlockContents;
};

/** What a scrub has walked so far. */
export type ScrubProgress = { readonly height: number; readonly prunedBlocks: number };

/**
 * Proves the rows of a span of heights, one block a step: each follows from the one before by row hash and by parent
 * hash, commits to its batches, is final under a certificate that names it or a block it leads to, and continues the
 * chain lane. Ends at the tip at the latest.
 *
 * @throws ChainDamaged at the first block that is not what was written
 */
export function* scrubChain(
  store: BlockStore,
  reader: ChainReader,
  from = 1,
  to = reader.tipHeight,
  depth: ScrubDepth = {},
): Generator<ScrubProgress, void, undefined> {
  const genesis = store.genesis();
  const first = Math.max(from, 1 + store.baseHeight);
  if (to < first) return;
  let parentHash = reader.hashAt(first - 1);
  let lane = first === 1 ? genesis.lane : store.read(first - 1).lane;
  let prunedBlocks = 0;
  for (const block of store.rowsFrom(first)) {
    const { header } = block.block;
    const { height } = header;
    if (height > to) return;
    const fault = findRowFault(block, genesis.chainId, parentHash) ?? findFinalityFault(store, reader, block, depth.verifySignature);
    if (fault) throw store.damaged(height, fault);
    if (!isLaneContinued(lane, block.lane)) throw store.damaged(height, "its records do not continue the chain lane");
    if (depth.contents && !depth.contents.load(block)) prunedBlocks++;
    parentHash = block.hash;
    lane = block.lane;
    yield { height, prunedBlocks };
  }
}

function findRowFault({ block }: CommittedBlock, chainId: Uint8Array, parentHash: Uint8Array): string | undefined {
  const { header, batchDigests } = block;
  if (!bytesEqual(header.chainId, chainId)) return "it belongs to another chain";
  if (!bytesEqual(header.parentHash, parentHash)) return "its parent is not the block before it";
  if (!bytesEqual(header.batchRoot, batchRootOf(batchDigests))) return "its header commits to other batches";
  return undefined;
}

function findFinalityFault(
  store: BlockStore,
  reader: ChainReader,
  row: CommittedBlock,
  verifySignature: VerifySignature | undefined,
): string | undefined {
  const certificate = reader.finalizationOf(row);
  const { header } = row.block;
  const named = "height" in row.finalization ? store.read(row.finalization.height).hash : row.hash;
  if (certificate.kind !== VOTE_KIND.finalize || !certificate.proposal) return "it was committed under no finalization";
  // A block synced on its own may have been committed under the certificate of a descendant that is in a later commit.
  if ("height" in row.finalization && !bytesEqual(certificate.proposal.blockHash, named)) return "its finalization names no block after it";
  if (!verifySignature) return undefined;
  const start = reader.findEpoch(header.epoch);
  if (!start) return `how epoch ${header.epoch} began is not in the chain`;
  const verdict = checkCertificate(certificate, start.validatorSet, header.epoch, header.chainId, verifySignature);
  return verdict.ok ? undefined : `its finalization fails: ${verdict.error}`;
}

function isLaneContinued(before: CommittedBlock["lane"], after: CommittedBlock["lane"]): boolean {
  const next = before.firstSequence + before.records.length;
  return after.epoch === before.epoch ? after.firstSequence === next : after.epoch === before.epoch + 1 && after.firstSequence === 1;
}
