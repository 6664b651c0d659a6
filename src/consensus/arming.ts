import { assert } from "../kernel/index.ts";
import { hasValidProposal } from "./notarizing.ts";
import type { RecoveryStatus } from "./ports.ts";
import { type CoreState, note, type ViewState, viewOf } from "./state.ts";

/** Why the current view's deadlines run; an idle chain has no reason and casts no votes. */
export type ArmReason = "work" | "heartbeat" | "unfinalized" | "gate" | "proposal" | "others";

/**
 * R1: enter the view after the highest one with a certificate: the first of notarization, nullification or finalization
 * of v-1, or a finalization beyond. The view never goes back.
 *
 * @returns whether something changed
 */
export function tryEnter(core: CoreState): boolean {
  const { epoch } = core;
  if (!epoch.best || epoch.best.view < epoch.current) return false;
  assert(epoch.best.epoch === epoch.epoch, "a view is entered by a certificate of its epoch");
  epoch.current = epoch.best.view + 1;
  epoch.entry = epoch.best;
  viewOf(epoch, epoch.current);
  note(core, { kind: "entered", epoch: epoch.epoch, view: epoch.current });
  return true;
}

/**
 * R1: the deadlines of the current view start to run on the first reason. A view that disarmed after our NULLIFY and
 * gets a new reason sends it again at once.
 *
 * @returns whether something changed
 */
export function tryArm(core: CoreState): boolean {
  const view = viewOf(core.epoch, core.epoch.current);
  // Until a commit is through, the batches it executes still look like work.
  if (view.armedAtMs !== undefined || core.isCommitting || armReason(core) === undefined) return false;
  view.armedAtMs = core.nowMs;
  if (view.own.nullify && view.retryAtMs === undefined) view.retryAtMs = core.nowMs;
  return true;
}

/** Stops the deadlines of a view that has no reason left (R5). */
export function disarm(view: ViewState): void {
  view.armedAtMs = undefined;
  view.retryAtMs = undefined;
}

/** The first reason for the current view's deadlines to run, if any (R1). */
export function armReason(core: CoreState): ArmReason | undefined {
  const { epoch } = core;
  const view = viewOf(epoch, epoch.current);
  const work = workReason(core);
  if (work) return work;
  if (view.activeWeight > epoch.set.faultyWeightMax) return "others";
  return hasValidProposal(core, view) ? "proposal" : undefined;
}

/**
 * Work: an includable batch held; the heartbeat due; a notarization above the floor (a boundary block's included) older
 * than the certification deadline; a recovery gate above the current view.
 *
 * @see consensus R1
 */
export function workReason(core: CoreState): ArmReason | undefined {
  if (core.hasWork) return "work";
  if (core.nowMs >= heartbeatAtMs(core)) return "heartbeat";
  const stale = staleNotarizationAtMs(core);
  if (stale !== undefined && core.nowMs >= stale) return "unfinalized";
  return isGateAbove(core.recoveryStatus, core.epoch.epoch, core.epoch.current) ? "gate" : undefined;
}

/** Monotonic time at which an idle chain makes its next block. */
export function heartbeatAtMs(core: CoreState): number {
  return core.tipAtMs + core.config.timers.heartbeatMs;
}

/** When the oldest notarization above the floor becomes work, or undefined when there is none. */
export function staleNotarizationAtMs(core: CoreState): number | undefined {
  let oldest: number | undefined;
  for (const number of core.epoch.notarized) {
    const at = core.epoch.views.get(number)?.notarizedAtMs;
    if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at;
  }
  return oldest === undefined ? undefined : oldest + core.config.timers.certificationDeadlineMs;
}

function isGateAbove(status: RecoveryStatus, epoch: number, current: number): boolean {
  return status.kind === "gated" && status.epoch === epoch && status.firstView > current;
}
