import { bytesEqual, toHex } from "../kernel/index.ts";
import { type Block, blockHashOf, type Certificate, VOTE_KIND } from "../protocol/index.ts";
import { keepBlock } from "./block-pool.ts";
import { acceptCertificate, isSound } from "./certificates.ts";
import type { PeerId } from "./messages.ts";
import { compareRounds, type Round } from "./rounds.ts";
import type { CoreState } from "./state.ts";
import type { RefusalCode } from "./steps.ts";
import { want } from "./wants.ts";

/**
 * Remembers that a peer spoke of a round we cannot judge: a later epoch, whose set we lack, or a view far above ours.
 * The claim itself counts for nothing (R13); it only says whom to ask.
 */
export function noteAhead(core: CoreState, peer: PeerId, round: Round): void {
  if (!core.ahead || compareRounds(round, core.ahead.round) > 0) core.ahead = { peer, round };
}

/**
 * Asks a peer that claims to be ahead for proof: final blocks from our tip when it is in a later epoch, the certificate
 * it must have entered by when it is in a later view.
 */
export function wantProofOfAhead(core: CoreState): void {
  const { ahead, epoch } = core;
  if (!ahead) return;
  const isReached = ahead.round.epoch < epoch.epoch || (ahead.round.epoch === epoch.epoch && ahead.round.view <= epoch.current);
  if (isReached || !core.peers.has(ahead.peer)) {
    core.ahead = undefined;
    return;
  }
  if (ahead.round.epoch > epoch.epoch) {
    want(core, { kind: "finalBlocks", fromHeight: core.tip.height + 1 }, ahead.peer);
    return;
  }
  const view = Math.max(1, ahead.round.view - 1);
  want(core, { kind: "certificates", epoch: epoch.epoch, fromView: view, toView: view }, ahead.peer);
}

/**
 * Takes final blocks that were asked for: they must extend our tip, hash by hash, and end at the block of a finalization
 * that verifies in the current epoch. They are executed like any other before they are committed.
 *
 * @see consensus R13
 */
export function onFinalBlocks(core: CoreState, blocks: readonly Block[], finalization: Certificate): RefusalCode | undefined {
  const key = `finalBlocks:${core.tip.height + 1}`;
  if (!core.fetches.has(key)) return undefined; // a late answer: the tip moved meanwhile
  const hashes = linkedHashes(core, blocks);
  const last = hashes?.at(-1);
  const isFinal =
    finalization.kind === VOTE_KIND.finalize && finalization.proposal && last && bytesEqual(finalization.proposal.blockHash, last);
  if (!hashes || !isFinal || finalization.epoch !== core.epoch.epoch || !takeFinalization(core, finalization)) return "badCertificate";
  for (const [position, block] of blocks.entries()) keepBlock(core, hashes[position] as Uint8Array, block);
  return undefined;
}

/** Hashes of blocks that extend the tip one by one, or undefined when they do not. */
function linkedHashes(core: CoreState, blocks: readonly Block[]): Uint8Array[] | undefined {
  const hashes: Uint8Array[] = [];
  let parent = core.tip.hash;
  let { height } = core.tip;
  for (const { header } of blocks) {
    if (header.height !== height + 1 || !bytesEqual(header.parentHash, parent)) return undefined;
    parent = blockHashOf(header);
    height++;
    hashes.push(parent);
  }
  return hashes;
}

/** A finalization below the floor is no news for agreement but commits its blocks first. */
function takeFinalization(core: CoreState, finalization: Certificate): boolean {
  const { epoch } = core;
  if (finalization.view > epoch.floor) return acceptCertificate(core, finalization) !== "refused";
  const key = toHex(finalization.proposal?.blockHash ?? new Uint8Array());
  if (core.targets.some((target) => toHex(target.proposal?.blockHash ?? new Uint8Array()) === key)) return true;
  if (!isSound(core, epoch, finalization)) return false;
  core.targets.push(finalization);
  core.targets.sort((a, b) => a.view - b.view);
  return true;
}
