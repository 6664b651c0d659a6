import { assert, toHex } from "../kernel/index.ts";
import { encodeEvidence, isConflict, makeVoteEvidence, VOTE_KIND, type Vote } from "../protocol/index.ts";
import { keepEvidence } from "./evidence-pool.ts";
import { noteHeard } from "./leaders.ts";
import { onUnknownOwnVote } from "./recovery-gate.ts";
import { type CoreState, type EpochState, type OwnVotes, type SignerVotes, type ViewState, viewOf } from "./state.ts";

/** The signer's recorded vote of the same kind, if any. */
export function findVote(view: ViewState | undefined, vote: Pick<Vote, "signer" | "kind">): Vote | undefined {
  return view?.votes.get(vote.signer)?.[slotOf(vote.kind)];
}

/**
 * Enters a vote whose signature is valid into the table of its epoch: the first of each kind counts, a conflicting one
 * becomes evidence, once a view, the leader's NOTARIZE signs its proposal.
 *
 * @see consensus R0, R3, R10, R11
 */
export function recordVote(core: CoreState, epoch: EpochState, vote: Vote): void {
  const weight = epoch.set.validators[vote.signer]?.weight;
  assert(weight !== undefined && vote.epoch === epoch.epoch, "a recorded vote is signed by a member of its epoch's set");
  const view = viewOf(epoch, vote.view);
  const held = heldOf(view, vote.signer);
  for (const other of [held.notarize, held.nullify, held.finalize]) {
    if (!other || held.isContradicted || !isConflict(other, vote)) continue;
    held.isContradicted = true;
    keepEvidence(core, encodeEvidence(makeVoteEvidence(other, vote)));
    if (vote.signer === leaderOf(core, epoch, vote.view)) view.isEquivocated = true;
  }
  if (vote.signer === epoch.self && !isOwn(view.own, vote)) onUnknownOwnVote(core, vote);
  const slot = slotOf(vote.kind);
  if (held[slot]) return;
  const wasActive = held.notarize !== undefined || held.nullify !== undefined;
  held[slot] = vote;
  noteHeard(epoch.attendance, vote.signer);
  if (!wasActive && vote.kind !== VOTE_KIND.finalize) view.activeWeight += weight;
  addWeight(view, vote, weight);
  if (vote.kind === VOTE_KIND.notarize && vote.signer === leaderOf(core, epoch, vote.view)) view.leaderChoice = idOf(vote);
  assert(view.nullifyWeight <= epoch.set.totalWeight && view.activeWeight <= epoch.set.totalWeight, "each signer counts once");
}

/** The leader's index in a view. */
export function leaderOf(core: CoreState, epoch: EpochState, view: number): number {
  return core.config.leaderOf(epoch.set, epoch.epoch, view);
}

/** Lower-case hex of the proposal a vote names; empty for NULLIFY. */
export function idOf(vote: { readonly proposalId?: Uint8Array }): string {
  return vote.proposalId ? toHex(vote.proposalId) : "";
}

/** Whether this statement is among the votes we cast. */
export function isOwn(own: OwnVotes, vote: Vote): boolean {
  if (vote.kind === VOTE_KIND.nullify) return own.nullify === true;
  return (vote.kind === VOTE_KIND.notarize ? own.notarize : own.finalize) === idOf(vote);
}

function heldOf(view: ViewState, signer: number): SignerVotes {
  const held = view.votes.get(signer);
  if (held) return held;
  const made: SignerVotes = {};
  view.votes.set(signer, made);
  return made;
}

function slotOf(kind: Vote["kind"]): "notarize" | "nullify" | "finalize" {
  return kind === VOTE_KIND.notarize ? "notarize" : kind === VOTE_KIND.nullify ? "nullify" : "finalize";
}

function addWeight(view: ViewState, vote: Vote, weight: bigint): void {
  if (vote.kind === VOTE_KIND.nullify) {
    view.nullifyWeight += weight;
    return;
  }
  const tally = vote.kind === VOTE_KIND.notarize ? view.notarizeWeight : view.finalizeWeight;
  const id = idOf(vote);
  tally.set(id, (tally.get(id) ?? 0n) + weight);
}
