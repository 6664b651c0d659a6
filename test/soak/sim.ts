import { BINARY } from "../e2e/support/bizra.ts";
import { addVerdict, noFigures, type SeedVerdict, type SimFigures } from "../sim/index.ts";
import type { Soak } from "./soak.ts";

const TELL_EVERY_MS = 60_000;

/** Simulated networks by the hundred thousand, in the compiled binary. */
export const simSoak: Soak = {
  name: "sim",
  summary: "runs 100,000 simulated networks (--seed N to go on from there, --runs N, --jobs N, --twice 1)",
  options: { seed: { type: "string" }, runs: { type: "string" }, jobs: { type: "string" }, twice: { type: "string" } },
  run: async (_place, { seed = 1_000_000, runs = 100_000, jobs = 2, twice = 0 }) => {
    console.log(`sim: seeds ${seed} to ${seed + runs - 1}`);
    const words = ["sim", "--seed", String(seed), "--runs", String(runs), "--jobs", String(jobs), "--lines", "--json"];
    const child = Bun.spawn([BINARY, ...words, ...(twice > 0 ? ["--twice"] : [])], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    const tally = new Tally(seed);
    const telling = setInterval(() => console.log(tally.describe()), TELL_EVERY_MS);
    // Ctrl-C ends this process where it stands: say from where it goes on.
    const leave = (): void => {
      child.kill();
      console.log(tally.describe());
      if (tally.nextSeed < seed + runs) console.log(`sim: it goes on with --seed ${tally.nextSeed} --runs ${seed + runs - tally.nextSeed}`);
    };
    process.once("exit", leave);
    await tally.read(child.stdout);
    clearInterval(telling);
    await child.exited;
    if (tally.figures.runs < runs) return [...tally.faults, `the simulator ended after ${tally.figures.runs} of ${runs} seeds`];
    return tally.faults;
  },
};

/** Adds up verdicts as they come, and knows up to which seed there is no gap. */
class Tally {
  figures: SimFigures;
  nextSeed: number;
  readonly faults: string[] = [];
  readonly #ahead = new Set<number>();

  constructor(seed: number) {
    this.figures = noFigures(seed);
    this.nextSeed = seed;
  }

  async read(stdout: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const value: SeedVerdict | SimFigures = JSON.parse(line);
        if ("replay" in value) this.#take(value);
      }
    }
  }

  describe(): string {
    const { runs, events, crashes, simulatedMs, violations, notLive } = this.figures;
    const hours = (simulatedMs / 3_600_000).toFixed(1);
    return `sim: ${runs} runs, next seed ${this.nextSeed}: ${events} events, ${crashes} crashes, ${hours} simulated hours, ${violations} violations, ${notLive} not live`;
  }

  #take(verdict: SeedVerdict): void {
    this.figures = addVerdict(this.figures, verdict);
    this.#ahead.add(verdict.seed);
    while (this.#ahead.delete(this.nextSeed)) this.nextSeed++;
    for (const fault of [...verdict.findings, ...verdict.notLive].slice(0, 1)) {
      this.faults.push(`${verdict.replay}   # ${fault}`);
      console.log(`sim: ${this.faults.at(-1)}`);
    }
  }
}
