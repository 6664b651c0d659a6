import { NotifySocket } from "./notify-socket.ts";
import type { ServiceMessage } from "./ports.ts";

/** What systemd tells a service of itself. */
export type SystemdWord = {
  /** `NOTIFY_SOCKET`. */
  readonly socket: string | undefined;
  /** The watchdog's time in ms, when this process is the one that is watched. */
  readonly watchdogMs: number | undefined;
};

/** Longest status line; systemd shows one. */
const STATUS_LENGTH_MAX = 400;

/** The service manager, told through its socket; silent where there is none. */
export class Systemd {
  readonly #socket: Pick<NotifySocket, "send" | "close"> | undefined;
  readonly #watchdogMs: number | undefined;
  #isPaused = false;

  constructor(
    { socket, watchdogMs }: SystemdWord,
    open: (name: string) => Pick<NotifySocket, "send" | "close"> | undefined = NotifySocket.open,
  ) {
    this.#socket = socket === undefined ? undefined : open(socket);
    this.#watchdogMs = watchdogMs;
  }

  /** Whether there is somebody to tell. */
  get isThere(): boolean {
    return this.#socket !== undefined;
  }

  /** READY=1, STOPPING=1, STATUS=. */
  tell({ isReady, isStopping, status }: ServiceMessage): void {
    const lines = [
      ...(isReady ? ["READY=1"] : []),
      ...(isStopping ? ["STOPPING=1"] : []),
      ...(status === undefined ? [] : [`STATUS=${status.replace(/[\r\n]+/g, " ").slice(0, STATUS_LENGTH_MAX)}`]),
    ];
    this.#socket?.send(lines.join("\n"));
  }

  /** WATCHDOG=1, and after a pause the watchdog's own time again. */
  feed(): void {
    if (this.#watchdogMs === undefined) return;
    const usual = this.#isPaused ? `WATCHDOG_USEC=${this.#watchdogMs * 1_000}\n` : "";
    this.#isPaused = false;
    this.#socket?.send(`${usual}WATCHDOG=1`);
  }

  /** Gives the watchdog, and a start that is under way, another limit from now on. */
  pause(limitMs: number): void {
    const microseconds = Math.round(limitMs * 1_000);
    const lines = [`EXTEND_TIMEOUT_USEC=${microseconds}`];
    if (this.#watchdogMs !== undefined) {
      this.#isPaused = true;
      lines.push(`WATCHDOG_USEC=${microseconds}`);
    }
    this.#socket?.send(lines.join("\n"));
  }

  /** Says nothing more. */
  close(): void {
    this.#socket?.close();
  }
}
