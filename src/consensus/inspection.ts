import type { Certificate } from "../protocol/index.ts";
import { isLagging } from "./ballots.ts";
import type { RecoveryStatus } from "./ports.ts";
import { mustAskOthers } from "./recovery-gate.ts";
import { compareRounds, type Round } from "./rounds.ts";
import type { CoreState } from "./state.ts";

/** What a node tells of its agreement: for status pages, metrics and the simulator's oracle. */
export type CoreStatus = {
  readonly epoch: number;
  readonly view: number;
  /** Highest finalized view known, committed or not. */
  readonly floor: Round;
  readonly height: number;
  readonly tipHash: Uint8Array;
  /** Leader of the current view, an index in the set. */
  readonly leader: number;
  /** Our index in the set; absent for one that only follows. */
  readonly self?: number;
  readonly recovery: RecoveryStatus;
  /** Whether votes may leave this box now, and why not. `outdated`: the chain has gone on to blocks that this release does not know. */
  readonly voting: "voting" | "following" | "greeting" | "recovering" | "mute" | "outdated" | "halted";
  /** Whether more is known to be final than this box has by more than a few blocks: no votes, no admission (R13). */
  readonly isLagging: boolean;
  readonly peerCount: number;
  /** Certificates held from the floor on. */
  readonly certificates: readonly Certificate[];
};

/** How much a node's agreement holds in memory, counted entry by entry: for metrics, and for the bounds of R0. */
export type HeldCounts = {
  readonly views: number;
  /** Views of the epoch before, kept for evidence (R11), and the distance of its current view from its floor. */
  readonly previousViews: number;
  readonly previousSpan: number;
  readonly votes: number;
  readonly proposals: number;
  readonly blocks: number;
  readonly fetches: number;
  readonly forwards: number;
  readonly evidence: number;
  readonly targets: number;
};

/** Counts what is held; walks all views, so not for every event. */
export function countHeld(core: CoreState): HeldCounts {
  const { epoch, previous } = core;
  let [votes, proposals] = [0, 0];
  for (const view of epoch.views.values()) {
    proposals += view.proposals.size;
    for (const { notarize, nullify, finalize } of view.votes.values()) votes += Number(!!notarize) + Number(!!nullify) + Number(!!finalize);
  }
  return {
    views: epoch.views.size,
    previousViews: previous?.views.size ?? 0,
    previousSpan: previous ? previous.current - previous.floor : 0,
    votes,
    proposals,
    blocks: core.blocks.size,
    fetches: core.fetches.size,
    forwards: core.forwards.length,
    evidence: core.evidence.size,
    targets: core.targets.length,
  };
}

/** Whether a box votes, and is level with what it knows to be final: asked for each admitted submission, so it walks nothing. */
export function standingOf(core: CoreState): Pick<CoreStatus, "voting" | "isLagging"> {
  return { voting: votingOf(core), isLagging: isLagging(core) };
}

/** A copy of the facts that others may see. */
export function inspectCore(core: CoreState): CoreStatus {
  const { epoch } = core;
  const certificates: Certificate[] = [];
  for (let number = epoch.floor; number <= (epoch.best?.view ?? 0); number++) {
    const view = epoch.views.get(number);
    for (const certificate of [view?.notarization, view?.nullification, view?.finalization])
      if (certificate) certificates.push(certificate);
  }
  return {
    epoch: epoch.epoch,
    view: epoch.current,
    floor: floorOf(core),
    height: core.tip.height,
    tipHash: core.tip.hash,
    leader: core.config.leaderOf(epoch.set, epoch.epoch, epoch.current),
    ...(epoch.self === undefined ? {} : { self: epoch.self }),
    recovery: core.recoveryStatus,
    ...standingOf(core),
    peerCount: core.peers.size,
    certificates,
  };
}

/** A deep copy, sharing only the configuration, from which two futures can be tried. */
export function cloneCore(core: CoreState): CoreState {
  const { config, ...state } = core;
  return { config, ...structuredClone(state) };
}

function floorOf(core: CoreState): Round {
  const known = { epoch: core.epoch.epoch, view: core.epoch.floor };
  return compareRounds(known, core.voteFloor) >= 0 ? known : core.voteFloor;
}

function votingOf(core: CoreState): CoreStatus["voting"] {
  if (core.isHalted) return "halted";
  if (core.isMute) return "mute";
  if (core.epoch.self === undefined) return "following";
  if (mustAskOthers(core.recoveryStatus, core.epoch.epoch)) return "recovering";
  return core.isGreeted ? "voting" : "greeting";
}
