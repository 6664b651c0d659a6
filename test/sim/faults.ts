import { traitorsOf } from "./faults/byzantine-faults.ts";
import { crashAtBoundary, crashTheLoneHolder, wipeAtBoundary, wipeTheLoneHolder } from "./faults/directed-faults.ts";
import { bitFlip, failedSync, fullDisk, lyingSync, oldImage, readError, wipe } from "./faults/disk-faults.ts";
import { brokenCommit, crashWhileStarting, newDisk, oldHome, rot } from "./faults/home-faults.ts";
import { clockDrift, clockFreeze, clockJump, crash, crashAtEffect, outage, pause, powerCycle, slowNode } from "./faults/machine-faults.ts";
import type { Mischief } from "./faults/mischief.ts";
import { bandwidth, clog, delay, duplicate, loss, oneWay, partition, reorder, replay, slowLinks } from "./faults/network-faults.ts";
import { leftBehind, newerRelease, rollingRestart } from "./faults/operator-faults.ts";
import { TREASONS, type Treason } from "./saboteur.ts";

const withTreasons =
  (...treasons: Treason[]) =>
  (m: Mischief): void =>
    traitorsOf(m, treasons);

/**
 * Every fault by its name, to be combined at will. Each acts from the start of a run until it is healed, by draws of its
 * own generator. Twins and copied boxes are not here: they are a matter of how a cluster is set up (plans.ts).
 */
export const FAULTS = {
  loss,
  delay,
  reorder,
  duplicate,
  replay,
  partition,
  oneWay,
  clog,
  slowLinks,
  bandwidth,
  crash,
  crashAtEffect,
  outage,
  powerCycle,
  pause,
  slowNode,
  clockJump,
  clockDrift,
  clockFreeze,
  failedSync,
  fullDisk,
  readError,
  bitFlip,
  lyingSync,
  oldImage,
  wipe,
  brokenCommit,
  crashWhileStarting,
  oldHome,
  newDisk,
  rot,
  wipeTheLoneHolder,
  crashTheLoneHolder,
  wipeAtBoundary,
  crashAtBoundary,
  leftBehind,
  newerRelease,
  rollingRestart,
  equivocators: withTreasons("equivocate", "doubleVotes"),
  badLeaders: withTreasons("withholdProposal", "lateProposal", "withholdBatch", "badRoot", "badVersion", "staleParent", "equivocate"),
  forgers: withTreasons("badCertificates", "garbage", "doubleVotes"),
  liars: withTreasons("lieAboutHeight", "lieInRecovery", "selectiveSending", "badCertificates"),
  traitors: withTreasons(...TREASONS),
} as const satisfies Record<string, (m: Mischief) => void>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;
