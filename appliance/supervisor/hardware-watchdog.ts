import { closeSync, openSync, writeSync } from "node:fs";
import type { Log } from "../../src/kernel/index.ts";

/**
 * The watchdog of the board, /dev/watchdog: once opened it resets the machine unless it is written to. Opened at the first
 * feeding, so that a box whose node never becomes healthy is no reset loop; closed with the magic `V` when it is let go.
 * Where systemd keeps the device (RuntimeWatchdogSec=), it is busy and nothing is done here.
 *
 * @see https://docs.kernel.org/watchdog/watchdog-api.html
 */
export class HardwareWatchdog {
  readonly #path: string;
  readonly #log: Log;
  #descriptor: number | undefined;
  #isBroken = false;

  /** @param path of the device */
  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Whether it counts now. */
  get isArmed(): boolean {
    return this.#descriptor !== undefined;
  }

  /** Starts its time anew. */
  feed(): void {
    if (this.#isBroken) return;
    this.#do("feed", () => {
      this.#descriptor ??= openSync(this.#path, "r+");
      writeSync(this.#descriptor, "\0");
    });
  }

  /** Stops it, unless the kernel was built never to let it stop. */
  release(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    this.#do("release", () => {
      writeSync(descriptor, "V");
      closeSync(descriptor);
    });
  }

  /** A device that fails is told of once and left alone: the box runs without it. */
  #do(what: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error; // ENOENT, EBUSY, EACCES, EIO ...
      this.#isBroken = true;
      this.#log.warn("watchdog.unusable", { device: this.#path, what, code: String(error.code) });
    }
  }
}
