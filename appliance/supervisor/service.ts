import { assert, type CancelTimer, type Clock, type Entropy, type Log, type Timers } from "../../src/kernel/index.ts";
import { type HealthVerdict, judgeHealth, type NodeWord } from "./health.ts";
import { type Child, SpawnFailed, type SupervisorPlatform } from "./ports.ts";
import { nextSupervisorTickMs, onSupervisorInput, STOPPED } from "./transitions.ts";
import type { ChildEnd, SupervisorEffect, SupervisorInput, SupervisorState, SupervisorTuning } from "./types.ts";

/** What a supervisor stands on. */
export type SupervisorParts = {
  readonly platform: SupervisorPlatform;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly tuning: SupervisorTuning;
  /** Between two looks at the node, in ms; several fit into `hangMs`. */
  readonly probeIntervalMs: number;
};

/** How the node stands, for people and for updates. */
export type SupervisorStatus = {
  readonly phase: SupervisorState["phase"]["kind"];
  /** One sentence part: what it does, or what is wrong. */
  readonly detail: string;
  readonly pid: number | undefined;
  /** Restarts that nobody asked for, within the window. */
  readonly restarts: number;
  /** The last judgement of the process that runs. */
  readonly verdict: HealthVerdict | undefined;
  /** Healthy looks in a row. */
  readonly healthyLooks: number;
};

/** Inputs as callers give them: the time is added here. */
type TimelessInput = SupervisorInput extends infer Input ? (Input extends SupervisorInput ? Omit<Input, "nowMs"> : never) : never;

/**
 * Keeps one node running: asks the state table, runs what it wants in order, looks at the node. One process at a time; a
 * watchdog is fed for nothing but a healthy answer of the process that runs now.
 */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #listeners = new Set<(status: SupervisorStatus) => void>();
  #state: SupervisorState = STOPPED;
  #child: Child | undefined;
  #word: NodeWord | undefined;
  #verdict: HealthVerdict | undefined;
  #healthyLooks = 0;
  #cancelTick: CancelTimer = () => {};
  #cancelProbe: CancelTimer = () => {};
  #told = "";

  constructor(parts: SupervisorParts) {
    assert(parts.probeIntervalMs * 3 <= parts.tuning.hangMs, "a node is looked at several times before it counts as hung");
    this.#parts = parts;
  }

  /** Starts the node, or tries again at once what had failed. */
  start(): void {
    this.#take({ kind: "start" });
  }

  /** There is no node to run for now: the box counts as up, and the watchdogs are put off. */
  rest(): void {
    this.#take({ kind: "rest" });
  }

  /** Ends the process and starts a new one. */
  restart(): void {
    this.#take({ kind: "restart" });
  }

  /**
   * Ends the process; resolves when it has ended, or when it is known that nothing here can end it.
   *
   * @param isFinal whether this process ends too, or goes on with `start` or `rest`
   */
  async stop(isFinal = true): Promise<void> {
    this.#take({ kind: "stop", isFinal });
    if (this.#state.phase.kind !== "stopped") {
      const { promise, resolve } = Promise.withResolvers<void>();
      const forget = this.subscribe(({ phase }) => {
        if (phase === "stopped") resolve();
      });
      await promise.finally(forget);
    }
  }

  /** How the node stands now. */
  get status(): SupervisorStatus {
    const { phase, hasChild, restartsMs } = this.#state;
    return {
      phase: phase.kind,
      detail: this.#detail(),
      pid: hasChild ? this.#child?.pid : undefined,
      restarts: restartsMs.length,
      verdict: this.#verdict,
      healthyLooks: this.#healthyLooks,
    };
  }

  /** Calls back after every change; gives the way to end that. */
  subscribe(listener: (status: SupervisorStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #take(input: TimelessInput): void {
    const { clock, tuning, log } = this.#parts;
    const before = this.#state.phase;
    const step = onSupervisorInput(this.#state, { ...input, nowMs: clock.monotonicMs() }, tuning);
    this.#state = step.state;
    for (const effect of step.effects) this.#run(effect);
    const { phase } = this.#state;
    if (phase.kind !== before.kind) {
      const reason = "reason" in phase ? phase.reason : undefined;
      const level = phase.kind === "failed" ? "error" : phase.kind === "backing-off" ? "warn" : "info";
      log[level]("supervisor.phase", { from: before.kind, to: phase.kind, reason, pid: this.#child?.pid });
      if (phase.kind !== "running") this.#healthyLooks = 0;
    }
    this.#armTick();
    this.#tell();
  }

  #run(effect: SupervisorEffect): void {
    const { platform } = this.#parts;
    switch (effect.kind) {
      case "spawn":
        this.#spawn();
        break;
      case "terminate":
        this.#child?.signal("SIGTERM");
        break;
      case "kill":
        this.#child?.signal("SIGKILL");
        break;
      case "feed":
        platform.feed();
        break;
      case "pause":
        platform.pause(effect.limitMs);
        break;
      case "announce":
        platform.notify({ isReady: true });
        break;
      case "farewell":
        platform.notify({ isStopping: true });
        platform.release();
        break;
    }
  }

  #spawn(): void {
    const { platform, log, timers } = this.#parts;
    this.#word = undefined;
    this.#verdict = undefined;
    try {
      const child = platform.spawn({
        onPrinted: () => {
          if (this.#child === child) this.#take({ kind: "printed" });
        },
        onEnded: (end) => this.#onEnded(child, end),
      });
      this.#child = child;
      this.#armProbe(child);
    } catch (error) {
      if (!(error instanceof SpawnFailed)) throw error;
      log.error("supervisor.spawnFailed", { detail: error.message });
      this.#child = undefined;
      timers.after(0, () => this.#onEnded(undefined, { code: null, signal: `nothing, for it could not be started (${error.message})` }));
    }
  }

  #onEnded(child: Child | undefined, end: ChildEnd): void {
    if (this.#child !== child) return;
    this.#cancelProbe();
    this.#child = undefined;
    const [draw = 0] = new Uint32Array(this.#parts.entropy.bytes(4).slice().buffer);
    this.#take({ kind: "ended", end, draw: draw / 2 ** 32 });
  }

  #armTick(): void {
    this.#cancelTick();
    const dueMs = nextSupervisorTickMs(this.#state, this.#parts.tuning);
    if (dueMs === Infinity) return;
    const delayMs = Math.max(0, Math.ceil(dueMs - this.#parts.clock.monotonicMs()));
    this.#cancelTick = this.#parts.timers.after(delayMs, () => this.#take({ kind: "tick" }));
  }

  #armProbe(child: Child): void {
    this.#cancelProbe = this.#parts.timers.after(this.#parts.probeIntervalMs, () => void this.#look(child));
  }

  async #look(child: Child): Promise<void> {
    const answers = await this.#parts.platform.probe(child);
    if (this.#child !== child) return; // it was the word of a process that is no more
    const verdict = judgeHealth(this.#word, answers);
    this.#word = answers.word ?? this.#word;
    this.#verdict = verdict;
    this.#armProbe(child);
    if (verdict.isHealthy) {
      this.#healthyLooks++;
      this.#take({ kind: "healthy" });
    } else {
      this.#healthyLooks = 0;
      this.#tell();
    }
  }

  #detail(): string {
    const { phase } = this.#state;
    if (phase.kind === "failed" || phase.kind === "backing-off" || phase.kind === "stopping") return `the node ${phase.reason}`;
    if (phase.kind === "stopped") return "no node runs";
    const seen = this.#verdict?.detail ?? "it was not heard of yet";
    return phase.kind === "starting" ? `the node starts: ${seen}` : `the node runs: ${seen}`;
  }

  /** One line for the service manager whenever it changes, and a call for everybody else. */
  #tell(): void {
    const { status } = this;
    const line = `${status.phase}: ${status.detail}`;
    if (line !== this.#told) this.#parts.platform.notify({ status: line });
    this.#told = line;
    for (const listener of [...this.#listeners]) listener(status);
  }
}
