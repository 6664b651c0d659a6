import type { JournalRecord, RecoveryStatus } from "../../src/consensus/index.ts";
import { endGate, gateOf, recoveryAllows } from "../../src/consensus/recovery-gate.ts";
import type { CoreState } from "../../src/consensus/state.ts";
import { assert, present } from "../../src/kernel/index.ts";
import { type Proposal, proposalIdOf, VOTE_KIND, type VoteKind, type VoteStatement } from "../../src/protocol/index.ts";
import { FRESH_JOURNAL, type MadeProposal, Rig } from "../rules/rig.ts";

/** Own votes of one box in one view: 0 for none, else the proposal's number in the view from 1. */
export type OwnVotes = { readonly notarize: number; readonly nullify: boolean; readonly finalize: number };

/** A proposal: the view of its parent (0: what the epoch starts on) and whether it repeats the parent's block. */
export type ProposalPlan = { readonly parentView: number; readonly isRepeat: boolean };

/** What is certified in a view below the one voted in: the proposal of its notarization, if any, and whether it was nullified. */
export type ViewFacts = { readonly notarized: ProposalPlan | undefined; readonly isNullified: boolean };

/**
 * What the real code answers, one small situation at a time and each once: a real core is started from a journal that
 * holds the votes, is shown the certificates and the proposal, and is watched for whether it votes. The search asks here
 * for every guard, so that it explores the rules as they are written and not as someone remembers them.
 */
export class Advice {
  readonly #epochBlocks: number;
  readonly #answers = new Map<string, boolean>();

  /** @param epochBlocks height of the boundary block, beyond reach for none */
  constructor(epochBlocks: number) {
    this.#epochBlocks = epochBlocks;
  }

  /** Situations judged by the real core. */
  get size(): number {
    return this.#answers.size;
  }

  /** R3, R5, R7 by own votes alone: whether a box with these votes in a view casts one more. */
  mayVote(own: OwnVotes, kind: VoteKind, proposal: number): boolean {
    return this.#once(`vote ${own.notarize} ${own.nullify} ${own.finalize} ${kind} ${proposal}`, () => castsVote(own, kind, proposal));
  }

  /** R3 and R12 by what is certified below: whether the current view's leader proposal is notarized. `below` holds views 1 to v-1. */
  mayNotarize(below: readonly ViewFacts[], plan: ProposalPlan): boolean {
    return this.#once(`notarize ${JSON.stringify([below, plan])}`, () => notarizes(this.#epochBlocks, below, plan));
  }

  /** R14: whether a box with this gate may vote in a round. */
  gateAllows(gate: RecoveryStatus, epoch: number, view: number): boolean {
    return recoveryAllows(gate, { epoch, view });
  }

  /** R14: the gate for what others show. */
  gateOf(epoch: number, highestView: number): RecoveryStatus {
    return gateOf(epoch, highestView);
  }

  /** R14: whether a gate in epoch 0 ends when a block of that epoch, its boundary or another, is committed as final in a view. */
  endsGate(gate: RecoveryStatus, finalView: number, isBoundary: boolean): boolean {
    return this.#once(`end ${JSON.stringify([gate, finalView, isBoundary])}`, () => endsByCommit(gate, finalView, isBoundary));
  }

  #once(key: string, ask: () => boolean): boolean {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = ask();
    this.#answers.set(key, answer);
    return answer;
  }
}

/** A box of four that leads none of the views up to `view`, where there is one, else not the last. */
function bystander(view: number): number {
  const rig = new Rig();
  const leaders = Array.from({ length: view }, (_, i) => rig.leaderOf(i + 1));
  const free = [0, 1, 2, 3].find((index) => !leaders.includes(index));
  return (
    free ??
    present(
      [0, 1, 2, 3].find((index) => leaders.at(-1) !== index),
      "a view has one leader",
    )
  );
}

/** Two blocks of view 1, which their leader both signed. */
function rivals(rig: Rig): readonly [MadeProposal, MadeProposal] {
  const timeMs = Math.floor(rig.wallMs);
  return [rig.propose(1, undefined, { timeMs }), rig.propose(1, undefined, { timeMs: timeMs + 1 })];
}

function castsVote(own: OwnVotes, kind: VoteKind, proposal: number): boolean {
  const self = bystander(1);
  const [first, second] = rivals(new Rig({ self }));
  const made = (number: number): MadeProposal => (number === 1 ? first : second);
  const statements: VoteStatement[] = [];
  const base = { epoch: 0, view: 1 };
  if (own.notarize > 0) statements.push({ ...base, kind: VOTE_KIND.notarize, proposalId: made(own.notarize).id });
  if (own.nullify) statements.push({ ...base, kind: VOTE_KIND.nullify });
  if (own.finalize > 0) statements.push({ ...base, kind: VOTE_KIND.finalize, proposalId: made(own.finalize).id });
  const records: JournalRecord[] = statements.map((statement) => ({ kind: "vote", statement }));
  const rig = new Rig({ self, replay: { ...FRESH_JOURNAL, records } });
  rivals(rig);
  const before = rig.journal.length;
  const shown = made(Math.max(1, proposal));
  if (kind !== VOTE_KIND.nullify) rig.from(rig.leaderOf(1), shown.message);
  if (kind === VOTE_KIND.finalize) rig.show(rig.certificate(rig.others, VOTE_KIND.notarize, 1, shown.proposal));
  if (kind === VOTE_KIND.nullify) {
    rig.work();
    rig.pass(3_000);
  }
  return rig.journal
    .slice(before)
    .some((record) => record.kind === "vote" && record.statement.view === 1 && record.statement.kind === kind);
}

function notarizes(epochBlocks: number, below: readonly ViewFacts[], plan: ProposalPlan): boolean {
  const view = below.length + 1;
  const rig = new Rig({ self: bystander(view), epochBlocks });
  const notarized = new Map<number, MadeProposal>();
  const parentOf = (parentView: number) => {
    const made = notarized.get(parentView);
    return made && { proposal: made.proposal, certificate: rig.certificate(rig.others, VOTE_KIND.notarize, parentView, made.proposal) };
  };
  const make = (at: number, { parentView, isRepeat }: ProposalPlan): MadeProposal => {
    if (!isRepeat) return rig.propose(at, parentOf(parentView));
    const { block, proposal: repeated } = present(notarized.get(parentView), "what is repeated is notarized");
    const proposal: Proposal = { ...repeated, view: at, parentView };
    return { proposal, id: proposalIdOf(proposal), block, message: rig.message(proposal, block) };
  };
  for (const [i, facts] of below.entries()) {
    if (facts.notarized) {
      const made = make(i + 1, facts.notarized);
      notarized.set(i + 1, made);
      rig.from(rig.leaderOf(i + 1), made.message);
      rig.show(rig.certificate(rig.others, VOTE_KIND.notarize, i + 1, made.proposal));
    }
    if (facts.isNullified) rig.show(rig.nullification(i + 1));
  }
  assert(rig.status.view === view, "the view below is certified");
  const before = rig.journal.length;
  rig.from(rig.leaderOf(view), make(view, plan).message);
  const isNotarize = (record: JournalRecord): boolean =>
    record.kind === "vote" && record.statement.view === view && record.statement.kind === VOTE_KIND.notarize;
  return rig.journal.slice(before).some(isNotarize);
}

function endsByCommit(gate: RecoveryStatus, finalView: number, isBoundary: boolean): boolean {
  const { core } = new Rig();
  const finalization = { kind: VOTE_KIND.finalize, epoch: 0, view: finalView, bitmap: new Uint8Array(1), signatures: [] };
  const after: CoreState = {
    ...core,
    recoveryStatus: gate,
    // A committed boundary block has opened the next epoch by the time the rules look again.
    epoch: { ...core.epoch, epoch: isBoundary ? 1 : 0, floor: isBoundary ? 0 : finalView },
    tip: { ...core.tip, finalization },
    effects: [],
  };
  endGate(after);
  return after.recoveryStatus.kind === "intact";
}
