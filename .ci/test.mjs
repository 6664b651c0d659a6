/**
 * `npm test`: installs what is needed and runs every stage. `test.mjs check` runs the quick ones, `test.mjs NAME...` the
 * named ones. The last line of output is always the sum, e.g. "412 passed, 0 failed, 2 skipped"; the exit code is 0 only
 * when nothing failed. A tool without tests of its own (types, lint, build) counts as one.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { endChildrenOnSignals, runChild } from "./child.mjs";
import { inLanes } from "./lanes.mjs";
import { stages, TOTAL_LIMIT_MS, testFilesOf } from "./stages.mjs";
import { closingLine, readBunTestCounts, sum, withoutCounts } from "./tally.mjs";
import { ensureBun, ensurePackages, projectRoot, SetupError, toolEnvironment } from "./toolchain.mjs";

/** @typedef {import("./stages.mjs").Stage} Stage */
/** @typedef {import("./tally.mjs").Tally} Tally */

const startedMs = performance.now();

/** @param {number} ms @returns {string} */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/**
 * Which stages the command line asks for.
 *
 * @param {readonly string[]} wanted
 * @returns {readonly Stage[]}
 */
function chooseStages(wanted) {
  if (wanted.length === 0) return stages;
  const names = ["check", ...stages.map((stage) => stage.name)];
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new SetupError(`There is no stage "${unknown}". Stages: ${names.join(", ")}.`);
  return stages.filter((stage) => wanted.includes(stage.name) || (wanted.includes("check") && stage.quick));
}

/**
 * Runs one stage and reports it.
 *
 * @param {Stage} stage
 * @param {string} bun
 * @returns {Promise<Tally | undefined>} undefined when there is nothing to run yet
 */
async function runStage(stage, bun) {
  const leftMs = TOTAL_LIMIT_MS - (performance.now() - startedMs);
  const options = { cwd: projectRoot, env: toolEnvironment(bun), limitMs: Math.max(1_000, Math.min(stage.limitMs, leftMs)) };
  if (stage.kind === "check") {
    if (stage.needs !== undefined && !existsSync(join(projectRoot, stage.needs))) return undefined;
    const { ok, verdict, output, elapsedMs } = await runChild(bun, stage.args, { ...options, echo: false });
    if (!ok) console.log(output.trimEnd());
    else if (stage.tellsFigures) console.log(`[${stage.name}] ${output.trimEnd().split("\n").at(-1)}`);
    console.log(`[${stage.name}] ${ok ? "passed" : `FAILED, ${verdict}`}, ${seconds(elapsedMs)}`);
    return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
  }
  const files = testFilesOf(stage.paths);
  if (files.length === 0) return undefined;
  console.log(`[${stage.name}] ${files.length} test files`);
  const words = ["test", "--no-orphans", "--only-failures", `--timeout=${stage.testLimitMs}`];
  const begunMs = performance.now();
  /** @param {readonly string[]} some @param {boolean} echo */
  const runFiles = async (some, echo) => {
    const limitMs = Math.max(1_000, options.limitMs - (performance.now() - begunMs));
    const env = { ...options.env, NO_COLOR: "1" };
    const { ok, verdict, output, elapsedMs } = await runChild(bun, [...words, ...some.map((file) => `./${file}`)], {
      ...options,
      limitMs,
      env,
      echo,
    });
    const { tally, complaint } = readBunTestCounts(output, ok, some.length);
    const trouble = ok ? complaint : [verdict, complaint].filter((part) => part !== undefined).join("; ");
    return { tally, trouble, output, elapsedMs };
  };
  if (stage.width === undefined) {
    const { tally, trouble, elapsedMs } = await runFiles(files, true);
    console.log(`[${stage.name}] ${tally.failed === 0 ? "passed" : `FAILED, ${trouble}`}, ${seconds(elapsedMs)}`);
    return tally;
  }
  /** @type {Tally[]} */
  const tallies = [];
  await inLanes(files, { width: stage.width, first: stage.first ?? [], alone: stage.alone ?? [] }, async (file) => {
    const { tally, trouble, output, elapsedMs } = await runFiles([file], false);
    tallies.push(tally);
    const said = tally.failed === 0 ? withoutCounts(output) : output;
    if (said !== "") console.log(said);
    console.log(`[${stage.name}] ${file}: ${tally.failed === 0 ? closingLine(tally) : `FAILED, ${trouble}`}, ${seconds(elapsedMs)}`);
  });
  const total = sum(tallies);
  console.log(
    `[${stage.name}] ${total.failed === 0 ? "passed" : "FAILED"}: ${closingLine(total)}, ${seconds(performance.now() - begunMs)}`,
  );
  return total;
}

/** @returns {Promise<Tally>} */
async function main() {
  const chosen = chooseStages(process.argv.slice(2));
  const bun = await ensureBun();
  await ensurePackages(bun);
  console.log(`[install] ready, ${seconds(performance.now() - startedMs)}`);
  /** @type {Tally[]} */
  const tallies = [];
  for (const stage of chosen) {
    const tally = await runStage(stage, bun);
    if (tally !== undefined) tallies.push(tally);
  }
  console.log(`[all] ${seconds(performance.now() - startedMs)}`);
  return sum(tallies);
}

endChildrenOnSignals();
/** @type {Tally} */
let total;
try {
  total = await main();
} catch (error) {
  // A mistake in these scripts is a failure like any other: the closing line comes all the same.
  console.log(error instanceof SetupError ? error.message : error);
  total = { passed: 0, failed: 1, skipped: 0 };
}
console.log(closingLine(total));
process.exitCode = total.failed === 0 ? 0 : 1;
