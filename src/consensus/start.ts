import { assert } from "../kernel/index.ts";
import type { ChainTip, EpochOpening } from "./block-port.ts";
import { settle } from "./core.ts";
import { unitDraw } from "./draws.ts";
import type { JournalReplay } from "./ports.ts";
import { becomeRecovering } from "./recovery-gate.ts";
import { replayRecords } from "./replay.ts";
import { type CoreConfig, type CoreState, newEpochState, note, viewOf } from "./state.ts";
import type { Effect, StepTime } from "./steps.ts";

/** What a core starts from: the chain's tip, the epoch that continues it, and the journal. */
export type CoreStart = {
  readonly tip: ChainTip;
  /** How the epoch of the next block began: the tip's epoch, or the one after when the tip is a boundary block. */
  readonly opening: EpochOpening;
  readonly replay: JournalReplay;
  readonly time: StepTime;
};

/**
 * Makes the state of a node that comes up, and its first effects. The floor is the later of the chain's and the
 * journal's (J5); a lost journal makes it recover (J7), or stay mute until its operator acts when it is alone.
 */
export function startCore(config: CoreConfig, start: CoreStart): { readonly core: CoreState; readonly effects: readonly Effect[] } {
  const core = newCoreState(config, start);
  holdTip(core);
  if (start.replay.kind === "intact") {
    core.recoveryStatus = start.replay.recovery;
    replayRecords(core, start.replay.records);
  } else if (core.epoch.self !== undefined && core.epoch.set.validators.length === 1) {
    core.isMute = true;
    note(core, { kind: "recovering", why: `the journal is ${start.replay.loss}; with one validator only its operator can recover it` });
  } else becomeRecovering(core, `the journal is ${start.replay.loss}: ${start.replay.detail}`);
  settle(core);
  return { core, effects: core.effects };
}

function newCoreState(config: CoreConfig, { tip, opening, replay, time }: CoreStart): CoreState {
  const core: CoreState = {
    config,
    nowMs: time.monotonicMs,
    wallMs: time.wallMs,
    draws: 0,
    epoch: newEpochState(config, opening),
    tip,
    blockBytes: 1024,
    tipAtMs: time.monotonicMs,
    targets: [],
    isCommitting: false,
    blocks: new Map(),
    hasWork: false,
    lastProposalAtMs: time.monotonicMs - config.timers.minimumBlockIntervalMs,
    peers: new Map(),
    departed: new Map(),
    outside: { budgetBytes: 0, budgetAtMs: Number.NEGATIVE_INFINITY },
    wants: new Map(),
    fetches: new Map(),
    forwards: [],
    followersAtMs: time.monotonicMs,
    standstillCursor: 0,
    helloToken: 0,
    isGreeted: false,
    helloNextAtMs: time.monotonicMs,
    helloAttempts: 0,
    recoveryStatus: { kind: "intact" },
    voteFloor: replay.kind === "intact" ? replay.floor : { epoch: 0, view: 0 },
    laterRecords: [],
    isMute: false,
    evidence: new Map(),
    isHalted: false,
    effects: [],
  };
  core.helloToken = Math.floor(unitDraw(core) * 2 ** 32);
  return core;
}

/** The tip's finalization is the floor of its epoch; on a boundary block the next epoch starts without one. */
function holdTip(core: CoreState): void {
  const { epoch, tip } = core;
  const { finalization } = tip;
  assert((finalization === undefined) === (tip.height === 0), "every committed block but genesis has its finalization");
  if (!finalization || finalization.epoch !== epoch.epoch) return;
  epoch.floor = finalization.view;
  epoch.current = finalization.view + 1;
  epoch.best = finalization;
  epoch.entry = finalization;
  viewOf(epoch, finalization.view).finalization = finalization;
}
