import { assert, bytesEqual, compareBytes, present } from "../kernel/index.ts";
import {
  findParameterBounds,
  type GenesisParameters,
  LIMITS,
  type ParameterProposeBody,
  type ParameterVoteBody,
  type PendingParameter,
  type ProposalEntry,
  type ReceiptCode,
  type ValidatorSet,
} from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import type { Effect } from "./effects.ts";
import { findProposal, findSigningKey, parametersEntryOf } from "./entries.ts";
import { blockVersionNamed, blockVersionOf, genesisValueOf } from "./parameters.ts";
import { membersOwnedBy } from "./registry.ts";
import type { EntryReader } from "./view.ts";
import type { WorkingSet } from "./working-set.ts";

/**
 * Proposes a parameter's value from an epoch on. Only owners of members of the current set may; proposing is approving.
 * The open proposals are shared out evenly, so that no member can take all the places.
 *
 * @param id the proposing transaction's, which names the proposal
 */
export function applyParameterPropose(
  working: WorkingSet,
  context: ExecutionContext,
  sender: Uint8Array,
  id: Uint8Array,
  body: ParameterProposeBody,
  effects: Effect[],
): ReceiptCode {
  const { key: name, value, activationEpoch } = body;
  const bounds = findParameterBounds(name);
  if (bounds === undefined || value < bounds.min || value > bounds.max) return "invalidParameter";
  if (!isBlockStep(working, name, value)) return "invalidParameter";
  if (activationEpoch <= context.epoch || activationEpoch > context.epoch + LIMITS.epochsAheadMax) return "wrongEpoch";
  const voters = membersOwnedBy(working, context.validatorSet, sender);
  const [proposer] = voters;
  if (proposer === undefined) return "notAuthorized";
  if (!hasRoomFor(working, context.validatorSet, proposer, name)) return "limitReached";
  const parameters = parametersEntryOf(working);
  working.setParameters({ ...parameters, openProposals: [...parameters.openProposals, id].sort(compareBytes) });
  effects.push({ kind: "parameterProposed", proposal: id, name, value, activationEpoch });
  const proposal: ProposalEntry = { kind: "proposal", name, value, activationEpoch, proposer, approvals: voters, rejections: [] };
  settle(working, context.validatorSet, id, proposal, effects);
  return "applied";
}

/** Block versions go up one by one and never back: what nodes keep of a later one, earlier releases cannot read. */
function isBlockStep(entries: EntryReader, name: string, value: bigint): boolean {
  const version = blockVersionNamed(name);
  return version === undefined || (value === 1n && version === blockVersionOf(entries) + 1);
}

/** Votes for all the members that the sender owns. A vote may be changed while the proposal is open. */
export function applyParameterVote(
  working: WorkingSet,
  context: ExecutionContext,
  sender: Uint8Array,
  body: ParameterVoteBody,
  effects: Effect[],
): ReceiptCode {
  const { proposal: id, isApproval } = body;
  const proposal = findProposal(working, id);
  if (proposal === undefined) return "notRegistered";
  const voters = membersOwnedBy(working, context.validatorSet, sender);
  if (voters.length === 0) return "notAuthorized";
  const [same, other] = isApproval ? [proposal.approvals, proposal.rejections] : [proposal.rejections, proposal.approvals];
  const added = voters.filter((voter) => !includes(same, voter));
  if (added.length === 0) return "alreadyVoted";
  const voted = keepMembers(working, context.validatorSet, [...same, ...added]);
  const rest = other.filter((voter) => !includes(voters, voter));
  effects.push({ kind: "parameterVoted", proposal: id, voter: sender, isApproval });
  const changed = isApproval ? { approvals: voted, rejections: rest } : { approvals: rest, rejections: voted };
  settle(working, context.validatorSet, id, { ...proposal, ...changed }, effects);
  return "applied";
}

/**
 * At the start of an epoch: approved values that are due take effect, in the order of their approval, and open proposals
 * for this epoch or an earlier one end without a decision.
 *
 * @param genesis the parameters of genesis: a value that equals its own is not kept
 * @param epoch the epoch that begins
 */
export function turnParameters(working: WorkingSet, genesis: GenesisParameters, epoch: number): void {
  const { values, pending, openProposals } = parametersEntryOf(working);
  const isDue = ({ activationEpoch }: { readonly activationEpoch: number }): boolean => activationEpoch <= epoch;
  const expired = openProposals.filter((id) => isDue(present(findProposal(working, id), "an open proposal is there")));
  if (!pending.some(isDue) && expired.length === 0) return;
  const inForce = new Map(values.map(({ name, value }) => [name, value]));
  for (const { name, value } of pending.filter(isDue)) {
    if (value === genesisValueOf(genesis, name)) inForce.delete(name);
    else inForce.set(name, value);
  }
  for (const id of expired) working.setProposal(id, undefined);
  const changed = [...inForce].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
  assert(changed.length <= LIMITS.parametersMax, "approval leaves room for every value");
  working.setParameters({
    kind: "parameters",
    values: changed,
    pending: pending.filter((parameter) => !isDue(parameter)),
    openProposals: openProposals.filter((id) => !includes(expired, id)),
  });
}

/** Keeps a proposal open, or ends it when the votes decide: approved by a quorum, or rejected by so many that none is left. */
function settle(working: WorkingSet, set: ValidatorSet, id: Uint8Array, proposal: ProposalEntry, effects: Effect[]): void {
  const isApproved = weightOf(working, set, proposal.approvals) >= set.quorumWeight;
  const isRejected = weightOf(working, set, proposal.rejections) > set.totalWeight - set.quorumWeight;
  if (!isApproved && !isRejected) {
    working.setProposal(id, proposal);
    return;
  }
  const { name, value, activationEpoch } = proposal;
  const parameters = parametersEntryOf(working);
  const openProposals = parameters.openProposals.filter((open) => !bytesEqual(open, id));
  assert(openProposals.length === parameters.openProposals.length - 1, "what is decided was open");
  const pending = isApproved ? withPending(parameters.pending, { name, value, activationEpoch }) : parameters.pending;
  working.setParameters({ ...parameters, pending, openProposals });
  working.setProposal(id, undefined);
  effects.push({ kind: "parameterDecided", proposal: id, isApproved });
}

/** A later approval for the same name and epoch replaces an earlier one. */
function withPending(pending: readonly PendingParameter[], approved: PendingParameter): readonly PendingParameter[] {
  const { name, activationEpoch } = approved;
  return [...pending.filter((other) => other.name !== name || other.activationEpoch !== activationEpoch), approved];
}

/**
 * Room for one more proposal: a place among the open ones, the proposer's share of them not used up, and, should every
 * open one be approved, room for what it sets.
 */
function hasRoomFor(entries: EntryReader, set: ValidatorSet, proposer: Uint8Array, name: string): boolean {
  const { values, pending, openProposals } = parametersEntryOf(entries);
  if (openProposals.length >= LIMITS.openProposalsMax) return false;
  const open = openProposals.map((id) => present(findProposal(entries, id), "an open proposal is there"));
  const share = Math.max(1, Math.floor(LIMITS.openProposalsMax / set.validators.length));
  if (open.filter((proposal) => bytesEqual(proposal.proposer, proposer)).length >= share) return false;
  const names = new Set([name, ...[...values, ...pending, ...open].map((parameter) => parameter.name)]);
  return names.size <= LIMITS.parametersMax && pending.length + open.length < LIMITS.parametersMax;
}

function weightOf(entries: EntryReader, set: ValidatorSet, ids: readonly Uint8Array[]): bigint {
  let weight = 0n;
  for (const member of set.validators) {
    const id = findSigningKey(entries, member.publicKey)?.validator;
    if (id !== undefined && includes(ids, id)) weight += member.weight;
  }
  return weight;
}

/** Votes of validators that left the set count no more and make room for those that came. */
function keepMembers(entries: EntryReader, set: ValidatorSet, ids: readonly Uint8Array[]): readonly Uint8Array[] {
  const members = set.validators.flatMap(({ publicKey }) => findSigningKey(entries, publicKey)?.validator ?? []);
  return ids.filter((id) => includes(members, id)).sort(compareBytes);
}

function includes(ids: readonly Uint8Array[], id: Uint8Array): boolean {
  return ids.some((other) => bytesEqual(other, id));
}
