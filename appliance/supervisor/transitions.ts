import { assert } from "../../src/kernel/index.ts";
import type {
  ChildEnd,
  EndPurpose,
  SupervisorEffect,
  SupervisorInput,
  SupervisorPhase,
  SupervisorState,
  SupervisorStep,
  SupervisorTuning,
} from "./types.ts";

/** Before anything was started. */
export const STOPPED: SupervisorState = {
  phase: { kind: "stopped" },
  hasChild: false,
  restartsMs: [],
  failures: 0,
  isAnnounced: false,
  pausedMs: undefined,
};

/** The state table of one supervised child: what an input does to a state, and what is to be done for it, in order. */
export function onSupervisorInput(state: SupervisorState, input: SupervisorInput, tuning: SupervisorTuning): SupervisorStep {
  const step = applyInput(state, input, tuning);
  const spawns = step.effects.filter(({ kind }) => kind === "spawn").length;
  const hadNone = !state.hasChild || input.kind === "ended";
  assert(spawns === 0 || (spawns === 1 && hadNone), "a child is started only when there is none");
  assert(input.kind === "healthy" || !step.effects.some(({ kind }) => kind === "feed"), "a watchdog is fed for nothing but health");
  return step;
}

function applyInput(state: SupervisorState, input: SupervisorInput, tuning: SupervisorTuning): SupervisorStep {
  switch (input.kind) {
    case "start":
      return onStart(state, input.nowMs, tuning);
    case "stop":
      return onStop(state, input.isFinal, input.nowMs, tuning);
    case "rest":
      return onRest(state, input.nowMs, tuning);
    case "restart":
      return onRestart(state, input.nowMs, tuning);
    case "healthy":
      return onHealthy(state, input.nowMs, tuning);
    case "printed":
      return onPrinted(state, input.nowMs, tuning);
    case "ended":
      return onEnded(state, input.end, input.draw, input.nowMs, tuning);
    case "tick":
      return onTick(state, input.nowMs, tuning);
  }
}

/** When the next tick can change anything; Infinity when only another input can. */
export function nextSupervisorTickMs({ phase, hasChild, pausedMs }: SupervisorState, tuning: SupervisorTuning): number {
  const renewal = pausedMs === undefined ? Infinity : pausedMs + tuning.pauseLimitMs / 2;
  switch (phase.kind) {
    case "stopped":
      return renewal;
    case "starting":
      return Math.min(renewal, phase.signMs + tuning.startSilenceMs, phase.sinceMs + tuning.startLimitMs);
    case "running":
      return phase.healthyMs + tuning.hangMs;
    case "backing-off":
      return Math.min(renewal, phase.untilMs);
    case "stopping":
      return phase.sinceMs + (phase.isKilled ? tuning.killGraceMs : tuning.stopGraceMs);
    case "failed":
      return Math.min(renewal, hasChild ? Infinity : phase.retryMs);
  }
}

function onStart(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { kind } = state.phase;
  if (kind === "starting" || kind === "running" || kind === "stopping") return unchanged(state);
  if (state.hasChild) return unkillable(state, nowMs, tuning);
  // Somebody asked: whatever went wrong before is forgiven.
  return spawn({ ...state, failures: 0, restartsMs: [] }, nowMs, tuning);
}

function onStop(state: SupervisorState, isFinal: boolean, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { phase } = state;
  const farewell: SupervisorEffect = isFinal ? { kind: "farewell" } : { kind: "pause", limitMs: tuning.pauseLimitMs };
  if (phase.kind === "stopped" && state.pausedMs === undefined) return unchanged(state);
  if (phase.kind === "stopping") {
    return phase.purpose.kind === "stop"
      ? unchanged(state)
      : { state: { ...state, phase: { ...phase, purpose: { kind: "stop" } } }, effects: [farewell] };
  }
  // A process that SIGKILL did not end is left to the restart of the machine.
  if (!state.hasChild || phase.kind === "failed") return { state: stopped(state), effects: [farewell] };
  const step = end(state, { kind: "stop" }, "asked to stop", nowMs);
  return { state: step.state, effects: [farewell, ...step.effects] };
}

/** There is no node to run, and that is as it should be: nothing will be healthy, and the box is up all the same. */
function onRest(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  if (state.phase.kind !== "stopped") return unchanged(state);
  const paused = pause(state, nowMs, tuning);
  return announced(paused.state, ...paused.effects);
}

function onRestart(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { kind } = state.phase;
  if (kind === "starting" || kind === "running") return end(state, { kind: "restart", isCounted: false }, "asked to restart", nowMs);
  if (kind === "backing-off" || kind === "failed") return onStart(state, nowMs, tuning);
  return unchanged(state);
}

function onHealthy(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { phase } = state;
  if (phase.kind !== "starting" && phase.kind !== "running") return unchanged(state); // an answer of a process that is being ended
  const sinceMs = phase.kind === "running" ? phase.sinceMs : nowMs;
  const failures = nowMs - sinceMs >= tuning.stableMs ? 0 : state.failures;
  return announced({ ...state, phase: { kind: "running", sinceMs, healthyMs: nowMs }, failures, pausedMs: undefined }, { kind: "feed" });
}

function onPrinted(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { phase } = state;
  if (phase.kind !== "starting") return unchanged(state);
  // A line that comes after its time was up is no reason to forget that time.
  if (nowMs >= phase.signMs + tuning.startSilenceMs) return onTick(state, nowMs, tuning);
  return { state: { ...state, phase: { ...phase, signMs: nowMs } }, effects: [] };
}

function onEnded(state: SupervisorState, ended: ChildEnd, draw: number, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  assert(draw >= 0 && draw < 1, "a draw lies between 0 and 1");
  const alone = { ...state, hasChild: false };
  const { phase } = state;
  if (phase.kind !== "starting" && phase.kind !== "running" && phase.kind !== "stopping") return { state: alone, effects: [] };
  if (phase.kind === "stopping") {
    if (phase.purpose.kind === "stop") return { state: stopped(alone), effects: [] };
    if (!phase.purpose.isCounted) return spawn(alone, nowMs, tuning);
    return backOff(alone, phase.reason, draw, nowMs, tuning);
  }
  return backOff(alone, describeEnd(ended), draw, nowMs, tuning);
}

function onTick(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const { phase } = state;
  if (nowMs < nextSupervisorTickMs(state, tuning)) return unchanged(state);
  const counted: EndPurpose = { kind: "restart", isCounted: true };
  switch (phase.kind) {
    case "starting": {
      const isSilent = nowMs >= phase.signMs + tuning.startSilenceMs;
      if (!isSilent && nowMs < phase.sinceMs + tuning.startLimitMs) return pause(state, nowMs, tuning);
      const limitMs = isSilent ? tuning.startSilenceMs : tuning.startLimitMs;
      return kill(state, counted, `did not answer within ${limitMs} ms of its start${isSilent ? " and said nothing" : ""}`, nowMs);
    }
    case "running":
      return kill(state, counted, `was not healthy for ${tuning.hangMs} ms`, nowMs);
    case "backing-off":
      return nowMs >= phase.untilMs ? spawn(state, nowMs, tuning) : pause(state, nowMs, tuning);
    case "stopping":
      if (!phase.isKilled) return kill(state, phase.purpose, phase.reason, nowMs);
      return phase.purpose.kind === "stop" ? { state: stopped(state), effects: [] } : unkillable(state, nowMs, tuning);
    case "failed":
      return !state.hasChild && nowMs >= phase.retryMs ? spawn({ ...state, restartsMs: [] }, nowMs, tuning) : pause(state, nowMs, tuning);
    case "stopped":
      return pause(state, nowMs, tuning);
  }
}

function unchanged(state: SupervisorState): SupervisorStep {
  return { state, effects: [] };
}

/** At the end nothing is due any more, not even a renewal. */
function stopped(state: SupervisorState): SupervisorState {
  return { ...state, phase: { kind: "stopped" }, pausedMs: undefined };
}

function spawn(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const phase: SupervisorPhase = { kind: "starting", sinceMs: nowMs, signMs: nowMs };
  const paused = pause({ ...state, phase, hasChild: true }, nowMs, tuning);
  return { state: paused.state, effects: [{ kind: "spawn" }, ...paused.effects] };
}

/** Puts the watchdogs off. A limit stays: should this process hang too, they still bite. */
function pause(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  return { state: { ...state, pausedMs: nowMs }, effects: [{ kind: "pause", limitMs: tuning.pauseLimitMs }] };
}

/** Asks the child to end. */
function end(state: SupervisorState, purpose: EndPurpose, reason: string, nowMs: number): SupervisorStep {
  const phase: SupervisorPhase = { kind: "stopping", sinceMs: nowMs, isKilled: false, purpose, reason };
  return { state: { ...state, phase }, effects: [{ kind: "terminate" }] };
}

/** Ends the child without asking. */
function kill(state: SupervisorState, purpose: EndPurpose, reason: string, nowMs: number): SupervisorStep {
  const phase: SupervisorPhase = { kind: "stopping", sinceMs: nowMs, isKilled: true, purpose, reason };
  return { state: { ...state, phase }, effects: [{ kind: "kill" }] };
}

/** A restart that nobody asked for: later, and later each time, or not for now when there were too many. */
function backOff(state: SupervisorState, reason: string, draw: number, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const recent = state.restartsMs.filter((atMs) => atMs > nowMs - tuning.windowMs);
  if (recent.length >= tuning.restartsMax) {
    const told = `${reason}; ${recent.length} restarts within ${tuning.windowMs} ms did not help`;
    return fail({ ...state, restartsMs: recent }, { code: "crashLoop", reason: told }, nowMs, tuning);
  }
  const fullMs = Math.min(tuning.backOffMaxMs, tuning.backOffFirstMs * 2 ** Math.min(state.failures, 20));
  const untilMs = nowMs + fullMs / 2 + draw * (fullMs / 2);
  const phase: SupervisorPhase = { kind: "backing-off", untilMs, reason };
  return pause({ ...state, phase, restartsMs: [...recent, nowMs], failures: state.failures + 1 }, nowMs, tuning);
}

function unkillable(state: SupervisorState, nowMs: number, tuning: SupervisorTuning): SupervisorStep {
  const reason = `is still there ${tuning.killGraceMs} ms after SIGKILL: the kernel holds it, as it does while a disk does not answer`;
  return fail(state, { code: "unkillable", reason }, nowMs, tuning);
}

/** Gives up for now. A kernel that holds a dead process is no state to wait in: there the watchdogs are left to bite. */
function fail(
  state: SupervisorState,
  { code, reason }: Pick<Extract<SupervisorPhase, { kind: "failed" }>, "code" | "reason">,
  nowMs: number,
  tuning: SupervisorTuning,
): SupervisorStep {
  const failed: SupervisorState = { ...state, phase: { kind: "failed", code, reason, retryMs: nowMs + tuning.failedRestMs } };
  if (code === "unkillable") return announced({ ...failed, pausedMs: undefined });
  const paused = pause(failed, nowMs, tuning);
  return announced(paused.state, ...paused.effects);
}

/** Says that the box is up, before anything else, the first time there is something to say. */
function announced(state: SupervisorState, ...effects: readonly SupervisorEffect[]): SupervisorStep {
  if (state.isAnnounced) return { state, effects };
  return { state: { ...state, isAnnounced: true }, effects: [{ kind: "announce" }, ...effects] };
}

function describeEnd({ code, signal }: ChildEnd): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}
