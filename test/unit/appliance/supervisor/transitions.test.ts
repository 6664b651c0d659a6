import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  nextSupervisorTickMs,
  onSupervisorInput,
  STOPPED,
  SUPERVISOR_TUNING,
  type SupervisorEffect,
  type SupervisorInput,
  type SupervisorState,
} from "../../../../appliance/supervisor/index.ts";

const TUNING = SUPERVISOR_TUNING;

/** A supervisor under test with a model of the one process it has. */
class Model {
  state: SupervisorState = STOPPED;
  nowMs = 0;
  children = 0;
  readonly fedMs: number[] = [];
  readonly restartsMs: number[] = [];

  take(input: Record<string, unknown>): readonly SupervisorEffect["kind"][] {
    const wasBackingOff = this.state.phase.kind === "backing-off";
    const { state, effects } = onSupervisorInput(this.state, { ...input, nowMs: this.nowMs } as SupervisorInput, TUNING);
    this.state = state;
    for (const { kind } of effects) {
      if (kind === "spawn") {
        this.children++;
        if (wasBackingOff && input["kind"] === "tick") this.restartsMs.push(this.nowMs);
      }
      if (kind === "feed") this.fedMs.push(this.nowMs);
    }
    return effects.map(({ kind }) => kind);
  }

  end(draw = 0): readonly SupervisorEffect["kind"][] {
    this.children--;
    return this.take({ kind: "ended", end: { code: 1, signal: null }, draw });
  }

  /** Lets time pass to the next tick. */
  tick(): readonly SupervisorEffect["kind"][] {
    const dueMs = nextSupervisorTickMs(this.state, TUNING);
    expect(dueMs).toBeLessThan(Infinity);
    this.nowMs = Math.max(this.nowMs, dueMs);
    return this.take({ kind: "tick" });
  }

  get phase(): string {
    return this.state.phase.kind;
  }
}

function running(): Model {
  const model = new Model();
  model.take({ kind: "start" });
  model.take({ kind: "healthy" });
  return model;
}

describe("the table", () => {
  test("supervisor: started and healthy, announced once, fed at each healthy look", () => {
    const model = new Model();
    expect(model.take({ kind: "start" })).toEqual(["spawn", "pause"]);
    expect(model.take({ kind: "healthy" })).toEqual(["announce", "feed"]);
    model.nowMs += 2_000;
    expect(model.take({ kind: "healthy" })).toEqual(["feed"]);
    expect(model.phase).toBe("running");
  });

  test("supervisor: a second start, nothing happens", () => {
    const model = running();
    expect(model.take({ kind: "start" })).toEqual([]);
    expect(model.children).toBe(1);
  });

  test("supervisor: silent for the limit, killed, and started again after the back-off", () => {
    const model = running();
    expect(model.tick()).toEqual(["kill"]);
    expect(model.nowMs).toBe(TUNING.hangMs);
    expect(model.end(0.5)).toEqual(["pause"]);
    expect(model.phase).toBe("backing-off");
    expect(model.tick()).toEqual(["spawn", "pause"]);
    expect(model.nowMs).toBe(TUNING.hangMs + (TUNING.backOffFirstMs * 3) / 4);
  });

  test("supervisor: ends again and again, each wait longer up to the limit, then failed with the reason", () => {
    const model = running();
    const waits: number[] = [];
    for (let i = 0; i < TUNING.restartsMax; i++) {
      model.end(0.999);
      expect(model.phase).toBe("backing-off");
      const beganMs = model.nowMs;
      model.tick();
      waits.push(Math.round(model.nowMs - beganMs));
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 7_999].map((ms) => expect.closeTo(ms, -2)));
    expect(model.end()).toEqual(["pause"]);
    expect(model.state.phase).toMatchObject({ kind: "failed", code: "crashLoop" });
    expect(model.state.phase).toHaveProperty("reason", expect.stringContaining("ended with exit code 1"));
  });

  test("supervisor: failed before it was ever healthy, the box is announced all the same", () => {
    const model = new Model();
    model.take({ kind: "start" });
    for (let i = 0; i < TUNING.restartsMax; i++) {
      model.end();
      model.tick();
    }
    expect(model.end()).toEqual(["announce", "pause"]);
  });

  test("supervisor: failed, tried again after its rest with a new budget; at once when asked", () => {
    const model = running();
    for (let i = 0; i <= TUNING.restartsMax; i++) {
      model.end();
      if (model.phase === "backing-off") model.tick();
    }
    const failedMs = model.nowMs;
    expect(model.phase).toBe("failed");
    expect(model.take({ kind: "tick" })).toEqual([]);
    expect(model.tick()).toEqual(["spawn", "pause"]);
    expect(model.nowMs).toBe(failedMs + TUNING.failedRestMs);
    for (let i = 0; i <= TUNING.restartsMax; i++) {
      model.end();
      if (model.phase === "backing-off") model.tick();
    }
    expect(model.phase).toBe("failed");
    expect(model.take({ kind: "start" })).toEqual(["spawn", "pause"]);
  });

  test("supervisor: starts and says nothing, killed; while it prints, only after the long limit", () => {
    const silent = new Model();
    silent.take({ kind: "start" });
    expect(silent.tick()).toEqual(["kill"]);
    expect(silent.nowMs).toBe(TUNING.startSilenceMs);
    const talking = new Model();
    talking.take({ kind: "start" });
    while (talking.phase === "starting") {
      talking.nowMs += TUNING.startSilenceMs / 2;
      talking.take({ kind: "printed" });
      talking.take({ kind: "tick" });
    }
    expect(talking.nowMs).toBe(TUNING.startLimitMs);
    expect(talking.phase).toBe("stopping");
  });

  test("supervisor: asked to stop, SIGTERM, then SIGKILL, then stopped although nothing ends it", () => {
    const model = running();
    expect(model.take({ kind: "stop", isFinal: true })).toEqual(["farewell", "terminate"]);
    expect(model.tick()).toEqual(["kill"]);
    expect(model.tick()).toEqual([]);
    expect(model.phase).toBe("stopped");
    expect(model.take({ kind: "start" })).toEqual([]);
    expect(model.state.phase).toMatchObject({ kind: "failed", code: "unkillable" });
    expect(model.children).toBe(1);
  });

  test("supervisor: a process that SIGKILL does not end, failed, and no second one beside it until it is gone", () => {
    const model = running();
    model.tick();
    expect(model.tick()).toEqual([]);
    expect(model.state.phase).toMatchObject({ kind: "failed", code: "unkillable" });
    expect(nextSupervisorTickMs(model.state, TUNING)).toBe(Infinity);
    model.nowMs += TUNING.failedRestMs;
    expect(model.take({ kind: "tick" })).toEqual([]);
    model.end();
    expect(model.take({ kind: "tick" })).toEqual(["spawn", "pause"]);
  });

  test("supervisor: asked to restart, ended and started at once, no budget used; to stop meanwhile, stopped", () => {
    const model = running();
    expect(model.take({ kind: "restart" })).toEqual(["terminate"]);
    expect(model.end()).toEqual(["spawn", "pause"]);
    expect(model.state.restartsMs).toEqual([]);
    model.take({ kind: "restart" });
    expect(model.take({ kind: "stop", isFinal: true })).toEqual(["farewell"]);
    model.end();
    expect(model.phase).toBe("stopped");
  });

  test("supervisor: stable for long enough, the next wait is the first one again", () => {
    const model = running();
    for (let i = 0; i < 3; i++) {
      model.end();
      model.tick();
    }
    model.take({ kind: "healthy" });
    expect(model.state.failures).toBe(3);
    model.nowMs += TUNING.stableMs;
    model.take({ kind: "healthy" });
    expect(model.state.failures).toBe(0);
  });

  test("supervisor: no node to run, the box is up, the watchdogs are put off again and again", () => {
    const model = new Model();
    expect(model.take({ kind: "rest" })).toEqual(["announce", "pause"]);
    expect(model.tick()).toEqual(["pause"]);
    expect(model.nowMs).toBe(TUNING.pauseLimitMs / 2);
    expect(model.take({ kind: "start" })).toEqual(["spawn", "pause"]);
    expect(model.take({ kind: "rest" })).toEqual([]);
  });

  test("supervisor: stopped for a while, the watchdogs put off and systemd told of no end", () => {
    const model = running();
    expect(model.take({ kind: "stop", isFinal: false })).toEqual(["pause", "terminate"]);
    model.end();
    expect(model.take({ kind: "start" })).toEqual(["spawn", "pause"]);
  });

  test("supervisor: a box that rests is stopped, nothing is due any more", () => {
    const model = new Model();
    model.take({ kind: "rest" });
    expect(model.take({ kind: "stop", isFinal: true })).toEqual(["farewell"]);
    expect(nextSupervisorTickMs(model.state, TUNING)).toBe(Infinity);
  });

  test("supervisor: failed, the pause of the watchdogs the pause of the watchdogs is renewed well before its limit", () => {
    const model = running();
    for (let i = 0; i <= TUNING.restartsMax; i++) {
      model.end();
      if (model.phase === "backing-off") model.tick();
    }
    const dueMs = nextSupervisorTickMs(model.state, TUNING);
    expect(dueMs - model.nowMs).toBeLessThanOrEqual(TUNING.pauseLimitMs / 2);
  });
});

/** Anything that can happen, with the time that passes before it. */
const anything = fc.record({
  waitMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 700_000 })),
  what: fc.constantFrom("start", "stop", "rest", "restart", "healthy", "printed", "ended", "tick", "tick", "due"),
  draw: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe("any sequence of inputs", () => {
  test("supervisor: whatever happens, one child at most, fed for health alone, the budget kept, a stop ends", () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 120 }), (events) => {
        const model = new Model();
        for (const { waitMs, what, draw } of events) {
          model.nowMs += waitMs;
          const fed = model.fedMs.length;
          if (what === "ended") {
            if (model.children > 0) model.end(draw);
          } else if (what === "due") {
            if (nextSupervisorTickMs(model.state, TUNING) < Infinity) model.tick();
          } else model.take({ kind: what, isFinal: false });
          // one child, and the state knows of it
          expect(model.children).toBeLessThanOrEqual(1);
          expect(model.state.hasChild).toBe(model.children === 1);
          // fed only by a healthy look of a process that is not being ended
          if (model.fedMs.length > fed) expect([what, model.phase, model.children]).toEqual(["healthy", "running", 1]);
          // unless it is fed or about to be, the watchdogs are put off with a limit, or left to bite on purpose
          const { phase, pausedMs } = model.state;
          if (phase.kind === "backing-off" || phase.kind === "starting") expect(pausedMs).not.toBeUndefined();
          if (phase.kind === "running") expect(pausedMs).toBeUndefined();
          // never more unasked restarts in a window than the budget
          expect(model.state.restartsMs.length).toBeLessThanOrEqual(TUNING.restartsMax);
        }
        // what was asked to stop is stopped after its times, even when nothing ends the process
        model.take({ kind: "stop", isFinal: true });
        for (let ticks = 0; model.phase !== "stopped"; ticks++) {
          expect(ticks).toBeLessThan(3);
          model.tick();
        }
        expect(nextSupervisorTickMs(model.state, TUNING)).toBe(Infinity);
      }),
      { numRuns: 400 },
    );
  });

  test("supervisor: a node that always dies, its restarts keep to the budget in every window until somebody asks", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 30, maxLength: 60 }), (draws) => {
        const model = new Model();
        model.take({ kind: "start" });
        for (const draw of draws) {
          model.nowMs += 50;
          if (model.children > 0) model.end(draw);
          model.tick();
        }
        for (const atMs of model.restartsMs) {
          const within = model.restartsMs.filter((other) => other >= atMs && other < atMs + TUNING.failedRestMs);
          expect(within.length).toBeLessThanOrEqual(TUNING.restartsMax);
        }
      }),
      { numRuns: 100 },
    );
  });
});
