import type { Clock, Timers } from "../../../../src/kernel/index.ts";
import type { Reply } from "../../../../sync/agent/index.ts";
import type { RequestKind } from "../../../../sync/protocol/index.ts";
import type { Answerer } from "./agent-world.ts";

/** A thin way to an aggregator: bytes go one after another at a rate, and take a time each way. */
export class SlowAnswerer implements Answerer {
  /** The world's time; set once that is there. */
  time: (Clock & Timers) | undefined;
  /** The aggregator behind it. */
  target: Answerer | undefined;
  sentBytes = 0;
  readonly #bytesPerSecond: number;
  readonly #delayMs: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number, delayMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#delayMs = delayMs;
  }

  answer(kind: RequestKind, message: Uint8Array): Promise<Reply> {
    const { time, target } = this;
    if (!time || !target) throw new Error("the way leads somewhere");
    this.sentBytes += message.length;
    const nowMs = time.monotonicMs();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (1_000 * message.length) / this.#bytesPerSecond;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    time.after(this.#freeAtMs - nowMs + this.#delayMs, () => {
      const answer = target.answer(kind, message);
      time.after(this.#delayMs, () => resolve(answer));
    });
    return promise;
  }
}
