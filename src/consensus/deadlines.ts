import { followersDueAtMs } from "./anti-entropy.ts";
import { heartbeatAtMs, staleNotarizationAtMs } from "./arming.ts";
import { mayVote } from "./ballots.ts";
import { proposalWaitMs } from "./notarizing.ts";
import { certificationDeadlineAtMs, proposalDeadlineAtMs } from "./nullifying.ts";
import { earliestProposalAtMs, isOurTurn } from "./proposing.ts";
import { type CoreState, viewOf } from "./state.ts";

/**
 * The monotonic time at which the next tick is due, or undefined when only an input can change something. Timers are
 * data: whoever runs the core asks after each step and gives a tick then.
 */
export function nextDeadlineMs(core: CoreState): number | undefined {
  if (core.isHalted) return undefined;
  let next: number | undefined;
  const consider = (at: number | undefined): void => {
    if (at !== undefined && at > core.nowMs && (next === undefined || at < next)) next = at;
  };
  considerView(core, consider);
  consider(heartbeatAtMs(core));
  consider(staleNotarizationAtMs(core));
  consider(core.standstillAtMs);
  for (const forward of core.forwards) consider(forward.dueAtMs);
  consider(followersDueAtMs(core));
  for (const fetch of core.fetches.values()) consider(fetch.nextAtMs);
  if (!core.isGreeted) consider(core.helloNextAtMs);
  consider(core.recovery?.nextAskAtMs);
  return next;
}

function considerView(core: CoreState, consider: (at: number | undefined) => void): void {
  const view = viewOf(core.epoch, core.epoch.current);
  const wait = proposalWaitMs(core, view);
  if (wait > 0) consider(core.nowMs + wait);
  if (!mayVote(core, view.view)) return;
  if (isOurTurn(core, view)) consider(earliestProposalAtMs(core));
  if (view.own.nullify) consider(view.retryAtMs);
  else if (view.armedAtMs !== undefined) {
    consider(proposalDeadlineAtMs(core, view.armedAtMs));
    consider(certificationDeadlineAtMs(core, view.armedAtMs));
  }
}
