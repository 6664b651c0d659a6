import type { Clock, Log } from "../kernel/index.ts";
import type { SharedKey } from "./types.ts";

/** Another box with our key that was not heard of for so long is gone; while it is there the log says so this often. */
const SHARED_MS = 120_000;
const TOLD_MS = 600_000;

/** What is known of another box that runs this node's key. */
export class SharedKeyWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  #heard: { readonly sinceMs: number; readonly heardMs: number; readonly toldMs: number; readonly address: string | undefined } | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The other box; undefined when none was heard of for two minutes. */
  get current(): SharedKey | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#heard || nowMs - this.#heard.heardMs > SHARED_MS) return undefined;
    const { address, sinceMs, heardMs } = this.#heard;
    return { address, sinceMs: nowMs - sinceMs, heardMs: nowMs - heardMs };
  }

  /** Hears of another box, at an address where one is known. */
  onTwin(address: string | undefined): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#heard && nowMs - this.#heard.heardMs <= SHARED_MS ? this.#heard : undefined;
    const isToBeTold = !known || nowMs - known.toldMs > TOLD_MS || (known.address === undefined && address !== undefined);
    this.#heard = {
      sinceMs: known?.sinceMs ?? nowMs,
      heardMs: nowMs,
      toldMs: isToBeTold ? nowMs : known.toldMs,
      address: address ?? known?.address,
    };
    if (isToBeTold) this.#log.error("key.shared", { reason: "another box runs this node's key", address: this.#heard.address });
  }
}
