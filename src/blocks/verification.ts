import type { BlockVerdict } from "../consensus/index.ts";
import { bytesEqual } from "../kernel/index.ts";
import { type Block, blockHashOf, type ValidatorSet } from "../protocol/index.ts";
import type { AssemblyParts } from "./assembly.ts";
import type { HeldBatch } from "./batch-source.ts";
import { type BlockFault, findHeaderFault, findSizeFault } from "./block-checks.ts";
import { parentViewOf } from "./block-executor.ts";
import type { ParentBlock } from "./block-table.ts";
import type { StateOverlay } from "./ports.ts";

/**
 * Judges a block on its parent: header and parts, size, batches at hand, and that executing it gives its roots. A valid
 * one is held as a live block.
 *
 * @see consensus R3
 */
export function verifyBlock<O extends StateOverlay>(parts: AssemblyParts<O>, block: Block, validatorSet: ValidatorSet): BlockVerdict {
  const { header } = block;
  const { table } = parts;
  const hash = blockHashOf(header);
  if (table.live.find(hash)) return { kind: "valid", hash };
  const parent = table.findParent(header.parentHash);
  if (!parent) {
    // A block at or below the tip that is not the tip's child competes with what is final.
    return header.height <= table.tip.height ? invalid("notOnTip") : { kind: "missingParent", hash: header.parentHash };
  }
  const { epoch, validatorSet: epochSet } = parent.epoch;
  const version = parts.executor.blockVersionOn(parent.overlay);
  const place = { version, chainId: parts.chainId, parent, epoch, validatorSet: epochSet, parentView: parentViewOf(parent) };
  const fault = findHeaderFault(block, place);
  if (fault) return invalid(fault);
  if (!bytesEqual(validatorSet.hash, epochSet.hash)) return invalid("wrongValidatorSet");
  const held = holdBatches(parts, block);
  if ("missing" in held) return { kind: "missingBatches", digests: held.missing };
  const sizeFault = findSizeFault(block, held.batches, parts.executor.parametersOn(parent.overlay));
  if (sizeFault) return invalid(sizeFault);
  if (!table.live.makeRoomOn(header.parentHash)) return { kind: "noRoom" };
  const executionFault = executeAndHold(parts, block, hash, parent, held.batches);
  return executionFault ? invalid(executionFault) : { kind: "valid", hash };
}

function executeAndHold<O extends StateOverlay>(
  parts: AssemblyParts<O>,
  block: Block,
  hash: Uint8Array,
  parent: ParentBlock<O>,
  batches: readonly HeldBatch[],
): BlockFault | undefined {
  const { header } = block;
  const executed = parts.executor.execute(parent.overlay, block, parent, batches);
  const { refusedEvidence, nextValidatorSet } = executed.execution;
  if (refusedEvidence.length > 0) return "uselessEvidence";
  if (!bytesEqual(executed.receiptRoot, header.receiptRoot)) return "wrongReceiptRoot";
  if (!bytesEqual(executed.stateRoot, header.stateRoot)) return "wrongStateRoot";
  if (!isSameHash(header.nextValidatorSetHash, nextValidatorSet?.hash)) return "wrongNextValidatorSet";
  parts.table.live.add({ ...executed, block, hash, epoch: parent.epoch });
  return undefined;
}

function isSameHash(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

function holdBatches<O extends StateOverlay>(
  parts: AssemblyParts<O>,
  block: Block,
): { readonly batches: readonly HeldBatch[] } | { readonly missing: readonly Uint8Array[] } {
  const batches: HeldBatch[] = [];
  const missing: Uint8Array[] = [];
  for (const digest of block.batchDigests) {
    const held = parts.batches.find(digest);
    if (held) batches.push(held);
    else missing.push(digest);
  }
  return missing.length > 0 ? { missing } : { batches };
}

function invalid(code: BlockFault): BlockVerdict {
  return { kind: "invalid", code };
}
