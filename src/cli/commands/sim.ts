import { availableParallelism } from "node:os";
import {
  addVerdict,
  isPlan,
  livenessTable,
  noFigures,
  PLANS,
  type Plan,
  runSeeds,
  type SeedRange,
  type SimFigures,
} from "../../../test/sim/index.ts";
import { type Command, CommandFailure, type CommandInput, parseCount, UsageError } from "../command.ts";
import { progressOf } from "../progress.ts";
import { runShares } from "../sim-shares.ts";
import type { Terminal } from "../terminal.ts";

const RUNS_MAX = 100_000_000;
const JOBS_MAX = 64;

/** `bizra sim`: the simulator, on this machine and this build. */
export const sim: Command = {
  name: "sim",
  summary: "Runs simulated networks of this very program under faults, and judges them; every failing seed is one line to replay.",
  flags: {
    seed: { kind: "text", value: "N", doc: "First seed (default 1)." },
    runs: { kind: "text", value: "N", doc: "How many seeds, one after another (default 200)." },
    plan: { kind: "text", value: "NAME", doc: `Faults of every run: ${PLANS.join(", ")} (default: in turn).` },
    twice: { kind: "presence", doc: "Runs each seed twice and compares the traces." },
    jobs: { kind: "text", value: "N", doc: "Processes that share the seeds (default: one a processor)." },
    share: { kind: "text", value: "K/N", doc: "Takes only every N-th seed from the K-th on (K from 0), in this process." },
    lines: { kind: "presence", doc: "Prints each seed's verdict as a JSON line." },
    table: { kind: "text", value: "NAME", doc: "Prints a table instead: liveness, block intervals with silent boxes." },
  },
  async run(input, terminal) {
    const table = input.flag("table");
    if (table !== undefined) return printTable(table, terminal);
    const range = rangeOf(input);
    const figures = range.share ? runHere(range, input.has("lines"), terminal) : await runShared(range, input, terminal);
    terminal.result(figures, () => describe(figures));
    return figures.violations === 0 && figures.notLive === 0 ? 0 : 1;
  },
};

function rangeOf(input: CommandInput): SeedRange {
  const firstSeed = parseCount(input.flag("seed") ?? "1", "--seed", 0, Number.MAX_SAFE_INTEGER - RUNS_MAX);
  const runs = parseCount(input.flag("runs") ?? "200", "--runs", 1, RUNS_MAX);
  const plan = planNamed(input.flag("plan"));
  const share = shareNamed(input.flag("share"));
  return { firstSeed, runs, isTwice: input.has("twice"), ...(plan ? { plan } : {}), ...(share ? { share } : {}) };
}

function planNamed(name: string | undefined): Plan | undefined {
  if (name === undefined) return undefined;
  if (!isPlan(name)) throw new UsageError(`expected --plan as one of ${PLANS.join(", ")}, got ${JSON.stringify(name)}`);
  return name;
}

function shareNamed(text: string | undefined): { part: number; of: number } | undefined {
  if (text === undefined) return undefined;
  const [part = "", of = ""] = text.split("/");
  const count = parseCount(of, "the N of --share K/N", 1, 1_000);
  return { part: parseCount(part, "the K of --share K/N", 0, count - 1), of: count };
}

/** Runs the seeds of one share in this process. */
function runHere(range: SeedRange, hasLines: boolean, terminal: Terminal): SimFigures {
  let figures = noFigures(range.firstSeed);
  for (const verdict of runSeeds(range)) {
    figures = addVerdict(figures, verdict);
    if (hasLines) terminal.print(JSON.stringify(verdict));
  }
  return figures;
}

/** Spreads the seeds over processes of this program and shows how far they are. */
async function runShared(range: SeedRange, input: CommandInput, terminal: Terminal): Promise<SimFigures> {
  const jobs = Math.min(range.runs, parseCount(input.flag("jobs") ?? String(availableParallelism()), "--jobs", 1, JOBS_MAX));
  const progress = progressOf(terminal);
  let figures = noFigures(range.firstSeed);
  const isWhole = await runShares(range, jobs, (verdict) => {
    figures = addVerdict(figures, verdict);
    if (input.has("lines")) terminal.print(JSON.stringify(verdict));
    const [finding = verdict.notLive[0]] = verdict.findings;
    if (finding !== undefined) terminal.note(`\n${verdict.replay}   # ${finding}`);
    progress("seeds", figures.runs, range.runs);
  });
  if (!isWhole)
    throw new CommandFailure(`expected verdicts on ${range.runs} seeds, got ${figures.runs}; a process of the simulator ended early`);
  return figures;
}

function printTable(name: string, terminal: Terminal): number {
  if (name !== "liveness") throw new UsageError(`expected --table liveness, got ${JSON.stringify(name)}`);
  const rows = livenessTable();
  terminal.result(rows, () =>
    [
      "boxes  silent  ms a block before skip  after skip  times fault-free",
      ...rows.map(
        ({ boxes, silent, beforeSkipMs, afterSkipMs, ratio }) =>
          `${String(boxes).padStart(5)}  ${String(silent).padStart(6)}  ${beforeSkipMs.toFixed(0).padStart(22)}  ${afterSkipMs.toFixed(0).padStart(10)}  ${ratio.toFixed(2).padStart(16)}`,
      ),
    ].join("\n"),
  );
  return rows.every(({ ratio }) => ratio <= 2) ? 0 : 1;
}

function describe({ seed, runs, events, crashes, simulatedMs, violations, notLive }: SimFigures): string {
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  return `seeds ${seed} to ${seed + runs - 1}: ${events} events, ${crashes} crashes, ${hours} simulated hours, ${violations} violations, ${notLive} not live`;
}
