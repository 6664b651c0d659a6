/** Bounds of supervision, all in milliseconds of the monotonic clock but the counts. */
export type SupervisorTuning = {
  /** A running node that was not healthy for so long is killed and started again. Shorter than the service manager's watchdog. */
  readonly hangMs: number;
  /** A starting node that neither answers nor prints for so long is killed. */
  readonly startSilenceMs: number;
  /** A starting node that prints but does not answer for so long is killed: a snapshot over a thin link fits in. */
  readonly startLimitMs: number;
  /** Between SIGTERM and SIGKILL. */
  readonly stopGraceMs: number;
  /** A process that is there so long after SIGKILL waits for a disk that does not answer: nothing here can end it. */
  readonly killGraceMs: number;
  /** Restarts that nobody asked for, within `windowMs`; one more is a failure. */
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly backOffFirstMs: number;
  readonly backOffMaxMs: number;
  /** Healthy for so long, the next back-off is the first one again. */
  readonly stableMs: number;
  /** After a failure it is tried again this much later: a disk may have been emptied, a network come back. */
  readonly failedRestMs: number;
  /** How long a watchdog is put off at most while there is nothing to be healthy; renewed at half of it. */
  readonly pauseLimitMs: number;
};

/** What a box runs with unless told otherwise. */
export const SUPERVISOR_TUNING: SupervisorTuning = {
  hangMs: 15_000,
  startSilenceMs: 120_000,
  startLimitMs: 3_600_000,
  stopGraceMs: 15_000,
  killGraceMs: 10_000,
  restartsMax: 5,
  windowMs: 600_000,
  backOffFirstMs: 500,
  backOffMaxMs: 60_000,
  stableMs: 120_000,
  failedRestMs: 600_000,
  pauseLimitMs: 1_200_000,
};

/** Why supervision gave up for now: a stable code for status, console and the update's probation. */
export type SupervisorFailure = "crashLoop" | "unkillable";

/** What a child that is being ended is ended for. `isCounted`: the restart uses up budget, since nobody asked for it. */
export type EndPurpose = { readonly kind: "stop" } | { readonly kind: "restart"; readonly isCounted: boolean };

/** The rows of the state table. Times are of the monotonic clock. */
export type SupervisorPhase =
  | { readonly kind: "stopped" }
  /** A child runs and was not healthy yet. `signMs`: when it was started or last printed. */
  | { readonly kind: "starting"; readonly sinceMs: number; readonly signMs: number }
  | { readonly kind: "running"; readonly sinceMs: number; readonly healthyMs: number }
  | { readonly kind: "backing-off"; readonly untilMs: number; readonly reason: string }
  | {
      readonly kind: "stopping";
      readonly sinceMs: number;
      readonly isKilled: boolean;
      readonly purpose: EndPurpose;
      readonly reason: string;
    }
  | { readonly kind: "failed"; readonly code: SupervisorFailure; readonly reason: string; readonly retryMs: number };

/** Everything that supervision knows. */
export type SupervisorState = {
  readonly phase: SupervisorPhase;
  /** Whether a child was started and its end was not seen yet. */
  readonly hasChild: boolean;
  /** When restarts that nobody asked for happened, within the window. */
  readonly restartsMs: readonly number[];
  /** Unasked ends in a row since the child was last stable: the step of the back-off. */
  readonly failures: number;
  /** Whether the service manager was told that the box is up. */
  readonly isAnnounced: boolean;
  /** When the watchdogs were last put off; undefined while they are fed. */
  readonly pausedMs: number | undefined;
};

/** How a child ended. */
export type ChildEnd = { readonly code: number | null; readonly signal: string | null };

/** What happens to a supervisor. `nowMs` never goes back. */
export type SupervisorInput = { readonly nowMs: number } & (
  | { readonly kind: "start" }
  /** `isFinal`: this process ends too; otherwise the node alone does, for something that needs its files. */
  | { readonly kind: "stop"; readonly isFinal: boolean }
  /** There is no node to run: the box waits to be told what to be. */
  | { readonly kind: "rest" }
  /** Somebody wants a new process: a changed configuration, a command of the fleet. */
  | { readonly kind: "restart" }
  /** The child was found healthy just now. Only this ever feeds a watchdog. */
  | { readonly kind: "healthy" }
  /** The child printed something: life while it starts, no proof of health. */
  | { readonly kind: "printed" }
  /** @see ChildEnd; `draw` is random, 0 <= draw < 1, and spreads the back-off of a fleet that lost its power together. */
  | { readonly kind: "ended"; readonly end: ChildEnd; readonly draw: number }
  | { readonly kind: "tick" }
);

/** What a supervisor wants done, in order. */
export type SupervisorEffect =
  | { readonly kind: "spawn" | "terminate" | "kill" }
  /** The node is healthy: the watchdogs count from here. */
  | { readonly kind: "feed" }
  /** Nothing can be healthy for a while; a watchdog that can wait so long does, one that cannot is let go. */
  | { readonly kind: "pause"; readonly limitMs: number }
  /** The box is up, once: its node was healthy, or it is known why it is not. */
  | { readonly kind: "announce" }
  /** The end was asked for and has begun. */
  | { readonly kind: "farewell" };

/** A step of the table. */
export type SupervisorStep = { readonly state: SupervisorState; readonly effects: readonly SupervisorEffect[] };
