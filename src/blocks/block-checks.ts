import { bytesEqual } from "../kernel/index.ts";
import {
  type Block,
  batchRootOf,
  encodeBlock,
  evidenceRootOf,
  type GenesisParameters,
  parseBitmap,
  type ValidatorSet,
} from "../protocol/index.ts";
import type { HeldBatch } from "./batch-source.ts";

/** Why a block can never be valid, as far as blocks judge it. Stable: consensus counts and events name them. */
export type BlockFault =
  | "wrongVersion"
  | "wrongChain"
  | "wrongHeight"
  | "wrongEpoch"
  | "wrongView"
  | "wrongValidatorSet"
  | "wrongNextValidatorSet"
  | "wrongParentBitmap"
  | "wrongBatchRoot"
  | "wrongEvidenceRoot"
  | "repeatedBatch"
  | "tooManyTransactions"
  | "tooLarge"
  | "wrongReceiptRoot"
  | "wrongStateRoot"
  | "uselessEvidence"
  | "notOnTip";

/** What a block has to fit: its chain, its parent, and the epoch it belongs to. */
export type BlockPlace = {
  /** Version that the epoch's blocks have. */
  readonly version: number;
  readonly chainId: Uint8Array;
  readonly parent: { readonly hash: Uint8Array; readonly height: number };
  readonly epoch: number;
  readonly validatorSet: ValidatorSet;
  /** View of the parent in this epoch, 0 when the epoch stands on it. */
  readonly parentView: number;
};

/** Judges what can be told of a block without its batches. Undefined means sound so far. */
export function findHeaderFault(block: Block, place: BlockPlace): BlockFault | undefined {
  const { header, batchDigests, evidence, parentCertificate } = block;
  if (header.version !== place.version) return "wrongVersion";
  if (!bytesEqual(header.chainId, place.chainId)) return "wrongChain";
  if (header.height !== place.parent.height + 1) return "wrongHeight";
  if (header.epoch !== place.epoch) return "wrongEpoch";
  if (!bytesEqual(header.validatorSetHash, place.validatorSet.hash)) return "wrongValidatorSet";
  if (header.leader >= place.validatorSet.validators.length) return "wrongValidatorSet";
  if (header.view <= place.parentView) return "wrongView";
  if (!bytesEqual(header.parentBitmap, parentCertificate?.bitmap ?? NO_BITMAP)) return "wrongParentBitmap";
  if ((parentCertificate === undefined) !== (place.parent.height === 0)) return "wrongParentBitmap";
  if (place.parentView > 0 && !parseBitmap(header.parentBitmap, place.validatorSet.validators.length)) return "wrongParentBitmap";
  if (!bytesEqual(header.batchRoot, batchRootOf(batchDigests))) return "wrongBatchRoot";
  if (!isSame(header.evidenceRoot, evidenceRootOf(evidence))) return "wrongEvidenceRoot";
  if (hasRepeats(batchDigests)) return "repeatedBatch";
  return undefined;
}

/** Judges the size of a block with its parts against the genesis parameters. Undefined means it fits. */
export function findSizeFault(
  block: Block,
  batches: readonly HeldBatch[],
  parameters: Pick<GenesisParameters, "blockBytesMax" | "blockTransactionsMax">,
): BlockFault | undefined {
  let sizeBytes = encodeBlock(block).length;
  let transactions = 0;
  for (const batch of batches) {
    sizeBytes += batch.sizeBytes;
    transactions += batch.header.count;
  }
  if (transactions > parameters.blockTransactionsMax) return "tooManyTransactions";
  return sizeBytes > parameters.blockBytesMax ? "tooLarge" : undefined;
}

const NO_BITMAP = new Uint8Array(0);

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

function hasRepeats(digests: readonly Uint8Array[]): boolean {
  return new Set(digests.map((digest) => Buffer.from(digest).toString("latin1"))).size !== digests.length;
}
