import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import type { CancelTimer, Timers } from "../../kernel/index.ts";

/** How long a child may take to answer before it is taken for hung and ended. */
const READY_LIMIT_MS = 60_000;
const POLL_MS = 50;
/** Size of a log beyond which a start begins a new one; the one before it is kept. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const BACK_OFF_MS = { first: 200, max: 10_000 } as const;

/** What a supervised child is and whom it is told to. */
export type ChildParts<Ready> = {
  /** What it is, for sentences: "the node on DIR". */
  readonly name: string;
  readonly logPath: string;
  /** The words of its command line; asked at each start. */
  readonly words: () => readonly string[];
  /** Where the process with this number answers; undefined while it does not. */
  readonly findReady: (pid: number) => Promise<Ready | undefined>;
  readonly timers: Timers;
  /** Called whenever the child answers after a start or a restart. */
  readonly onReady: (ready: Ready) => void;
  /** Called with a sentence when the child ended or hung. */
  readonly onTrouble: (sentence: string) => void;
};

/**
 * A child process of this same program: started, watched until it answers, restarted whenever it ends, with a capped
 * back-off, until `stop`. The child sees its standard input close should this process die, and ends itself.
 */
export class SupervisedChild<Ready> {
  readonly #parts: ChildParts<Ready>;
  #process: Bun.Subprocess | undefined;
  #cancelTimer: CancelTimer = () => {};
  #isStopping = false;
  #backOffMs: number = BACK_OFF_MS.first;

  constructor(parts: ChildParts<Ready>) {
    this.#parts = parts;
  }

  /** Starts the child. */
  start(): void {
    const log = openLog(this.#parts.logPath);
    const child = Bun.spawn([...programWords(), ...this.#parts.words(), "--exit-with-parent"], {
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
    const cancel = this.#parts.timers.after(10_000, () => child.kill("SIGKILL"));
    await child.exited;
    cancel();
  }

  #watch(child: Bun.Subprocess, waitedMs: number): void {
    this.#cancelTimer = this.#parts.timers.after(POLL_MS, async () => {
      if (this.#process !== child || child.exitCode !== null) return;
      const ready = await this.#parts.findReady(child.pid);
      if (this.#isStopping) return;
      if (ready !== undefined) {
        this.#backOffMs = BACK_OFF_MS.first;
        this.#parts.onReady(ready);
      } else if (waitedMs >= READY_LIMIT_MS) {
        this.#parts.onTrouble(`${this.#parts.name} does not answer after ${READY_LIMIT_MS / 1000} s; it is ended and started again`);
        child.kill("SIGKILL");
      } else this.#watch(child, waitedMs + POLL_MS);
    });
  }

  #onExit(code: number | null, signal: string | number | null): void {
    this.#cancelTimer();
    if (this.#isStopping) return;
    const { name, logPath, timers, onTrouble } = this.#parts;
    const how = signal === null ? `with exit code ${code}` : `by signal ${signal}`;
    onTrouble(`${name} ended ${how}; starting it again in ${this.#backOffMs} ms (its log: ${logPath})`);
    this.#cancelTimer = timers.after(this.#backOffMs, () => this.start());
    this.#backOffMs = Math.min(2 * this.#backOffMs, BACK_OFF_MS.max);
  }
}

/** The child's log, appended to; the one before is kept once it grows beyond its bound. */
function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o600);
}

/** Whether a child says at its address that it is ready. */
export async function isReadyAt(http: string): Promise<boolean> {
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
