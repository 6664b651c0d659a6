import { type CoreStatus, compareRounds, type HeldCounts, laterRound, type Round } from "../../../src/consensus/index.ts";
import { VOTE_KIND, type Vote } from "../../../src/protocol/index.ts";
import type { SimNode } from "../sim-node.ts";
import type { Judge, Rules } from "./judge.ts";

type Progress = {
  readonly life: number;
  readonly losses: number;
  readonly homeLosses: number;
  readonly floor: Round;
  readonly view: Round;
  readonly height: number;
  readonly gate: Round | undefined;
};

/** Bounds that R0, R9, R11 and R13 put on what a box holds, restated here so that a changed constant is noticed. */
const HELD_MAX = { blocks: 1_024, fetches: 64, forwards: 64, evidence: 64, targets: 64, proposalsPerView: 3 } as const;
const VIEWS_BELOW_FLOOR = 256;
const VIEWS_ABOVE_CURRENT = 16;

/** S9: nothing goes back, restart or not. S16: what a box holds stays inside the bounds. */
export class ProgressCheck {
  readonly #rules: Rules;
  readonly #judge: Judge;
  readonly #progress = new Map<SimNode, Progress>();
  /** Highest round of NOTARIZE or NULLIFY that left a box since its journal was last lost. */
  readonly #voted = new Map<SimNode, { readonly losses: number; readonly round: Round }>();

  constructor(rules: Rules, judge: Judge) {
    this.#rules = rules;
    this.#judge = judge;
  }

  /** A vote of a box's own left it. */
  onVote(node: SimNode, vote: Vote): void {
    if (vote.kind === VOTE_KIND.finalize) return;
    const before = this.#voted.get(node);
    const isComparable = before?.losses === node.journalLosses;
    this.#voted.set(node, { losses: node.journalLosses, round: isComparable ? laterRound(before.round, vote) : vote });
  }

  /** Looks at what a box shows of itself. */
  observe(node: SimNode, status: CoreStatus): void {
    const now: Progress = {
      life: node.startCount,
      losses: node.journalLosses,
      homeLosses: node.homeLosses,
      floor: status.floor,
      view: { epoch: status.epoch, view: status.view },
      height: status.height,
      gate: status.recovery.kind === "gated" ? { epoch: status.recovery.epoch, view: status.recovery.firstView } : undefined,
    };
    const before = this.#progress.get(node);
    this.#progress.set(node, now);
    if (!before) return;
    const back = (what: string): void => this.#judge.find("S9", `${node.name}: ${what} moved back`);
    if (now.height < before.height && now.homeLosses === before.homeLosses) back("the height");
    const isOneLife = now.life === before.life;
    if (isOneLife && compareRounds(now.floor, before.floor) < 0) back("the floor");
    if (isOneLife && compareRounds(now.view, before.view) < 0) back("the view");
    // The chain's part of the floor is durable, whatever becomes of the journal.
    if (!isOneLife && compareRounds(now.floor, node.chain.tip()) < 0) back("the floor below the chain");
    if (now.losses === before.losses) this.#checkGate(node, before, now, status);
    // A start that finds the journal lost says so at once; what it voted is then the gate's business.
    if (!isOneLife && status.recovery.kind === "recovering") this.#voted.delete(node);
    // Whoever's disk forgets what it promised may not know how far it was.
    const voted = node.isFaulty ? undefined : this.#voted.get(node);
    if (!isOneLife && voted?.losses === now.losses && compareRounds(now.view, voted.round) < 0) back("the view below one voted in");
  }

  /** A gate is only replaced by a higher one, or dropped once all that it bars lies at or below the floor or in a past epoch. */
  #checkGate(node: SimNode, before: Progress, now: Progress, status: CoreStatus): void {
    if (!before.gate || status.recovery.kind === "recovering" || node.isFaulty) return; // a lying disk may forget a gate, too
    if (now.gate) {
      if (compareRounds(now.gate, before.gate) < 0) this.#judge.find("S9", `${node.name}: the gate moved back`);
      return;
    }
    const isPassed = now.floor.epoch > before.gate.epoch || now.floor.view >= before.gate.view - 1;
    if (!isPassed) this.#judge.find("S9", `${node.name}: the gate at ${before.gate.epoch}:${before.gate.view} was dropped early`);
  }

  /** S16: counts what a box holds against the bounds. */
  observeMemory(node: SimNode, status: CoreStatus, held: HeldCounts): void {
    const { epoch, view, floor } = status;
    const floorView = floor.epoch === epoch ? floor.view : 0;
    const span = view - floorView + VIEWS_BELOW_FLOOR + VIEWS_ABOVE_CURRENT + 1;
    const members = this.#rules.setOf(epoch).validators.length;
    const over: (readonly [string, number, number])[] = [
      ["views", held.views, span],
      ["views of the epoch before", held.previousViews, span + VIEWS_BELOW_FLOOR + held.previousSpan],
      ["votes", held.votes, 3 * members * held.views],
      ["proposals", held.proposals, HELD_MAX.proposalsPerView * held.views],
      ["blocks", held.blocks, HELD_MAX.blocks],
      ["fetches", held.fetches, HELD_MAX.fetches],
      ["forwards", held.forwards, HELD_MAX.forwards],
      ["evidence", held.evidence, HELD_MAX.evidence],
      ["targets", held.targets, HELD_MAX.targets],
    ];
    for (const [what, count, max] of over)
      if (count > max) this.#judge.find("S16", `${node.name}: holds ${count} ${what}, at most ${max} are allowed`);
  }
}
