import { type ChaosOutcome, replayLine, runChaos } from "./chaos.ts";
import { PLANS, type Plan } from "./plans.ts";

/** Which seeds to run, and how. */
export type SeedRange = {
  readonly firstSeed: number;
  readonly runs: number;
  readonly plan?: Plan;
  /** Runs every seed twice and compares the traces. */
  readonly isTwice?: boolean;
  /** Takes only each `of`-th seed from the `part`-th on, so that several processes or machines share a range. */
  readonly share?: { readonly part: number; readonly of: number };
};

/** One seed judged: the outcome, in the form in which processes tell it to one another. */
export type SeedVerdict = Omit<ChaosOutcome, "isLive"> & {
  /** What a person needs to see it again. */
  readonly replay: string;
};

/** The sum of many runs; `bizra sim --json` ends with it. */
export type SimFigures = {
  readonly seed: number;
  readonly runs: number;
  readonly events: number;
  readonly crashes: number;
  readonly simulatedMs: number;
  /** Runs in which a safety property broke, a trace differed or a process failed. */
  readonly violations: number;
  /** Runs in which something that must come true after the healing did not. */
  readonly notLive: number;
};

/** The figures of no run yet. */
export function noFigures(seed: number): SimFigures {
  return { seed, runs: 0, events: 0, crashes: 0, simulatedMs: 0, violations: 0, notLive: 0 };
}

/** Adds a verdict. */
export function addVerdict(figures: SimFigures, verdict: SeedVerdict): SimFigures {
  return {
    seed: figures.seed,
    runs: figures.runs + 1,
    events: figures.events + verdict.events,
    crashes: figures.crashes + verdict.crashes,
    simulatedMs: figures.simulatedMs + verdict.simulatedMs,
    violations: figures.violations + (verdict.findings.length > 0 ? 1 : 0),
    notLive: figures.notLive + (verdict.findings.length === 0 && verdict.notLive.length > 0 ? 1 : 0),
  };
}

/** Runs the seeds of a range, one after another; each verdict comes as soon as it is known. */
export function* runSeeds({ firstSeed, runs, plan, isTwice = false, share = { part: 0, of: 1 } }: SeedRange): Generator<SeedVerdict> {
  for (let seed = firstSeed + share.part; seed < firstSeed + runs; seed += share.of) yield judgeSeed(seed, plan, isTwice);
}

/** Runs one seed, once or twice; a second run that differs in its trace is a finding. */
export function judgeSeed(seed: number, plan?: Plan, isTwice = false): SeedVerdict {
  const first = runGuarded(seed, plan);
  const second = isTwice && first.findings.length === 0 ? runGuarded(seed, plan) : first;
  const isSame = first.trace === second.trace && first.events === second.events;
  const { isLive: _isLive, ...outcome } = first;
  const findings = isSame ? first.findings : [...first.findings, `trace: ${first.trace} at first, ${second.trace} when run again`];
  return { ...outcome, findings, replay: replayLine(first) };
}

/** What a run threw is a finding like any other: a broken invariant, or a failure that nobody had planned. */
function runGuarded(seed: number, plan?: Plan): ChaosOutcome {
  try {
    return runChaos(seed, plan);
  } catch (error) {
    const nothing = {
      events: 0,
      crashes: 0,
      wipes: 0,
      directedHits: 0,
      convictions: 0,
      height: 0,
      simulatedMs: 0,
      recoveryMs: 0,
      trace: 0,
    };
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return {
      seed,
      plan: plan ?? planOf(seed),
      findings: [`stopped: ${what}`],
      isLive: false,
      notLive: [],
      isBeyondRepair: false,
      ...nothing,
    };
  }
}

/** The plan that a seed runs when none is named. */
export function planOf(seed: number): Plan {
  return PLANS[seed % PLANS.length] ?? "calm";
}
