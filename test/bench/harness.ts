import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const ROUNDS = 5;
const ROUND_MS = 150;

/** What a figure is divided by; measured in the same run, on the same machine, under the same load. */
export interface Baseline {
  readonly name: string;
  readonly value: number;
}

/** A bound on a ratio or, where the machine is irrelevant (bytes, say), on the value. */
export interface Goal {
  readonly of: "ratio" | "value";
  readonly is: "at least" | "at most";
  readonly bound: number;
}

/** One measured number. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** What the value counts, e.g. "ops/s", "ms", "bytes". */
  readonly unit: string;
  readonly baseline?: Baseline;
  readonly goal?: Goal;
  /** Anything a reader must know to believe the figure. */
  readonly note?: string;
}

/**
 * Collects the figures of one benchmark, prints them with machine, versions, baseline, ratio and goal, and keeps them as
 * JSON in dist/bench/ with the commit they were measured at. A missed goal is said, never a failure: the machine may be busy.
 */
export class BenchReport {
  readonly #name: string;
  readonly #figures: (Figure & { ratio?: number; isMet?: boolean })[] = [];
  readonly #conditions = conditions();

  /** @param name of the benchmark and of its file, kebab-case */
  constructor(name: string) {
    this.#name = name;
    const { machine, versions, commit } = this.#conditions;
    console.log(`${name}: ${machine.cpu} x ${machine.cores}, ${machine.memoryGiB} GiB, load ${machine.load}`);
    console.log(`  bun ${versions.bun}, kernel ${versions.kernel}, commit ${commit}`);
  }

  /** Prints and keeps a figure; gives its value back. */
  add(figure: Figure): number {
    const ratio = figure.baseline === undefined ? undefined : figure.value / figure.baseline.value;
    const isMet = figure.goal === undefined ? undefined : isGoalMet(figure.goal, figure.value, ratio);
    this.#figures.push({ ...figure, ...(ratio === undefined ? {} : { ratio }), ...(isMet === undefined ? {} : { isMet }) });
    const against = figure.baseline === undefined ? "" : `  = ${digits(ratio ?? 0)} x ${figure.baseline.name}`;
    const goal =
      figure.goal === undefined ? "" : `  goal: ${figure.goal.of} ${figure.goal.is} ${figure.goal.bound}, ${isMet ? "met" : "NOT met"}`;
    const note = figure.note === undefined ? "" : `  (${figure.note})`;
    console.log(`  ${figure.name.padEnd(46)} ${digits(figure.value).padStart(11)} ${figure.unit}${against}${goal}${note}`);
    return figure.value;
  }

  /** Writes dist/bench/<name>.json. */
  finish(): void {
    const folder = join(ROOT, "dist/bench");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${this.#name}.json`);
    writeFileSync(path, `${JSON.stringify({ name: this.#name, ...this.#conditions, figures: this.#figures }, null, 2)}\n`);
    console.log(`  kept as dist/bench/${this.#name}.json`);
  }
}

/** Calls a second of a synchronous action: the median of several short rounds after a warm-up round. */
export function rateOf(action: () => unknown): number {
  const round = (): number => {
    const callsAtATime = 16;
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < ROUND_MS) {
      for (let i = 0; i < callsAtATime; i++) action();
      calls += callsAtATime;
    }
    return (calls * 1000) / (performance.now() - start);
  };
  round();
  return median(Array.from({ length: ROUNDS }, round));
}

/** Units a second of an asynchronous action that does `unitsPerCall` of them: the median of several rounds after a warm-up. */
export async function rateOfAsync(unitsPerCall: number, action: () => Promise<unknown>): Promise<number> {
  const round = async (): Promise<number> => {
    const start = performance.now();
    let units = 0;
    while (performance.now() - start < ROUND_MS) {
      await action();
      units += unitsPerCall;
    }
    return (units * 1000) / (performance.now() - start);
  };
  await round();
  const rates: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rates.push(await round());
  return median(rates);
}

/** Milliseconds that the event loop was late at the 99th percentile and at worst while an asynchronous action ran. */
export async function loopLagOf(action: () => Promise<unknown>): Promise<{ p99Ms: number; maxMs: number }> {
  const lags: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    lags.push(Math.max(0, now - last - 1));
    last = now;
  }, 1);
  await action();
  clearInterval(timer);
  return { p99Ms: quantile(lags, 0.99), maxMs: Math.max(0, ...lags) };
}

/** The value below which this share (0..1) of the samples lies; 0 when there are none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

function isGoalMet(goal: Goal, value: number, ratio: number | undefined): boolean {
  const measured = goal.of === "value" ? value : (ratio ?? Number.NaN);
  return goal.is === "at least" ? measured >= goal.bound : measured <= goal.bound;
}

function digits(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function conditions() {
  const [cpu] = cpus();
  return {
    measuredAt: new Date().toISOString(),
    commit: commitHere(),
    machine: {
      cpu: cpu?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      load: loadavg()[0]?.toFixed(2) ?? "?",
    },
    versions: { bun: Bun.version, kernel: release(), packages: packageVersions() },
  };
}

/** The commit of the tree, marked when the tree differs from it; "unknown" outside a repository. */
function commitHere(): string {
  const git = (...parameters: string[]): string =>
    execFileSync("git", ["-C", ROOT, ...parameters], { encoding: "utf8", stdio: "pipe" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+changes"}`;
  } catch (error) {
    if (!(error instanceof Error && ("status" in error || "code" in error))) throw error; // git is absent or says this is no repository
    return "unknown";
  }
}

function packageVersions(): unknown {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).dependencies;
}
