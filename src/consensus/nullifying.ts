import type { Certificate } from "../protocol/index.ts";
import { armReason, disarm } from "./arming.ts";
import { castNullify, mayVote } from "./ballots.ts";
import { findLeaderProposal } from "./block-pool.ts";
import { jittered } from "./draws.ts";
import { isSkipListed } from "./leaders.ts";
import { hasValidProposal } from "./notarizing.ts";
import { proposalMessage } from "./proposing.ts";
import { type CoreState, emit, type ViewState, viewOf } from "./state.ts";
import { grownDeadlineMs } from "./timers.ts";
import { leaderOf } from "./votes.ts";

/**
 * R5: give up on the current view, while it is current and without an own FINALIZE in it, when a deadline passed, the
 * leader itself gave up, our own build or check failed, or the leader is skip-listed. A deadline that finds no reason
 * left disarms and sends nothing.
 *
 * @returns whether something changed
 */
export function tryNullify(core: CoreState): boolean {
  const { epoch } = core;
  const view = viewOf(epoch, epoch.current);
  if (view.own.finalize !== undefined || !mayVote(core, view.view)) return false;
  if (view.own.nullify) return retryNullify(core, view);
  if (!isOverNow(core, view)) {
    if (!isDeadlineReached(core, view)) return false;
    if (armReason(core) === undefined) {
      disarm(view);
      return true;
    }
  }
  castNullify(core, view);
  return true;
}

/** When the proposal deadline of an armed view ends. */
export function proposalDeadlineAtMs(core: CoreState, armedAtMs: number): number {
  const { timers } = core.config;
  return armedAtMs + grownDeadlineMs(timers, timers.proposalDeadlineMs, core.epoch.nullifiedViews);
}

/** When the certification deadline of an armed view ends. */
export function certificationDeadlineAtMs(core: CoreState, armedAtMs: number): number {
  const { timers } = core.config;
  return armedAtMs + grownDeadlineMs(timers, timers.certificationDeadlineMs, core.epoch.nullifiedViews);
}

/** Whether this view needs no deadline to be given up. */
function isOverNow(core: CoreState, view: ViewState): boolean {
  const leader = leaderOf(core, core.epoch, view.view);
  if (view.hasFailed || view.votes.get(leader)?.nullify) return true;
  return (
    view.armedAtMs !== undefined &&
    leader !== core.epoch.self &&
    view.own.notarize === undefined &&
    isSkipListed(core.epoch.attendance, leader)
  );
}

function isDeadlineReached(core: CoreState, view: ViewState): boolean {
  if (view.armedAtMs === undefined) return false;
  if (core.nowMs >= certificationDeadlineAtMs(core, view.armedAtMs)) return true;
  return core.nowMs >= proposalDeadlineAtMs(core, view.armedAtMs) && !hasValidProposal(core, view);
}

/** Sends our votes again with the best certificate for entering the view and the proposal held. */
function retryNullify(core: CoreState, view: ViewState): boolean {
  if (view.retryAtMs === undefined || core.nowMs < view.retryAtMs) return false;
  if (armReason(core) === undefined) {
    disarm(view);
    return true;
  }
  view.retryAtMs = core.nowMs + jittered(core, core.config.timers.nullifyRetryMs);
  const certificates: Certificate[] = core.epoch.entry ? [core.epoch.entry] : [];
  if (certificates.length > 0) emit(core, { kind: "broadcast", message: { kind: "certificates", certificates } });
  for (const vote of view.ownSigned) emit(core, { kind: "broadcast", message: { kind: "vote", vote } });
  const entry = findLeaderProposal(view);
  const message = entry && proposalMessage(core, view, entry);
  if (message) emit(core, { kind: "broadcast", message });
  return true;
}
