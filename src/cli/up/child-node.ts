import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CancelTimer, Timers } from "../../kernel/index.ts";
import { findRunningNode } from "../../node/index.ts";

/** How long a child may take to answer before it is taken for hung and ended. */
const READY_LIMIT_MS = 60_000;
const POLL_MS = 50;
/** Size of a log beyond which a start begins a new one; the one before it is kept. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const BACK_OFF_MS = { first: 200, max: 10_000 } as const;

/** A node that answers: where, and as which process. */
export type ReadyNode = { readonly home: string; readonly http: string; readonly mqtt: string; readonly pid: number };

/** Where a child listens; port 0 stands for any free one. */
export type ChildAddresses = { readonly http: string; readonly mqtt: string };

/** What a supervised child needs from outside. */
export type ChildPorts = {
  readonly timers: Timers;
  /** Called whenever the node answers after a start or a restart. */
  readonly onReady: (node: ReadyNode) => void;
  /** Called with a sentence when a child ended or hung. */
  readonly onTrouble: (sentence: string) => void;
};

/**
 * One node as a child process: started, watched until it answers, restarted on the same address whenever it ends, with
 * a capped back-off, until `stop`. The child sees its standard input close should this process die, and ends itself.
 */
export class ChildNode {
  readonly #home: string;
  readonly #ports: ChildPorts;
  readonly #flags: readonly string[];
  #listen: ChildAddresses;
  #process: Bun.Subprocess | undefined;
  #cancelTimer: CancelTimer = () => {};
  #isStopping = false;
  #backOffMs: number = BACK_OFF_MS.first;
  #hasBeenReady = false;

  /**
   * @param listen addresses of its HTTP interface and of its device broker
   * @param flags further words of its command line
   */
  constructor(home: string, listen: ChildAddresses, flags: readonly string[], ports: ChildPorts) {
    this.#home = home;
    this.#flags = flags;
    this.#listen = listen;
    this.#ports = ports;
  }

  /** Starts the child. */
  start(): void {
    const words = [
      ...programWords(),
      "node",
      "--home",
      this.#home,
      "--http-listen",
      this.#listen.http,
      "--mqtt-listen",
      this.#listen.mqtt,
      ...this.#flags,
      "--exit-with-parent",
    ];
    const log = openLog(join(this.#home, "node.log"));
    const child = Bun.spawn(words, {
      stdin: "pipe",
      stdout: log,
      stderr: log,
      onExit: (_child, code, signal) => this.#onExit(code, signal),
    });
    closeSync(log); // the child has its own
    this.#process = child;
    this.#watch(child, 0);
  }

  /** Asks the child to end, and makes it after ten seconds; resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelTimer();
    const child = this.#process;
    if (!child || child.exitCode !== null) return;
    child.kill("SIGTERM");
    const cancel = this.#ports.timers.after(10_000, () => child.kill("SIGKILL"));
    await child.exited;
    cancel();
  }

  #watch(child: Bun.Subprocess, waitedMs: number): void {
    this.#cancelTimer = this.#ports.timers.after(POLL_MS, async () => {
      if (this.#process !== child || child.exitCode !== null) return;
      const running = findRunningNode(this.#home);
      if (running?.pid === child.pid && running.mqtt !== undefined && (await isReady(running.http))) {
        this.#listen = { http: new URL(running.http).host, mqtt: new URL(running.mqtt).host };
        this.#hasBeenReady = true;
        this.#backOffMs = BACK_OFF_MS.first;
        this.#ports.onReady({ home: this.#home, http: running.http, mqtt: running.mqtt, pid: child.pid });
      } else if (waitedMs >= READY_LIMIT_MS) {
        this.#ports.onTrouble(`the node on ${this.#home} does not answer after ${READY_LIMIT_MS / 1000} s; it is ended and started again`);
        child.kill("SIGKILL");
      } else this.#watch(child, waitedMs + POLL_MS);
    });
  }

  #onExit(code: number | null, signal: string | number | null): void {
    this.#cancelTimer();
    if (this.#isStopping) return;
    // Before its address was told to anyone it may move: another program may have taken the port meanwhile.
    if (!this.#hasBeenReady) this.#listen = { http: "127.0.0.1:0", mqtt: "127.0.0.1:0" };
    const how = signal === null ? `with exit code ${code}` : `by signal ${signal}`;
    this.#ports.onTrouble(
      `the node on ${this.#home} ended ${how}; starting it again in ${this.#backOffMs} ms (its log: ${join(this.#home, "node.log")})`,
    );
    this.#cancelTimer = this.#ports.timers.after(this.#backOffMs, () => this.start());
    this.#backOffMs = Math.min(2 * this.#backOffMs, BACK_OFF_MS.max);
  }
}

/** The child's log, appended to; the one before is kept once it grows beyond its bound. */
function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o600);
}

async function isReady(http: string): Promise<boolean> {
  try {
    return (await fetch(`${http}/readyz`)).ok;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // a refused connection: not yet listening
    return false;
  }
}

/** The words that start this same program: the binary alone, or Bun with the entry file. */
export function programWords(): readonly string[] {
  return Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main];
}
