import { type Plan, runChaos, runSetup } from "../chaos.ts";
import { watchLightClient } from "../light-client.ts";
import { setupOf } from "../plans.ts";
import type { TrialOutcome } from "./arena.ts";
import { hiddenView } from "./directed-ancestry.ts";
import { downLeader, lostAnnouncement } from "./directed-batches.ts";
import { openBoundaries } from "./directed-boundaries.ts";
import { doubleVoters, fastClock, lostVotes, replayedVotes, silentBoxes, smallSegments } from "./directed-boxes.ts";
import { loneVote, strayBlock, vanishingWork } from "./directed-idle.ts";
import { turncoatLeader } from "./directed-leaders.ts";
import { wipedAmongNewcomers } from "./directed-newcomers.ts";
import { wipedOpener } from "./directed-openers.ts";
import { wipedLeader, wipedTwice } from "./directed-wipes.ts";

const DIRECTED = {
  doubleVoters,
  downLeader,
  fastClock,
  hiddenView,
  lightClients,
  loneVote,
  lostAnnouncement,
  lostVotes,
  openBoundaries,
  replayedVotes,
  silentBoxes,
  smallSegments,
  strayBlock,
  turncoatLeader,
  vanishingWork,
  wipedAmongNewcomers,
  wipedLeader,
  wipedOpener,
  wipedTwice,
} as const satisfies Record<string, (seed: number) => TrialOutcome>;

type DirectedPlan = keyof typeof DIRECTED;

/** The plans that mutants are looked for under: those of the simulator, and directed ones that aim one fault. */
export type PlanName = Plan | DirectedPlan;

/** Runs one seed of a plan. A box that stopped itself is finding X. */
export function runTrial(plan: PlanName, seed: number): TrialOutcome {
  try {
    return isDirected(plan) ? DIRECTED[plan](seed) : runRandom(plan, seed);
  } catch (error) {
    return { findings: [`X: a box stopped itself: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

function isDirected(plan: PlanName): plan is DirectedPlan {
  return Object.hasOwn(DIRECTED, plan);
}

function runRandom(plan: Plan, seed: number): TrialOutcome {
  const outcome = runChaos(seed, plan);
  return { findings: outcome.findings.length > 0 ? outcome.findings : outcome.notLive.map((sentence) => `L: ${sentence}`) };
}

/** Epochs and traitors, with liars who answer light clients. */
function lightClients(seed: number): TrialOutcome {
  const { findings } = runSetup(setupOf(seed, seed % 2 === 0 ? "epochs" : "equivocators"), (cluster) => {
    cluster.oracle.lightClient = watchLightClient(cluster, seed, cluster.keys.suite).check;
  });
  return { findings };
}
