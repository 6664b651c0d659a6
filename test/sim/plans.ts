import { LAN_TIMERS, type TimerProfile, WAN_TIMERS } from "../../src/consensus/index.ts";
import { Prng, present } from "../../src/kernel/index.ts";
import type { ClusterOptions } from "./cluster.ts";
import { FAULTS, type FaultName } from "./faults.ts";

/** A plan: which faults a run knows and how its cluster is set up. */
export type PlanSpec = {
  /** Faults that are in every run of it. */
  readonly always: readonly FaultName[];
  /** Of these some are drawn. */
  readonly some?: readonly FaultName[];
  /** Probability with which each of `some` is drawn; default, about three are. */
  readonly share?: number;
  /** Blocks of an epoch; default, epochs are long in most runs. */
  readonly epochBlocks?: readonly [number, number];
  readonly hasSetChanges?: boolean;
  /** Whether some validator's key runs on a second box. */
  readonly hasClones?: boolean;
  /** Whether some boxes prune their chains while the others keep them. */
  readonly hasPruners?: boolean;
  /** Whether its faults are of a whole node's home, so that a modelled one would not notice. */
  readonly needsWholeNodes?: boolean;
  /** Fewest boxes it makes sense with. */
  readonly boxesMin?: number;
};

const NETWORK: readonly FaultName[] = [
  "loss",
  "delay",
  "reorder",
  "duplicate",
  "replay",
  "partition",
  "oneWay",
  "clog",
  "slowLinks",
  "bandwidth",
];
const MACHINES: readonly FaultName[] = ["crash", "crashAtEffect", "outage", "pause", "slowNode", "clockJump", "clockDrift", "clockFreeze"];
const DISKS: readonly FaultName[] = ["failedSync", "fullDisk", "readError", "crash"];

const STORM: readonly FaultName[] = [
  ...NETWORK,
  ...MACHINES,
  "powerCycle",
  ...DISKS,
  "bitFlip",
  "lyingSync",
  "oldImage",
  "wipe",
  "wipeTheLoneHolder",
  "crashTheLoneHolder",
  "wipeAtBoundary",
  "crashAtBoundary",
  "newerRelease",
  "rollingRestart",
  "equivocators",
  "badLeaders",
  "forgers",
  "liars",
];

/** Every line of the fault catalogue (docs/consensus.md) lies in at least one of these. */
export const PLAN_SPECS = {
  calm: { always: [] },
  crashes: { always: ["crash", "crashAtEffect"], some: ["loss", "partition", "delay", "outage"] },
  network: { always: ["partition"], some: NETWORK },
  clogs: { always: ["clog", "reorder"], some: ["duplicate", "replay", "bandwidth", "slowLinks", "crash"] },
  machines: { always: ["crash"], some: MACHINES },
  clocks: { always: ["clockJump", "clockFreeze"], some: ["clockDrift", "crash", "partition", "pause"] },
  disks: { always: ["failedSync", "fullDisk"], some: ["readError", "crash", "crashAtEffect", "loss"] },
  powerCycles: { always: ["powerCycle"], some: ["loss", "delay", "crashAtEffect", "oneWay"], epochBlocks: [3, 9] },
  wipes: { always: ["wipe"], some: ["crash", "partition", "loss", "delay", "readError"], boxesMin: 4 },
  loneHolders: { always: ["wipeTheLoneHolder"], some: ["loss", "delay"], boxesMin: 4 },
  loneCrashes: { always: ["crashTheLoneHolder"], some: ["crash", "loss", "delay", "crashAtEffect"], boxesMin: 4 },
  lyingDisks: { always: ["lyingSync"], some: ["bitFlip", "crash", "partition", "loss"], boxesMin: 4 },
  oldImages: { always: ["oldImage"], some: ["crash", "partition", "loss"], boxesMin: 4 },
  clones: { always: [], some: ["crash", "partition", "delay", "loss", "oneWay"], hasClones: true, boxesMin: 4 },
  equivocators: { always: ["equivocators"], some: ["crash", "partition", "delay", "loss"], boxesMin: 4 },
  badLeaders: { always: ["badLeaders"], some: ["crash", "delay", "loss", "crashAtEffect"], boxesMin: 4 },
  forgers: { always: ["forgers"], some: ["crash", "partition", "replay", "loss"], boxesMin: 4 },
  liars: { always: ["liars"], some: ["crash", "outage", "partition", "loss", "delay"], boxesMin: 4 },
  traitors: { always: ["traitors"], some: [...NETWORK, "crash"], boxesMin: 4 },
  epochs: { always: ["crash"], some: ["partition", "loss", "delay", "outage", "replay"], epochBlocks: [2, 6], hasSetChanges: true },
  boundaries: {
    always: ["crashAtBoundary"],
    some: ["wipeAtBoundary", "equivocators", "loss", "delay", "clog"],
    epochBlocks: [2, 5],
    boxesMin: 4,
  },
  leftBehind: { always: ["leftBehind"], some: ["crash", "crashAtEffect", "loss", "delay", "partition"], epochBlocks: [2, 8], boxesMin: 4 },
  versions: { always: ["newerRelease", "rollingRestart"], some: ["loss", "delay", "badLeaders"], boxesMin: 4 },
  everything: { always: [], some: [...NETWORK, ...MACHINES, ...DISKS, "wipe", "traitors", "newerRelease"], boxesMin: 4 },
  storms: { always: [], some: STORM, share: 0.45, epochBlocks: [2, 12], boxesMin: 4 },
  homes: {
    always: ["brokenCommit", "crashWhileStarting"],
    some: ["oldHome", "rot", "crashAtEffect", "fullDisk", "failedSync", "loss"],
    needsWholeNodes: true,
    boxesMin: 4,
  },
  newDisks: {
    always: ["newDisk"],
    some: ["brokenCommit", "crashWhileStarting", "crash", "loss", "delay"],
    needsWholeNodes: true,
    boxesMin: 4,
  },
  horizons: {
    always: ["crashAtEffect", "crashWhileStarting"],
    some: ["outage", "brokenCommit", "crash", "loss", "delay", "partition", "powerCycle"],
    epochBlocks: [3, 9],
    hasPruners: true,
    needsWholeNodes: true,
    boxesMin: 4,
  },
} as const satisfies Record<string, PlanSpec>;

/** The name of a plan. */
export type Plan = keyof typeof PLAN_SPECS;
/** All plans, in the order in which seeds take turns. */
export const PLANS = Object.keys(PLAN_SPECS) as readonly Plan[];

/** Whether a text names a plan. */
export function isPlan(text: string): text is Plan {
  return Object.hasOwn(PLAN_SPECS, text);
}

/** All that one seed decides about a run before it starts. */
export type Setup = {
  readonly seed: number;
  readonly plan: Plan;
  readonly cluster: ClusterOptions;
  readonly profile: TimerProfile;
  readonly faults: readonly FaultName[];
  /** How long faults go on. */
  readonly windowMs: number;
  /** Between two submissions. */
  readonly loadEveryMs: number;
};

/** Share of seeds on which the boxes run whole nodes, mempool and databases included; they cost four times as much. */
const WHOLE_SHARE = 0.12;
/** Ten whole nodes cost as much as twenty modelled networks; seven show as much. */
const WHOLE_BOXES_MAX = 7;
/** Large and whole networks cost more an event: their faults go on for less long. */
const COSTLY_WINDOW_SHARE = 0.7;

/** Sets of weights, those that cost little more often. */
const WEIGHTS: readonly (readonly bigint[])[] = [
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n],
  [3n, 3n, 3n, 2n],
  [1n, 1n, 1n, 1n, 1n],
  [2n, 2n, 2n, 2n, 1n],
  [1n, 2n, 3n, 3n, 2n, 2n],
  [1n, 1n, 1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
  [5n, 3n, 3n, 2n, 2n, 1n, 1n],
  [1n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n, 1n, 1n, 1n],
];

/** What a seed means: equal seeds and plans give equal set-ups on every machine. */
export function setupOf(seed: number, plan: Plan = present(PLANS[seed % PLANS.length], "a plan for each remainder")): Setup {
  const spec: PlanSpec = PLAN_SPECS[plan];
  const prng = new Prng(seed * 2_654_435_761 + 17);
  const isWhole = spec.needsWholeNodes || prng.chance(WHOLE_SHARE);
  const fitting = WEIGHTS.filter(({ length }) => length >= (spec.boxesMin ?? 1) && (!isWhole || length <= WHOLE_BOXES_MAX));
  const weights = present(fitting[prng.below(fitting.length)], "some weights");
  const isEqual = weights.every((weight) => weight === weights[0]);
  const [fewest, most] = spec.epochBlocks ?? (prng.chance(0.3) ? [4, 12] : [1_000_000, 1_000_000]);
  const profile = prng.chance(0.1) ? WAN_TIMERS : LAN_TIMERS;
  const pace = profile.minimumBlockIntervalMs / LAN_TIMERS.minimumBlockIntervalMs;
  const drawn = (spec.some ?? []).filter(() => prng.chance(spec.share ?? Math.min(0.5, 3 / (spec.some?.length ?? 1))));
  // A whole chain's sets follow from its transactions; a modelled one's from a rule.
  const setChanges = spec.hasSetChanges && isEqual && weights.length >= 5 && prng.chance(0.7);
  return {
    seed,
    plan,
    profile,
    cluster: {
      seed,
      weights,
      profile,
      epochBlocks: fewest + prng.below(most - fewest + 1),
      ...(setChanges ? { hasSetChanges: weights.length >= 7 && prng.chance(0.5) ? "rotating" : true } : {}),
      delayMs: [0.2, prng.chance(0.5) ? 3 : 30],
      ...(spec.hasClones ? { clones: [weights.indexOf(leastOf(weights))] } : {}),
      ...(spec.hasPruners ? { hasPruners: true } : {}),
      hasRealSignatures: prng.chance(0.01),
      fidelity: isWhole ? "whole" : "model",
    },
    faults: [...new Set([...spec.always, ...drawn])].filter((name) => name in FAULTS),
    windowMs: (2_500 + prng.below(5_500)) * Math.sqrt(pace) * (isWhole || weights.length >= 7 ? COSTLY_WINDOW_SHARE : 1),
    loadEveryMs: (80 + prng.below(240)) * pace,
  };
}

/** The smallest of some numbers beyond what `Math.min` takes. */
export function leastOf(values: readonly bigint[]): bigint {
  let least = present(values[0], "there are some");
  for (const value of values) if (value < least) least = value;
  return least;
}
