import type { Timers } from "../../src/kernel/index.ts";
import type { HardwareWatchdog } from "./hardware-watchdog.ts";
import type { HealthAnswers } from "./health.ts";
import { askNode } from "./node-prober.ts";
import { type Child, type ChildEvents, type ServiceMessage, SpawnFailed, type SupervisorPlatform } from "./ports.ts";
import type { RecentLines } from "./recent-lines.ts";
import type { Systemd } from "./systemd.ts";

/** What the real platform is made of. */
export type LinuxPlatformParts = {
  /** The words that start the node; asked at each start. */
  readonly words: () => readonly string[];
  /** Its environment; without what the service manager meant for this process alone. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the process with this number answers HTTP, when it has said so. */
  readonly findAddress: (pid: number) => string | undefined;
  readonly systemd: Systemd;
  /** The board's watchdog, where this process is to keep it. */
  readonly hardware: HardwareWatchdog | undefined;
  readonly recent: RecentLines;
  /** Where the node's output goes on to. */
  readonly forward: (bytes: Uint8Array) => void;
  readonly timers: Timers;
};

/** This machine: processes, sockets and devices of Linux. */
export class LinuxPlatform implements SupervisorPlatform {
  readonly #parts: LinuxPlatformParts;

  constructor(parts: LinuxPlatformParts) {
    this.#parts = parts;
  }

  /** Starts the node with an input that closes when this process dies, so that it never outlives its supervisor. */
  spawn(events: ChildEvents): Child {
    const { words, environment } = this.#parts;
    try {
      const child = Bun.spawn([...words()], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
        env: { ...environment },
        onExit: (ended, code) => events.onEnded({ code, signal: ended.signalCode === null ? null : String(ended.signalCode) }),
      });
      void this.#drain(child.stdout, events);
      void this.#drain(child.stderr, events);
      return { pid: child.pid, signal: (name) => child.kill(name) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error; // ENOENT, EACCES, EAGAIN, ENOMEM
      throw new SpawnFailed(String(error.code), { cause: error });
    }
  }

  probe(child: Child): Promise<HealthAnswers> {
    return askNode(this.#parts.findAddress(child.pid), this.#parts.timers);
  }

  notify(message: ServiceMessage): void {
    this.#parts.systemd.tell(message);
  }

  feed(): void {
    this.#parts.systemd.feed();
    this.#parts.hardware?.feed();
  }

  /** The service manager waits as long as it is told; a board's watchdog waits for seconds, so it is let go. */
  pause(limitMs: number): void {
    this.#parts.systemd.pause(limitMs);
    this.#parts.hardware?.release();
  }

  release(): void {
    this.#parts.hardware?.release();
  }

  async #drain(stream: ReadableStream<Uint8Array>, { onPrinted }: ChildEvents): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#parts.recent.add(decoder.decode(chunk, { stream: true }));
      this.#parts.forward(chunk);
      onPrinted();
    }
  }
}
