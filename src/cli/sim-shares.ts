import type { SeedRange, SeedVerdict } from "../../test/sim/index.ts";
import { programWords } from "./up/supervised-child.ts";

/**
 * Runs a range of seeds in several processes of this program and hands on each verdict as it comes. A process that dies
 * takes only its own share with it.
 *
 * @returns whether there was a verdict for every seed
 */
export async function runShares(range: SeedRange, jobs: number, onVerdict: (verdict: SeedVerdict) => void): Promise<boolean> {
  const children = Array.from({ length: jobs }, (_, part) => startShare(range, part, jobs));
  const end = (): void => {
    for (const child of children) child.kill();
  };
  process.on("SIGINT", end).on("SIGTERM", end);
  const counts = await Promise.all(children.map((child) => readVerdicts(child, onVerdict)));
  process.off("SIGINT", end).off("SIGTERM", end);
  return counts.reduce((sum, count) => sum + count, 0) === range.runs;
}

function startShare({ firstSeed, runs, plan, isTwice }: SeedRange, part: number, of: number): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const words = [
    ...programWords(),
    "sim",
    "--seed",
    String(firstSeed),
    "--runs",
    String(runs),
    "--share",
    `${part}/${of}`,
    "--lines",
    "--json",
  ];
  return Bun.spawn([...words, ...(plan ? ["--plan", plan] : []), ...(isTwice ? ["--twice"] : [])], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

async function readVerdicts(
  child: Bun.Subprocess<"ignore", "pipe", "inherit">,
  onVerdict: (verdict: SeedVerdict) => void,
): Promise<number> {
  let count = 0;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const verdict = verdictOf(line);
      if (!verdict) continue;
      count++;
      onVerdict(verdict);
    }
  }
  await child.exited;
  return count;
}

/** A line of a child that is a verdict; its closing line, the figures, is none. */
function verdictOf(line: string): SeedVerdict | undefined {
  const value: unknown = JSON.parse(line);
  return typeof value === "object" && value !== null && "replay" in value ? (value as SeedVerdict) : undefined;
}
