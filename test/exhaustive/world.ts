import { VOTE_KIND } from "../../src/protocol/index.ts";
import { Rig } from "../rules/rig.ts";
import { Advice, type OwnVotes, type ProposalPlan, type ViewFacts } from "./advice.ts";
import { Layout } from "./layout.ts";
import type { Scope } from "./scope.ts";

/** A state, see `Layout`. */
export type State = Uint8Array;
/** What may happen next, told in a few words. */
export type Move = { readonly label: string; readonly next: State };

/** What the votes of a state amount to: by slot, the proposal notarized or finalized (from 1, 0 for none), and whether nullified. */
type Certificates = {
  readonly notarized: number[];
  readonly nullified: boolean[];
  readonly finalized: number[];
  broken: string | undefined;
};

const NO_BOUNDARY = 1_000_000;
const NEXT_EPOCH = 16;

/**
 * All that can happen among four boxes, as a transition system whose guards ask the real core (`Advice`).
 *
 * Messages are a soup: whatever was ever signed is at hand for everyone at any later moment, or never, which covers every
 * order, loss, delay and repetition; deadlines may pass at any moment. The Byzantine box has signed every statement in
 * advance and its leaders (all leaders, to be safe) propose anything in any view. Entering a view happens together with
 * the first vote in it: entering alone only raises what a box shows to one that lost its journal, and a gate bars the more
 * the higher what was shown. A lost journal takes the chain with it, the worst case, and what the others show is what
 * they know at that very moment, the least they will ever know.
 */
export class World {
  readonly scope: Scope;
  readonly advice: Advice;
  readonly #nextAdvice = new Advice(NO_BOUNDARY);
  readonly #layout: Layout;
  readonly #quorum: number;

  constructor(scope: Scope) {
    this.scope = scope;
    this.advice = new Advice(scope.epochBlocks === 0 ? NO_BOUNDARY : scope.epochBlocks);
    this.#layout = new Layout(scope);
    this.#quorum = Number(new Rig().set.quorumWeight);
  }

  /** Where everything begins. */
  start(): State {
    const state = new Uint8Array(this.#layout.size);
    for (let box = 0; box < this.scope.honestCount; box++) this.#setAt(state, box, 1);
    return state;
  }

  /** Situations that the real core judged. */
  get judgedCount(): number {
    return this.advice.size + this.#nextAdvice.size;
  }

  /** The property that a state breaks, or undefined. */
  violation(state: State): string | undefined {
    const certificates = this.#certify(state);
    return certificates.broken ?? this.#fork(state, certificates) ?? this.#contradiction(state) ?? this.#contradictionAfterLoss(state);
  }

  /** Everything that can happen next. */
  moves(state: State): Move[] {
    const certificates = this.#certify(state);
    const moves: Move[] = [];
    for (let box = 0; box < this.scope.honestCount; box++) this.#boxMoves(state, certificates, box, moves);
    if (this.scope.losesJournal) this.#lossMoves(state, certificates, moves);
    return moves;
  }

  /** Equal for states that differ in the names of interchangeable boxes only. */
  keyOf(state: State): string {
    const { boxBytes, lostAt } = this.#layout;
    const equals = this.scope.honestCount - (this.scope.losesJournal ? 1 : 0);
    const boxes: string[] = [];
    for (let box = 0; box < equals; box++) boxes.push(String.fromCharCode(...state.subarray(box * boxBytes, (box + 1) * boxBytes)));
    return boxes.sort().join("") + String.fromCharCode(...state.subarray(Math.min(equals * boxBytes, lostAt)));
  }

  #boxMoves(state: State, certificates: Certificates, box: number, moves: Move[]): void {
    const at = this.#at(state, box);
    const epoch = at >= NEXT_EPOCH ? 1 : 0;
    for (let slot = 0; slot < this.#layout.slots; slot++) {
      const { epoch: slotEpoch, view } = this.#roundOf(slot);
      if (slotEpoch < epoch || !this.#isAllowed(state, box, slotEpoch, view)) continue;
      const own = this.#votes(state, box, slot);
      const notarized = certificates.notarized[slot] ?? 0;
      if (slotEpoch === epoch && notarized > 0 && own.finalize === 0 && this.advice.mayVote(own, VOTE_KIND.finalize, notarized)) {
        const next = this.#with(state, box, slot, { ...own, finalize: notarized }, Math.max(at, slotEpoch * NEXT_EPOCH + view + 1));
        moves.push({ label: `box ${box}: FINALIZE ${slotEpoch}:${view}`, next });
      }
      const round = slotEpoch * NEXT_EPOCH + view;
      if (round < at || !this.#canEnter(state, certificates, epoch, slot)) continue;
      if (!own.nullify && this.advice.mayVote(own, VOTE_KIND.nullify, 0))
        moves.push({
          label: `box ${box}: NULLIFY ${slotEpoch}:${view}`,
          next: this.#with(state, box, slot, { ...own, nullify: true }, round),
        });
      this.#notarizeMoves(state, certificates, box, slot, moves);
    }
  }

  #notarizeMoves(state: State, certificates: Certificates, box: number, slot: number, moves: Move[]): void {
    const { epoch, view } = this.#roundOf(slot);
    const own = this.#votes(state, box, slot);
    const round = epoch * NEXT_EPOCH + view;
    for (let number = 1; number <= this.scope.proposals; number++) {
      if (own.notarize > 0 || !this.advice.mayVote(own, VOTE_KIND.notarize, number)) continue;
      const known = this.#proposal(state, slot, number);
      const plans = known > 0 ? [known] : this.#plans(certificates, slot);
      for (const plan of plans) {
        if (!this.#isNotarizable(state, certificates, slot, planOf(plan))) continue;
        const next = this.#with(state, box, slot, { ...own, notarize: number }, round);
        next[this.#layout.proposalsAt + slot * this.scope.proposals + number - 1] = plan;
        moves.push({ label: `box ${box}: NOTARIZE ${epoch}:${view} ${describePlan(plan)}`, next });
      }
      if (known === 0) break; // the next number is for a rival of this one
    }
  }

  /** The journal of the last box is lost at any moment; later its gate may end with a commit. */
  #lossMoves(state: State, certificates: Certificates, moves: Move[]): void {
    const { phaseAt, lostAt, gateEpochAt, gateViewAt, floorAt, boxBytes, slots } = this.#layout;
    const box = this.scope.honestCount - 1;
    const phase = state[phaseAt] ?? 0;
    if (phase === 0) {
      const shown = Math.max(...Array.from({ length: box }, (_, other) => this.#at(state, other)));
      const epoch = shown >= NEXT_EPOCH ? 1 : 0;
      const gate = this.advice.gateOf(epoch, shown - epoch * NEXT_EPOCH - 1);
      if (gate.kind !== "gated") throw new Error("recovery ends with a gate");
      const next = state.slice();
      next.copyWithin(lostAt, box * boxBytes, box * boxBytes + slots);
      next.fill(0, box * boxBytes, box * boxBytes + slots);
      this.#setAt(next, box, 1);
      next[phaseAt] = 1;
      next[gateEpochAt] = gate.epoch;
      next[gateViewAt] = gate.firstView;
      moves.push({ label: `box ${box}: loses its journal, gate ${gate.epoch}:${gate.firstView}`, next });
    }
    if (phase !== 1 || state[gateEpochAt] !== 0) return;
    const gate = { kind: "gated", epoch: 0, firstView: state[gateViewAt] ?? 0 } as const;
    for (let slot = 0; slot < this.scope.views; slot++) {
      const number = certificates.finalized[slot] ?? 0;
      if (number === 0) continue;
      const { view } = this.#roundOf(slot);
      const isBoundary = this.#isBoundary(state, slot, number);
      const next = state.slice();
      if (isBoundary) this.#setAt(next, box, Math.max(NEXT_EPOCH + 1, this.#at(state, box)));
      else next[floorAt] = Math.max(view, state[floorAt] ?? 0);
      if (this.advice.endsGate(gate, view, isBoundary)) next[phaseAt] = 2;
      moves.push({ label: `box ${box}: commits ${isBoundary ? "the boundary block" : "a block"} final in 0:${view}`, next });
    }
  }

  /**
   * Whether a box may vote in a round at all: the one that lost its journal is held back by its gate and its floor. Where the
   * first epoch ends before the gate, the second has a gate of its own: the same boxes are its members, and none of those
   * that answered had entered it.
   */
  #isAllowed(state: State, box: number, epoch: number, view: number): boolean {
    const { phaseAt, gateEpochAt, gateViewAt, floorAt } = this.#layout;
    const phase = state[phaseAt] ?? 0;
    if (!this.scope.losesJournal || box !== this.scope.honestCount - 1 || phase === 0) return true;
    if (epoch === 0 && view <= (state[floorAt] ?? 0)) return false;
    const gate = { kind: "gated", epoch: state[gateEpochAt] ?? 0, firstView: state[gateViewAt] ?? 0 } as const;
    if (phase === 2 || this.advice.gateAllows(gate, epoch, view)) return true;
    return epoch > gate.epoch && this.advice.gateAllows(this.advice.gateOf(epoch, -1), epoch, view);
  }

  #canEnter(state: State, certificates: Certificates, epoch: number, slot: number): boolean {
    const { epoch: slotEpoch, view } = this.#roundOf(slot);
    if (slotEpoch > epoch && !this.#isOpened(state, certificates)) return false;
    if (view === 1) return true;
    return (
      (certificates.notarized[slot - 1] ?? 0) > 0 ||
      certificates.nullified[slot - 1] === true ||
      (certificates.finalized[slot - 1] ?? 0) > 0
    );
  }

  /** Whether a boundary block of the first epoch is final. */
  #isOpened(state: State, certificates: Certificates): boolean {
    return certificates.finalized.some((number, slot) => slot < this.scope.views && number > 0 && this.#isBoundary(state, slot, number));
  }

  #isNotarizable(state: State, certificates: Certificates, slot: number, plan: ProposalPlan): boolean {
    const { epoch, view } = this.#roundOf(slot);
    const below: ViewFacts[] = [];
    for (let at = slot - view + 1; at < slot; at++) {
      const number = certificates.notarized[at] ?? 0;
      const notarized = number > 0 ? planOf(this.#proposal(state, at, number)) : undefined;
      below.push({ notarized, isNullified: certificates.nullified[at] ?? false });
    }
    return (epoch === 0 ? this.advice : this.#nextAdvice).mayNotarize(below, plan);
  }

  /** Every proposal that could be made in a slot: on each certified parent, fresh or as a repetition. */
  #plans(certificates: Certificates, slot: number): number[] {
    const { view } = this.#roundOf(slot);
    const plans = [planCode(0, 1, false)];
    for (let parentView = 1; parentView < view; parentView++) {
      const number = certificates.notarized[slot - view + parentView] ?? 0;
      if (number > 0) plans.push(planCode(parentView, number, false), planCode(parentView, number, true));
    }
    return plans;
  }

  #certify(state: State): Certificates {
    const made: Certificates = { notarized: [], nullified: [], finalized: [], broken: undefined };
    for (let slot = 0; slot < this.#layout.slots; slot++) {
      const count = (isCast: (own: OwnVotes) => boolean): boolean => this.#weight(state, slot, isCast) >= this.#quorum;
      const { epoch, view } = this.#roundOf(slot);
      made.nullified[slot] = count((own) => own.nullify);
      made.notarized[slot] = 0;
      made.finalized[slot] = 0;
      for (let number = 1; number <= this.scope.proposals; number++) {
        if (this.#proposal(state, slot, number) === 0) continue;
        if (count((own) => own.notarize === number)) {
          if ((made.notarized[slot] ?? 0) > 0) made.broken = `S3: two proposals are notarized in ${epoch}:${view}`;
          made.notarized[slot] = number;
        }
        if (count((own) => own.finalize === number)) made.finalized[slot] = number;
      }
      if (made.nullified[slot] && (made.finalized[slot] ?? 0) > 0) made.broken = `S4: ${epoch}:${view} is nullified and finalized`;
    }
    return made;
  }

  /** Boxes whose votes count for a statement: the honest ones that cast it, now or before a loss, and the Byzantine one. */
  #weight(state: State, slot: number, isCast: (own: OwnVotes) => boolean): number {
    const { honestCount, losesJournal } = this.scope;
    let weight = honestCount === 4 ? 0 : 1;
    for (let box = 0; box < honestCount; box++) {
      const isLast = losesJournal && box === honestCount - 1;
      if (isCast(this.#votes(state, box, slot)) || (isLast && isCast(decodeVotes(state[this.#layout.lostAt + slot] ?? 0)))) weight++;
    }
    return weight;
  }

  /** S1: two final blocks of which neither descends from the other. */
  #fork(state: State, certificates: Certificates): string | undefined {
    const lines = certificates.finalized.flatMap((number, slot) => (number > 0 ? [this.#line(state, certificates, slot, number)] : []));
    for (const a of lines) {
      for (const b of lines) {
        const shorter = a.length <= b.length ? a : b;
        const longer = shorter === a ? b : a;
        if (shorter.some((block, i) => longer[i] !== block)) return `S1: the final blocks ${a.join(">")} and ${b.join(">")} fork`;
      }
    }
    return undefined;
  }

  /** S2: a box finalizes another proposal than it notarized. */
  #contradiction(state: State): string | undefined {
    for (let box = 0; box < this.scope.honestCount; box++) {
      for (let slot = 0; slot < this.#layout.slots; slot++) {
        const { notarize, finalize } = this.#votes(state, box, slot);
        if (notarize > 0 && finalize > 0 && notarize !== finalize) return `S2: a box contradicts itself in slot ${slot}`;
      }
    }
    return undefined;
  }

  /** S2: the last box contradicts what it signed before its loss. */
  #contradictionAfterLoss(state: State): string | undefined {
    if (!this.scope.losesJournal || (state[this.#layout.phaseAt] ?? 0) === 0) return undefined;
    for (let slot = 0; slot < this.#layout.slots; slot++) {
      const now = this.#votes(state, this.scope.honestCount - 1, slot);
      const lost = decodeVotes(state[this.#layout.lostAt + slot] ?? 0);
      const named = [now.notarize, now.finalize, lost.notarize, lost.finalize].filter((number) => number > 0);
      const isNullifiedToo = (now.nullify && lost.finalize > 0) || (lost.nullify && now.finalize > 0);
      const { epoch, view } = this.#roundOf(slot);
      if (isNullifiedToo || new Set(named).size > 1) return `S2: a box that lost its journal contradicts itself in ${epoch}:${view}`;
    }
    return undefined;
  }

  /** A block with its ancestors, oldest first, each by the slot and number of its first proposal. */
  #line(state: State, certificates: Certificates, slot: number, number: number): string[] {
    const { epoch, view } = this.#roundOf(slot);
    const plan = this.#proposal(state, slot, number);
    const { parentView, isRepeat } = planOf(plan);
    const parentSlot = slot - view + parentView;
    if (parentView === 0) return [...(epoch === 0 ? [] : this.#openingLine(state, certificates)), `${slot}.${number}`];
    const parents = this.#line(state, certificates, parentSlot, parentNumberOf(plan));
    return isRepeat ? parents : [...parents, `${slot}.${number}`];
  }

  /** The chain that the second epoch stands on: its boundary block and what is below. */
  #openingLine(state: State, certificates: Certificates): string[] {
    const slot = certificates.finalized.findIndex(
      (number, at) => at < this.scope.views && number > 0 && this.#isBoundary(state, at, number),
    );
    return slot < 0 ? [] : this.#line(state, certificates, slot, certificates.finalized[slot] ?? 0);
  }

  #isBoundary(state: State, slot: number, number: number): boolean {
    return this.scope.epochBlocks > 0 && this.#heightOf(state, slot, number) === this.scope.epochBlocks;
  }

  #heightOf(state: State, slot: number, number: number): number {
    const plan = this.#proposal(state, slot, number);
    const { parentView, isRepeat } = planOf(plan);
    if (parentView === 0) return 1;
    const parent = this.#heightOf(state, slot - this.#roundOf(slot).view + parentView, parentNumberOf(plan));
    return isRepeat ? parent : parent + 1;
  }

  #roundOf(slot: number): { readonly epoch: number; readonly view: number } {
    const { views } = this.scope;
    return slot < views ? { epoch: 0, view: slot + 1 } : { epoch: 1, view: slot - views + 1 };
  }

  #votes(state: State, box: number, slot: number): OwnVotes {
    return decodeVotes(state[box * this.#layout.boxBytes + slot] ?? 0);
  }

  #at(state: State, box: number): number {
    return state[box * this.#layout.boxBytes + this.#layout.slots] ?? 0;
  }

  #setAt(state: State, box: number, at: number): void {
    state[box * this.#layout.boxBytes + this.#layout.slots] = at;
  }

  #proposal(state: State, slot: number, number: number): number {
    return state[this.#layout.proposalsAt + slot * this.scope.proposals + number - 1] ?? 0;
  }

  #with(state: State, box: number, slot: number, own: OwnVotes, at: number): State {
    const next = state.slice();
    next[box * this.#layout.boxBytes + slot] = own.notarize | (own.nullify ? 4 : 0) | (own.finalize << 3);
    this.#setAt(next, box, Math.max(at, this.#at(state, box)));
    return next;
  }
}

function decodeVotes(code: number): OwnVotes {
  return OWN_VOTES[code] as OwnVotes;
}

const OWN_VOTES: readonly OwnVotes[] = Array.from({ length: 32 }, (_, code) => ({
  notarize: code & 3,
  nullify: (code & 4) !== 0,
  finalize: code >> 3,
}));

function planCode(parentView: number, parentNumber: number, isRepeat: boolean): number {
  return 1 + parentView * 4 + (parentNumber - 1) * 2 + (isRepeat ? 1 : 0);
}

function planOf(code: number): ProposalPlan {
  return { parentView: (code - 1) >> 2, isRepeat: ((code - 1) & 1) === 1 };
}

function parentNumberOf(code: number): number {
  return (((code - 1) >> 1) & 1) + 1;
}

function describePlan(code: number): string {
  const { parentView, isRepeat } = planOf(code);
  return isRepeat ? `the block of view ${parentView} again` : `a block on view ${parentView}`;
}
