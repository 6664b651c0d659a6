import type { HealthAnswers } from "./health.ts";
import type { ChildEnd } from "./types.ts";

/** A process that was started. */
export interface Child {
  readonly pid: number;
  /** Sends a signal; harmless when it has ended. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

/** Whom a child tells. Both are called later, never from within `spawn`. */
export type ChildEvents = {
  readonly onPrinted: () => void;
  /** Once, when it has ended. */
  readonly onEnded: (end: ChildEnd) => void;
};

/** The machine as a supervisor needs it. */
export interface SupervisorPlatform {
  /**
   * Starts the node.
   *
   * @throws SpawnFailed when the system has no room for a process, or the program is not there
   */
  spawn(events: ChildEvents): Child;
  /** Looks at the node; resolves within seconds whatever it does, and never rejects. */
  probe(child: Child): Promise<HealthAnswers>;
  /** Tells the service manager, when there is one. */
  notify(message: ServiceMessage): void;
  /** Feeds every watchdog. */
  feed(): void;
  /** Puts the watchdogs off for this long; one that cannot wait so long is let go until it is fed again. */
  pause(limitMs: number): void;
  /** Lets the watchdogs go, for an end that was asked for. */
  release(): void;
}

/** Words for the service manager. */
export type ServiceMessage = { readonly isReady?: true; readonly isStopping?: true; readonly status?: string };

/** No process could be started. */
export class SpawnFailed extends Error {
  override readonly name = "SpawnFailed";
}
