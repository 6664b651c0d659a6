import { assert, bytesEqual, present, toHex } from "../kernel/index.ts";
import { type Block, type Certificate, proposalIdOf } from "../protocol/index.ts";
import { bytesOfBlock } from "./anti-entropy.ts";
import { castFinalize, mayVote } from "./ballots.ts";
import { dropStaleBlocks, judgeBlock, retryLacking } from "./block-pool.ts";
import type { ChainTip, EpochOpening, FinalizedBlock } from "./block-port.ts";
import { openEpoch } from "./epochs.ts";
import { dropSpentEvidence } from "./evidence-pool.ts";
import { type CoreState, emit, viewOf } from "./state.ts";
import { want } from "./wants.ts";

/**
 * R7: finalize every notarized proposal above the floor whose block and ancestry are local and valid, where we cast no
 * NULLIFY, our NOTARIZE (if any) is for it, and the leader did not equivocate. Allowed after the view was left.
 *
 * @returns whether something changed
 */
export function tryFinalize(core: CoreState): boolean {
  const { epoch } = core;
  let hasCast = false;
  for (const number of epoch.notarized) {
    const view = viewOf(epoch, number);
    const proposal = view.notarization?.proposal;
    assert(proposal !== undefined, "a view counted as notarized holds its notarization");
    if (view.own.finalize !== undefined) continue;
    const status = judgeBlock(core, proposal.blockHash);
    if (status !== "valid" || view.own.nullify || view.isEquivocated || !mayVote(core, number)) continue;
    const id = toHex(proposalIdOf(proposal));
    if (view.own.notarize !== undefined && view.own.notarize !== id) continue;
    castFinalize(core, view, id);
    hasCast = true;
  }
  return hasCast;
}

/**
 * R8: the lowest finalization not committed yet makes its block and all its ancestors final, in height order, once they
 * are local and valid. A final block that conflicts with the chain or fails our check breaks agreement or this box: stop.
 *
 * @returns whether something changed
 */
export function tryCommit(core: CoreState): boolean {
  const finalization = core.targets[0];
  if (!finalization?.proposal || core.isCommitting || core.isHalted) return false;
  const { blockHash } = finalization.proposal;
  const status = judgeBlock(core, blockHash);
  if (status === "orphan" || status === "invalid") {
    halt(core, `the final block ${toHex(blockHash)} of epoch ${finalization.epoch}, view ${finalization.view} is ${status} here`);
    return true;
  }
  if (status === "missing") wantFinalBlocks(core, blockHash);
  if (status !== "valid") return false;
  const blocks = chainTo(core, blockHash, finalization);
  core.isCommitting = true;
  if (blocks.length > 0) emit(core, { kind: "commit", blocks });
  return blocks.length > 0;
}

/** The commit is durable: move on from it, into the next epoch when it was a boundary (R8, R12). */
export function onCommitted(core: CoreState, tip: ChainTip, opened: EpochOpening | undefined): void {
  assert(core.isCommitting && tip.height > core.tip.height, "a commit extends the chain");
  const [finalization] = core.targets;
  assert(
    finalization?.proposal !== undefined && bytesEqual(finalization.proposal.blockHash, tip.hash),
    "a commit ends at the block of its finalization",
  );
  for (let at = tip.hash; !bytesEqual(at, core.tip.hash); ) {
    const entry = present(core.blocks.get(toHex(at)), "a committed block was held");
    core.blockBytes = Math.max(bytesOfBlock(entry.block), 0.99 * core.blockBytes);
    at = entry.block.header.parentHash;
  }
  core.isCommitting = false;
  core.tip = tip;
  dropSpentEvidence(core);
  retryLacking(core);
  core.tipAtMs = core.nowMs;
  core.standstillAtMs = undefined;
  core.targets = core.targets.filter((target) => target.view > finalization.view);
  if (opened) openEpoch(core, opened);
  dropStaleBlocks(core);
  emit(core, { kind: "prune", floor: { epoch: finalization.epoch, view: finalization.view } });
}

/** Ends all voting for good. */
function halt(core: CoreState, reason: string): void {
  core.isHalted = true;
  emit(core, { kind: "halt", reason });
}

/** When more than two heights are missing, final blocks in one answer beat fetching them one by one (R13). */
function wantFinalBlocks(core: CoreState, hash: Uint8Array): void {
  const header = core.blocks.get(toHex(hash))?.block.header;
  if (!header || header.height <= core.tip.height + 2) return;
  want(core, { kind: "finalBlocks", fromHeight: core.tip.height + 1 });
}

function chainTo(core: CoreState, hash: Uint8Array, finalization: Certificate): FinalizedBlock[] {
  const blocks: { block: Block; hash: Uint8Array; finalization: Certificate }[] = [];
  for (let at = hash; !bytesEqual(at, core.tip.hash); ) {
    const entry = present(core.blocks.get(toHex(at)), "a valid block and its ancestors are held");
    blocks.push({ block: entry.block, hash: at, finalization });
    assert(blocks.length <= core.blocks.size, "ancestry ends at the tip");
    at = entry.block.header.parentHash;
  }
  return blocks.reverse();
}
