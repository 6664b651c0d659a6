import { assert, type Clock } from "../../src/kernel/index.ts";
import { METRIC_NAMES, type MetricName, type MetricValue, type MetricValues } from "./metrics.ts";
import type { Sample } from "./report.ts";

/** Where figures come from: reads fields and small files, synchronously; never runs a program. */
export interface MetricReader {
  read(): MetricValues;
}

/** A look at the figures holds for so long: whoever asks sooner sees the same. */
const FRESH_MS = 1_000;

/** The one look at all figures; every view is made of what it sees. */
export class Sampler {
  readonly #readers: readonly MetricReader[];
  readonly #clock: Clock;
  #last: Sample | undefined;

  constructor(readers: readonly MetricReader[], clock: Clock) {
    assert(readers.length > 0, "a sampler has something to read");
    this.#readers = readers;
    this.#clock = clock;
  }

  /** The figures of now; a later reader's value counts where two know a name. A number that is not finite is not known. */
  sample(): Sample {
    if (this.#last !== undefined && this.#clock.monotonicMs() - this.#last.monotonicMs < FRESH_MS) return this.#last;
    const known: { [N in MetricName]?: MetricValue } = {};
    for (const reader of this.#readers) Object.assign(known, reader.read());
    const values = Object.fromEntries(METRIC_NAMES.map((name) => [name, sound(known[name])])) as Sample["values"];
    this.#last = { timeMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs(), values };
    return this.#last;
  }
}

function sound(value: MetricValue | undefined): MetricValue {
  return value === undefined || (typeof value === "number" && !Number.isFinite(value)) ? null : value;
}
