import { assert } from "../../src/kernel/index.ts";
import type { RunningRelease, UpdateEffect, UpdateInput, UpdateRow, UpdateState, UpdateStep, UpdateTrouble } from "./types.ts";
import { compareVersions } from "./version.ts";

/** Tries of an install, and of a way back, over power cuts: then something else is wrong than the power. */
const ATTEMPTS_MAX = 3;
/** Releases that are remembered as taken back. */
const FAILED_MAX = 8;

/** A box on which nothing was ever updated, or whose record is lost: what runs is the floor. */
export function freshUpdateState(running: RunningRelease): UpdateState {
  return { row: { kind: "idle" }, floor: running.version, failed: [] };
}

/** Whether a new order may be taken. */
export function canOrder({ row }: UpdateState): boolean {
  return row.kind === "idle" || row.kind === "good" || row.kind === "rolledBack";
}

/**
 * The state table of an update: what an input does to a state, and what is to be done for it, in order. A cut between any
 * two effects leads by `started` to a state that goes on or goes back. An input that no longer fits is passed over.
 */
export function onUpdateInput(state: UpdateState, input: UpdateInput, running: RunningRelease): UpdateStep {
  const step = applyInput(state, input, running);
  const isKept = step.effects.some(({ kind }) => kind === "keep");
  assert(step.state === state || isKept, "what changes is made durable");
  assert(compareVersions(step.state.floor, state.floor) >= 0, "the floor never falls");
  return step;
}

function applyInput(state: UpdateState, input: UpdateInput, running: RunningRelease): UpdateStep {
  const { row } = state;
  switch (input.kind) {
    case "started":
      return onStarted(state, running);
    case "ordered":
      if (!canOrder(state)) return unchanged(state);
      return to(state, { kind: "downloading", order: input.order }, { kind: "fetch", order: input.order });
    case "downloaded":
      if (row.kind !== "downloading") return unchanged(state);
      return to(state, { kind: "verifying", order: row.order, path: input.path }, { kind: "check", order: row.order, path: input.path });
    case "verified":
      if (row.kind !== "verifying") return unchanged(state);
      return to(
        state,
        { kind: "installing", path: row.path, bundle: input.bundle, attempts: 1, ...(row.order.isUnattended && { isUnattended: true }) },
        { kind: "install", path: row.path },
      );
    case "refused":
      if (row.kind !== "downloading" && row.kind !== "verifying" && row.kind !== "installing") return unchanged(state);
      return to(state, { kind: "idle", last: input.trouble }, { kind: "discard" });
    case "installed":
      if (row.kind !== "installing") return unchanged(state);
      return to(
        state,
        {
          ...{ kind: "rebooting", bundle: row.bundle, bootId: running.bootId, isAsked: false, hadAggregator: false },
          ...(row.isUnattended && { isUnattended: true }),
        },
        { kind: "discard" },
        { kind: "askNode" },
      );
    case "mayMove":
      if (row.kind !== "rebooting" || row.isAsked) return unchanged(state);
      return to(state, { ...row, isAsked: true, hadAggregator: input.hadAggregator }, { kind: "reboot" });
    case "gatePassed":
      return row.kind === "returning" ? unchanged(state) : { state, effects: [{ kind: "commit" }] };
    case "committed":
      return row.kind === "probation" ? commit(state, row.version) : unchanged(state);
    case "gateFailed":
      return row.kind === "probation" ? goBack(state, row.version, input.trouble, running) : unchanged(state);
    case "backAsked":
      return onBackAsked(state, running);
    case "stayed":
      if (row.kind !== "rebooting") return unchanged(state);
      return to(state, { kind: "idle", last: { code: "asked", detail: `${row.bundle.version} was called off before it was started` } });
  }
}

/** Finds its place again: by what it was about to do, and by what runs. Whatever runs is looked at until it can be marked good. */
function onStarted(state: UpdateState, running: RunningRelease): UpdateStep {
  const { row } = state;
  const watch: UpdateEffect = { kind: "watchGate" };
  switch (row.kind) {
    case "downloading":
      return { state, effects: [watch, { kind: "fetch", order: row.order }] };
    case "verifying":
      return { state, effects: [watch, { kind: "check", order: row.order, path: row.path }] };
    case "installing":
      // The updater had ended and the power went before it could be noted.
      if (running.version === row.bundle.version) return tryOut(state, running.version, false, { kind: "discard" });
      if (row.attempts >= ATTEMPTS_MAX) {
        const detail = `installing ${row.bundle.version} was cut short ${row.attempts} times`;
        return to(state, { kind: "idle", last: { code: "installFailed", detail } }, { kind: "discard" }, watch);
      }
      return to(state, { ...row, attempts: row.attempts + 1 }, watch, { kind: "install", path: row.path });
    case "rebooting": {
      if (running.version === row.bundle.version) return tryOut(state, running.version, row.hadAggregator);
      if (running.bootId === row.bootId) return { state, effects: [row.isAsked ? { kind: "reboot" } : { kind: "askNode" }] };
      const detail = `the box came up with ${running.version} in place of ${row.bundle.version}`;
      return rolledBack(state, row.bundle.version, { code: "didNotBoot", detail });
    }
    case "probation": {
      if (running.version === row.version) return { state, effects: [watch] };
      const detail = `the box came up with ${running.version} before ${row.version} had passed its probation`;
      return rolledBack(state, row.version, { code: "didNotBoot", detail });
    }
    case "returning":
      return onStartedReturning(state, row, running);
    case "idle":
    case "good":
    case "rolledBack":
      return { state, effects: [watch] };
  }
}

function onStartedReturning(state: UpdateState, row: Extract<UpdateRow, { kind: "returning" }>, running: RunningRelease): UpdateStep {
  if (running.version !== row.version) return rolledBack(state, row.version, row.trouble);
  const turn: readonly UpdateEffect[] = [{ kind: "turnBack" }, { kind: "reboot" }];
  if (running.bootId === row.bootId) return { state, effects: turn };
  if (row.attempts >= ATTEMPTS_MAX) {
    const detail = `the box came up with ${row.version} again after ${row.attempts} tries to go back (${row.trouble.detail})`;
    return to(state, { kind: "idle", last: { code: "cannotGoBack", detail } }, { kind: "watchGate" });
  }
  return to(state, { ...row, bootId: running.bootId, attempts: row.attempts + 1 }, ...turn);
}

function onBackAsked(state: UpdateState, running: RunningRelease): UpdateStep {
  const { row } = state;
  if (row.kind === "rebooting") return { state, effects: [{ kind: "stay" }] };
  if (!canOrder(state) && row.kind !== "probation") return unchanged(state);
  return goBack(state, running.version, { code: "asked", detail: "a person asked for the release before" }, running);
}

function unchanged(state: UpdateState): UpdateStep {
  return { state, effects: [] };
}

/** Another row: durable first, then what it is for. */
function to(state: UpdateState, row: UpdateRow, ...effects: readonly UpdateEffect[]): UpdateStep {
  return { state: { ...state, row }, effects: [{ kind: "keep" }, ...effects] };
}

function tryOut(state: UpdateState, version: string, needsAggregator: boolean, ...before: readonly UpdateEffect[]): UpdateStep {
  return to(state, { kind: "probation", version, needsAggregator }, ...before, { kind: "watchGate" });
}

/** The release stays: it is the floor from here on, unless something newer was. */
function commit(state: UpdateState, version: string): UpdateStep {
  const floor = compareVersions(version, state.floor) > 0 ? version : state.floor;
  return to({ ...state, floor, failed: state.failed.filter((other) => other !== version) }, { kind: "good", version });
}

/** Leaves a release, when there is another to go to: a box that would only turn in a circle stays where it is. */
function goBack(state: UpdateState, version: string, trouble: UpdateTrouble, { bootId, canGoBack }: RunningRelease): UpdateStep {
  if (!canGoBack) return state.row.kind === "probation" ? { state, effects: [{ kind: "watchGate" }] } : unchanged(state);
  return to(state, { kind: "returning", version, trouble, bootId, attempts: 1 }, { kind: "turnBack" }, { kind: "reboot" });
}

function rolledBack(state: UpdateState, version: string, trouble: UpdateTrouble): UpdateStep {
  const failed = [...state.failed.filter((other) => other !== version), version].slice(-FAILED_MAX);
  return to({ ...state, failed }, { kind: "rolledBack", version, trouble }, { kind: "watchGate" });
}
