/**
 * `npm run bench [-- NAME [args]]` and `npm run soak -- NAME [args]`: the measurements of test/bench/NAME.bench.ts and the
 * long trials that test/soak/run.ts lists, which take too long or depend too much on the machine for `npm test`. Installs
 * and builds what they need first. No limit on time; Ctrl-C ends them.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBinary } from "./binary.mjs";
import { ensureBun, ensurePackages, projectRoot, SetupError, toolEnvironment } from "./toolchain.mjs";

/** @returns {string[]} the names of the benchmarks there are */
function benchNames() {
  const folder = join(projectRoot, "test", "bench");
  const suffix = ".bench.ts";
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .sort();
}

/**
 * @param {string} kind "bench" or "soak"
 * @param {readonly string[]} words what the command line says after the kind
 * @returns {readonly (readonly string[])[]} the programs to run, one after another, each with its arguments
 */
function choose(kind, words) {
  if (kind === "soak") return [[join("test", "soak", "run.ts"), ...words]];
  const known = benchNames();
  const [name, ...args] = words;
  if (name !== undefined && !known.includes(name))
    throw new SetupError(`There is no ${kind} "${name}". There is: ${known.join(", ") || "none"}.`);
  return (name === undefined ? known : [name]).map((each) => [join("test", "bench", `${each}.bench.ts`), ...args]);
}

/** @param {string} bun @param {readonly string[]} args @returns {Promise<number>} its exit code */
function runOne(bun, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(bun, args, { cwd: projectRoot, env: toolEnvironment(bun), stdio: "inherit" });
    // A terminal sends Ctrl-C to the trial as well; this waits for it to clean up.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

try {
  const [kind = "", ...words] = process.argv.slice(2);
  const programs = choose(kind, words);
  const bun = await ensureBun();
  await ensurePackages(bun);
  await ensureBinary(bun);
  for (const program of programs) {
    console.error(`${kind} ${program.join(" ")}`);
    process.exitCode = Math.max(Number(process.exitCode ?? 0), await runOne(bun, ["--no-orphans", ...program]));
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
