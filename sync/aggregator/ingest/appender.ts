import type { AggregatorStore, Appendage, AppendOutcome } from "../types.ts";

/**
 * What goes into one durable step at most: a sync costs the same for one record and for thousands, but the step keeps
 * everybody else waiting.
 */
const TOGETHER = { appendagesMax: 1_024, eventsMax: 16_000, bodyBytesMax: 16 * 1_024 * 1_024 } as const;

type Waiting = {
  readonly appendage: Appendage;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
};

/** Puts what several nodes send at the same time into one durable step: while one runs, the next gathers. */
export class Appender {
  readonly #store: Pick<AggregatorStore, "append">;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(store: Pick<AggregatorStore, "append">) {
    this.#store = store;
  }

  /** Appendages that wait for their step. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Resolves when the records are durable, the lane has moved, or the node has no room left. Rejects as the store does. */
  append(appendage: Appendage): Promise<AppendOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<AppendOutcome>();
    this.#waiting.push({ appendage, resolve, reject });
    if (!this.#isRunning) void this.#runAll();
    return promise;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve(); // what arrived in this turn goes along
    while (this.#waiting.length > 0) await this.#run(this.#waiting.splice(0, countTogether(this.#waiting)));
    this.#isRunning = false;
  }

  async #run(together: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#store.append(together.map(({ appendage }) => appendage));
      for (const [index, { resolve }] of together.entries()) resolve(outcomes[index] ?? "moved");
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }
}

/** How many of those who wait, from the first, go together: at least one. */
function countTogether(waiting: readonly Waiting[]): number {
  let events = 0;
  let bodyBytes = 0;
  const end = waiting.findIndex(({ appendage }, at) => {
    events += appendage.events.length;
    for (const { body } of appendage.events) bodyBytes += body.length;
    return at > 0 && (at === TOGETHER.appendagesMax || events > TOGETHER.eventsMax || bodyBytes > TOGETHER.bodyBytesMax);
  });
  return end < 0 ? waiting.length : end;
}
