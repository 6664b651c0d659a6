/**
 * `npm run bench [-- NAME ...]` and `npm run soak -- NAME [args]`: the measurements of test/bench/NAME.bench.ts and the long
 * trials of test/soak/NAME.soak.ts, which take too long or depend too much on the machine for `npm test`. Installs and
 * builds what they need first. No limit on time; Ctrl-C ends them.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBinary } from "./binary.mjs";
import { ensureBun, ensurePackages, projectRoot, SetupError, toolEnvironment } from "./toolchain.mjs";

/** @param {string} kind "bench" or "soak" @returns {string[]} the names there are */
function namesOf(kind) {
  const folder = join(projectRoot, "test", kind);
  const suffix = `.${kind}.ts`;
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .sort();
}

/**
 * @param {string} kind
 * @param {readonly string[]} words what the command line says after the kind
 * @returns {{ names: readonly string[], args: readonly string[] }} what to run, one after another, and with which arguments
 */
function choose(kind, words) {
  const known = namesOf(kind);
  const [name, ...args] = words;
  if (name === undefined && kind === "bench" && known.length > 0) return { names: known, args: [] };
  if (name === undefined || !known.includes(name)) {
    throw new SetupError(
      `${name === undefined ? `npm run ${kind} needs a name` : `There is no ${kind} "${name}"`}. There is: ${known.join(", ") || "none"}.`,
    );
  }
  return { names: [name], args };
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
  const { names, args } = choose(kind, words);
  const bun = await ensureBun();
  await ensurePackages(bun);
  await ensureBinary(bun);
  for (const name of names) {
    console.error(`${kind} ${name}`);
    process.exitCode = Math.max(
      Number(process.exitCode ?? 0),
      await runOne(bun, ["--no-orphans", join("test", kind, `${name}.${kind}.ts`), ...args]),
    );
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
