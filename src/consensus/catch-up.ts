import { bytesEqual, toHex } from "../kernel/index.ts";
import { type Block, blockHashOf, type Certificate, VOTE_KIND } from "../protocol/index.ts";
import { isBodySound } from "./block-body.ts";
import { keepBlock } from "./block-pool.ts";
import { BOUNDS } from "./bounds.ts";
import { acceptCertificate, addTarget, isSound } from "./certificates.ts";
import type { PeerId } from "./messages.ts";
import type { Round } from "./rounds.ts";
import { type BlockEntry, type CoreState, emit, type PeerState, type Want } from "./state.ts";
import type { RefusalCode } from "./steps.ts";
import { want, wantKey } from "./wants.ts";

/** Questions after which a claim that nothing proved is forgotten. */
const CLAIM_QUESTIONS_MAX = 4;

/**
 * Remembers that a peer spoke of a round we cannot judge: a later epoch, whose set we lack, or a view far above ours.
 * The claim itself counts for nothing (R13); it only says whom to ask.
 */
export function noteAhead(core: CoreState, peer: PeerId, round: Round): void {
  const state = core.peers.get(peer);
  if (state && !state.claim) state.claim = round;
}

/**
 * Asks each peer that claims to be ahead for proof: final blocks from our tip when it is in a later epoch, the
 * certificate it must have entered by when it is in a later view. One liar thus hides nobody else's claim, and peers
 * outside the set, of whom one liar may be many, leave room for what is missing for sure.
 */
export function wantProofOfClaims(core: CoreState): void {
  let outsideCount = 0;
  for (const [peer, state] of core.peers) {
    if (!state.claim) continue;
    if (!core.epoch.signerOf.has(peer) && outsideCount++ >= BOUNDS.outsideClaimsMax) continue;
    const target = proofOf(core, state.claim);
    const isHopeless = target && (core.fetches.get(wantKey(target))?.attempts ?? 0) >= CLAIM_QUESTIONS_MAX;
    if (target && !isHopeless) want(core, target, peer);
    else forgetClaim(core, peer, state);
  }
}

/** Whoever claimed for nothing comes last from now on, so that a few liars do not keep others from being asked. */
function forgetClaim(core: CoreState, peer: PeerId, state: PeerState): void {
  state.claim = undefined;
  core.peers.delete(peer);
  core.peers.set(peer, state);
}

/** What would prove a claim, or undefined when we are there ourselves. */
function proofOf(core: CoreState, claim: Round): Want | undefined {
  const { epoch, tip } = core;
  if (claim.epoch > epoch.epoch) return { kind: "finalBlocks", fromHeight: tip.height + 1 };
  if (claim.epoch < epoch.epoch || claim.view <= epoch.current) return undefined;
  return { kind: "certificates", epoch: epoch.epoch, fromView: claim.view - 1, toView: claim.view - 1 };
}

/**
 * Takes final blocks that were asked for: they must extend our tip, hash by hash, and end at the block of a finalization
 * that verifies in the current epoch. They are executed like any other before they are committed.
 *
 * @see consensus R13
 */
export function onFinalBlocks(
  core: CoreState,
  state: PeerState,
  blocks: readonly Block[],
  finalization: Certificate,
): RefusalCode | undefined {
  const isAnswer = takeAnswer(state);
  const key = `finalBlocks:${core.tip.height + 1}`;
  const isLate = blocks[0]?.header.height !== core.tip.height + 1 || !core.fetches.has(key); // the tip moved meanwhile
  if (isLate) return isAnswer ? undefined : "unsolicited";
  const hashes = linkedHashes(core, blocks);
  const last = hashes?.at(-1);
  const isFinal =
    finalization.kind === VOTE_KIND.finalize && finalization.proposal && last && bytesEqual(finalization.proposal.blockHash, last);
  if (!hashes || !isFinal || finalization.epoch !== core.epoch.epoch || !takeFinalization(core, finalization)) return "badCertificate";
  if (!blocks.every((block) => isBodySound(core, block))) return "badBlock";
  for (const [position, block] of blocks.entries()) keepBlock(core, hashes[position] as Uint8Array, block);
  fetchBatchesAhead(core, blocks);
  return undefined;
}

/**
 * Asks for the batches of many final blocks at once, the lowest first: one block's after another would make catching up as
 * slow as a round trip and a sync a block. What is missing when its block is judged is asked for again then.
 */
function fetchBatchesAhead(core: CoreState, blocks: readonly Block[]): void {
  const digests = blocks.flatMap((block) => block.batchDigests).slice(0, BOUNDS.batchesAheadMax);
  if (digests.length > 0) emit(core, { kind: "fetchBatches", digests });
}

/**
 * The batches to ask for because a block lacks some: those, and when it is final, those of the final blocks above it that
 * are here, so that a run with more of them than are asked for at once goes on as it began.
 */
export function batchesToFetch(core: CoreState, blockHash: Uint8Array): readonly Uint8Array[] {
  const entry = core.blocks.get(toHex(blockHash));
  if (!entry) return [];
  const above = finalBlocksAbove(core, entry).flatMap(({ block, lacking, status }) =>
    status === "valid" ? [] : lacking.length > 0 ? lacking : block.batchDigests,
  );
  return [...entry.lacking, ...above].slice(0, BOUNDS.batchesAheadMax);
}

/** Blocks between one and the lowest that is known to be final, that one included, lowest first; none unless it is an ancestor. */
function finalBlocksAbove(core: CoreState, { hash }: BlockEntry): readonly BlockEntry[] {
  const above: BlockEntry[] = [];
  let at = core.targets[0]?.proposal?.blockHash;
  while (at && !bytesEqual(at, hash)) {
    const entry = core.blocks.get(toHex(at));
    if (!entry) return [];
    above.push(entry);
    at = entry.block.header.parentHash;
  }
  return at ? above.reverse() : [];
}

/** Whether a peer that sends blocks was asked for some and did not answer yet: then they are late at worst, not unasked. */
export function takeAnswer(state: PeerState): boolean {
  if (state.owedBlocks === 0) return false;
  state.owedBlocks--;
  return true;
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
  addTarget(core, finalization);
  return true;
}
