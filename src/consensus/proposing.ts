import { assert, toHex } from "../kernel/index.ts";
import { type Certificate, type Proposal, proposalIdOf, VOTE_KIND } from "../protocol/index.ts";
import { chooseParent, type ProvenParent, readyParent } from "./ancestry.ts";
import { armReason, disarm } from "./arming.ts";
import { castNotarize, journalProposal, mayVote } from "./ballots.ts";
import { keepProposal } from "./block-pool.ts";
import type { BuildRequest, BuiltBlock } from "./block-port.ts";
import { BOUNDS } from "./bounds.ts";
import { nextBlockTimeMs } from "./chain-time.ts";
import { selectEvidence } from "./evidence-pool.ts";
import type { ProposalMessage } from "./messages.ts";
import { type CoreState, emit, type ProposalEntry, type ViewState, viewOf } from "./state.ts";
import { leaderOf } from "./votes.ts";

/**
 * R2: propose once the current view is armed, if it is ours and we cast no vote in it, on the highest proven parent, not
 * before the minimum interval. A boundary block that is not final yet is proposed again as it is (R12).
 *
 * @returns whether something changed
 */
export function tryPropose(core: CoreState): boolean {
  const { epoch } = core;
  const view = viewOf(epoch, epoch.current);
  if (!isOurTurn(core, view) || core.nowMs < earliestProposalAtMs(core)) return false;
  if (armReason(core) === undefined) {
    disarm(view);
    return true;
  }
  const parent = chooseParent(core, view.view);
  const facts = parent && readyParent(core, parent);
  if (!parent || !facts) return false;
  if (facts.isBoundary) return repropose(core, view, parent);
  view.isBuildAsked = true;
  const request: BuildRequest = {
    epoch: epoch.epoch,
    view: view.view,
    leader: leaderOf(core, epoch, view.view),
    parentHash: parent.hash,
    ...(parent.certificate ? { parentCertificate: parent.certificate } : {}),
    timeMs: nextBlockTimeMs(core, facts.timeMs),
    isEmpty: facts.height - core.tip.height >= BOUNDS.unfinalizedBlocksMax,
    validatorSet: epoch.set,
    evidence: selectEvidence(core),
  };
  assert(request.timeMs > facts.timeMs, "a block's time lies above its parent's");
  emit(core, { kind: "build", request });
  return true;
}

/** Takes the built block: journals it, sends it, notarizes it (J4). A failed build gives the view up (R5). */
export function onBuilt(core: CoreState, request: BuildRequest, built: BuiltBlock | undefined): void {
  const { epoch } = core;
  const view = epoch.epoch === request.epoch && epoch.current === request.view ? viewOf(epoch, request.view) : undefined;
  if (!view?.isBuildAsked || view.own.notarize !== undefined || view.own.nullify || !mayVote(core, view.view)) return;
  if (!built) {
    view.hasFailed = true;
    return;
  }
  const parentView = request.parentCertificate?.epoch === request.epoch ? request.parentCertificate.view : 0;
  const proposal: Proposal = { epoch: request.epoch, view: request.view, parentView, blockHash: built.hash };
  propose(core, view, keepProposal(core, view, toHex(proposalIdOf(proposal)), proposal, built.block, "valid"));
}

/** When R2's minimum interval since the newest proposal has passed. */
export function earliestProposalAtMs(core: CoreState): number {
  return core.lastProposalAtMs + core.config.timers.minimumBlockIntervalMs;
}

/** Whether we lead the current view, it is armed, and nothing was voted or asked for in it yet. */
export function isOurTurn(core: CoreState, view: ViewState): boolean {
  const { epoch } = core;
  if (view.armedAtMs === undefined || view.isBuildAsked || view.hasFailed || core.isCommitting) return false;
  if (view.own.notarize !== undefined || view.own.nullify || view.own.finalize !== undefined) return false;
  return leaderOf(core, epoch, view.view) === epoch.self && mayVote(core, view.view);
}

/** A proposal as it is sent: with its block, the nullifications below it and, when known, the leader's vote that signs it. */
export function proposalMessage(core: CoreState, view: ViewState, entry: ProposalEntry): ProposalMessage | undefined {
  const block = core.blocks.get(entry.blockKey)?.block;
  if (!block) return undefined;
  const nullifications: Certificate[] = [];
  for (let v = view.view - 1; v > entry.proposal.parentView && nullifications.length < BOUNDS.proposalNullificationsMax; v--) {
    const nullification = core.epoch.views.get(v)?.nullification;
    if (nullification) nullifications.push(nullification);
  }
  const leaderVote = view.votes.get(leaderOf(core, core.epoch, view.view))?.notarize;
  const signed = leaderVote?.kind === VOTE_KIND.notarize && view.leaderChoice === entry.id ? { leaderVote } : {};
  return { kind: "proposal", proposal: entry.proposal, block, nullifications, ...signed };
}

function repropose(core: CoreState, view: ViewState, parent: ProvenParent): boolean {
  const block = core.blocks.get(toHex(parent.hash))?.block;
  assert(block !== undefined && parent.view > 0, "a boundary block that is not final is held");
  const proposal: Proposal = { epoch: core.epoch.epoch, view: view.view, parentView: parent.view, blockHash: parent.hash };
  propose(core, view, keepProposal(core, view, toHex(proposalIdOf(proposal)), proposal, block));
  return true;
}

function propose(core: CoreState, view: ViewState, entry: ProposalEntry): void {
  const message = proposalMessage(core, view, entry);
  assert(message !== undefined, "a proposal is sent with its block");
  if (core.epoch.set.validators.length > 1) emit(core, { kind: "broadcast", message, isPayload: true });
  journalProposal(core, entry, message.block);
  castNotarize(core, view, entry);
}
