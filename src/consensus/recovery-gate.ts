import { assert } from "../kernel/index.ts";
import { BOUNDS } from "./bounds.ts";
import type { RecoveryStatus } from "./ports.ts";
import { compareRounds, laterRound, type Round } from "./rounds.ts";
import { type CoreState, emit, note } from "./state.ts";

/**
 * Whether a box with this recovery status may vote in a round. A gate speaks for its own epoch alone: it rests on what
 * members of that epoch's set showed, and a later set may be of others, who alone know what the lost journal held there.
 *
 * @see consensus R14
 */
export function recoveryAllows(status: RecoveryStatus, round: Round): boolean {
  if (status.kind === "intact") return true;
  if (status.kind === "recovering" || round.epoch !== status.epoch) return false;
  return round.view >= status.firstView;
}

/**
 * Whether the members of the current set have to be asked: the journal cannot be trusted, or its gate is one of an epoch
 * that ended before the gate did, and says nothing about this one.
 *
 * @param epoch the current epoch
 * @see consensus R14
 */
export function mustAskOthers(status: RecoveryStatus, epoch: number): boolean {
  return status.kind === "recovering" || (status.kind === "gated" && status.epoch < epoch);
}

/** The gate for E and V as R14 finds them: in epoch E only views >= V+3. V is -1 where nobody who answered had entered E. */
export function gateOf(epoch: number, highestCertifiedView: number): RecoveryStatus {
  return { kind: "gated", epoch, firstView: highestCertifiedView + BOUNDS.recoveryViews };
}

/**
 * Stops voting because the journal cannot be trusted, durably: the record stands before whatever leaves next, so a crash
 * restarts recovery (J8). An earlier gate is replaced by one that R14 will find again, never lower.
 *
 * @see consensus J7
 */
export function becomeRecovering(core: CoreState, why: string): void {
  if (core.recoveryStatus.kind === "recovering") return;
  core.recoveryStatus = { kind: "recovering" };
  core.recovery = undefined; // answers from before say nothing of what was lost since
  emit(core, { kind: "persist", record: { kind: "recovery", status: core.recoveryStatus } });
  note(core, { kind: "recovering", why });
}

/**
 * Sets the gate that the answers of the current set give (R14), after a loss or in the place of one of an earlier epoch;
 * it is durable before anything that leaves later.
 */
export function setGate(core: CoreState, gate: RecoveryStatus): void {
  assert(mustAskOthers(core.recoveryStatus, core.epoch.epoch), "a gate ends a recovery, or one that its epoch did not outlast");
  assert(gate.kind === "gated" && gate.epoch === core.epoch.epoch, "a gate is for the epoch whose members answered");
  core.recoveryStatus = gate;
  emit(core, { kind: "persist", record: { kind: "recovery", status: gate } });
  note(core, { kind: "recovered", epoch: gate.epoch, firstView: gate.firstView });
}

/**
 * Ends a gate that has done its work: a block of epoch E other than its boundary is final in a view from V+2 on. What the
 * gate bars in E then lies at or below the floor; and had the lost journal held a vote in E+1, the boundary block would
 * have been final in some view up to V, after which nothing else of E is ever notarized. What the gate barred the journal's
 * floor bars from then on: should the chain be lost later, the journal has no votes of its own that would.
 *
 * @see consensus R14
 */
export function endGate(core: CoreState): void {
  const { recoveryStatus: gate, epoch, tip } = core;
  if (gate.kind !== "gated" || gate.epoch !== epoch.epoch || tip.finalization?.epoch !== gate.epoch) return;
  if (tip.finalization.view < gate.firstView - 1) return;
  assert(epoch.floor >= gate.firstView - 1, "the tip's finalization is at or below the floor");
  core.recoveryStatus = { kind: "intact" };
  emit(core, { kind: "persist", record: { kind: "floor", round: { epoch: gate.epoch, view: tip.finalization.view } } });
  emit(core, { kind: "persist", record: { kind: "recovery", status: core.recoveryStatus } });
}

/**
 * Judges an own vote that a peer showed and our journal lacks: one above the floor and at or above the gate means that
 * the journal lost it; an older one may have been pruned or replayed. The floor is the later of chain and journal: a
 * chain that was put back from a backup has the journal's prunings above it, and boxes that all took those for losses
 * would never answer each other again.
 *
 * @see consensus J7
 */
export function onUnknownOwnVote(core: CoreState, round: Round): void {
  const floor = laterRound({ epoch: core.epoch.epoch, view: core.epoch.floor }, core.voteFloor);
  if (compareRounds(round, floor) <= 0 || !recoveryAllows(core.recoveryStatus, round)) return;
  becomeRecovering(core, `a peer showed a vote of ours in epoch ${round.epoch}, view ${round.view} that the journal lacks`);
}
