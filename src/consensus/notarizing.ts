import { bytesEqual } from "../kernel/index.ts";
import { proveParent, readyParent } from "./ancestry.ts";
import { castNotarize, mayVote } from "./ballots.ts";
import { findLeaderProposal, findParentFacts, judgeBlock, wantLeaderProposal } from "./block-pool.ts";
import { waitForTimeMs } from "./chain-time.ts";
import { checkHeader } from "./header-rules.ts";
import { type CoreState, note, type ProposalEntry, type ViewState, viewOf } from "./state.ts";
import { leaderOf } from "./votes.ts";

/** What R3 says of a proposal now. Pending ones wait for data, which is asked for, or for a time in the future. */
export type ProposalJudgement = "valid" | "invalid" | "pending";

/**
 * R3: notarize the first proposal signed by the leader of the current view, once it proves itself. A permanently invalid
 * one marks the view as failed, which R5 turns into NULLIFY at once.
 *
 * @returns whether something changed
 */
export function tryNotarize(core: CoreState): boolean {
  const { epoch } = core;
  const view = viewOf(epoch, epoch.current);
  if (view.own.notarize !== undefined || view.own.nullify || view.hasFailed) return false;
  const judgement = judgeLeaderProposal(core, view);
  const entry = findLeaderProposal(view);
  if (judgement === "invalid") {
    view.hasFailed = true;
    return true;
  }
  if (judgement !== "valid" || !entry || !mayVote(core, view.view)) return false;
  castNotarize(core, view, entry);
  return true;
}

/** Whether a valid proposal of the leader is here: its presence arms the view (R1) and meets the proposal deadline (R5). */
export function hasValidProposal(core: CoreState, view: ViewState): boolean {
  return view.own.notarize !== undefined || judgeLeaderProposal(core, view) === "valid";
}

/** Milliseconds until the leader's proposal is no longer in the future (R16); 0 when it is not or there is none. */
export function proposalWaitMs(core: CoreState, view: ViewState): number {
  const entry = findLeaderProposal(view);
  const block = entry && core.blocks.get(entry.blockKey)?.block;
  const parent = block && findParentFacts(core, block.header.parentHash);
  return block ? waitForTimeMs(core, block.header.timeMs, parent?.timeMs ?? block.header.timeMs) : 0;
}

function judgeLeaderProposal(core: CoreState, view: ViewState): ProposalJudgement | "none" {
  const entry = findLeaderProposal(view);
  if (!entry) {
    if (view.leaderChoice !== undefined) wantLeaderProposal(core, view, leaderOf(core, core.epoch, view.view));
    return "none";
  }
  return judgeProposal(core, view, entry);
}

function judgeProposal(core: CoreState, view: ViewState, entry: ProposalEntry): ProposalJudgement {
  const { proposal } = entry;
  const parent = proveParent(core, view.view, proposal.parentView);
  const facts = parent && readyParent(core, parent);
  if (!facts) return "pending";
  // R12: the boundary block may only be repeated; it keeps its header and needs no check but its own.
  if (facts.isBoundary) return bytesEqual(proposal.blockHash, facts.hash) ? "valid" : reject(core, view, entry, "boundaryNotRepeated");
  const block = core.blocks.get(entry.blockKey)?.block;
  if (!block) return "pending";
  if (entry.verdict === undefined) {
    const fault = checkHeader(core, proposal, block, facts);
    if (fault) return reject(core, view, entry, fault);
    entry.verdict = "sound";
  }
  if (entry.verdict !== "sound") return "invalid";
  if (waitForTimeMs(core, block.header.timeMs, facts.timeMs) > 0) return "pending";
  const status = judgeBlock(core, proposal.blockHash);
  if (status === "valid") return "valid";
  return status === "invalid" || status === "orphan" ? "invalid" : "pending";
}

function reject(core: CoreState, view: ViewState, entry: ProposalEntry, code: string): "invalid" {
  if (entry.verdict === undefined) note(core, { kind: "blockInvalid", epoch: core.epoch.epoch, view: view.view, code });
  entry.verdict = { code };
  return "invalid";
}
