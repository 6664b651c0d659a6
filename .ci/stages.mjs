/**
 * The stages of `npm test` and `bun run check`, in order: what each runs and how long it may take.
 * A stage is either one check (a tool that passes or fails) or a run of `bun test` over some paths of test/.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./toolchain.mjs";

/**
 * @typedef {object} CheckStage
 * @property {"check"} kind
 * @property {string} name
 * @property {boolean} quick whether `bun run check` runs it too
 * @property {readonly string[]} args arguments for Bun
 * @property {number} limitMs
 * @property {string} [needs] a path without which there is nothing to check yet
 * @property {boolean} [tellsFigures] whether its last line is worth showing when it passes
 */

/**
 * @typedef {object} TestStage
 * @property {"test"} kind
 * @property {string} name
 * @property {boolean} quick
 * @property {readonly string[]} paths files or folders, left out while they hold no tests
 * @property {number} limitMs of the whole stage
 * @property {number} testLimitMs of one test that states no limit of its own
 * @property {number} [width] how many files run at a time, each in a process of its own; absent: all in one process
 * @property {readonly string[]} [first] with a width, the files that take longest and so begin first
 * @property {readonly string[]} [alone] with a width, files that measure this machine and so run last and by themselves
 */

/** @typedef {CheckStage | TestStage} Stage */

/** The longest that all stages together may take. */
export const TOTAL_LIMIT_MS = 60 * 60_000;

/** @param {string} name @param {readonly string[]} args @param {string} [needs] @returns {CheckStage} */
const quickCheck = (name, args, needs) => ({
  kind: "check",
  name,
  quick: true,
  args,
  limitMs: 180_000,
  ...(needs === undefined ? {} : { needs }),
});

/** @param {string} name @param {readonly string[]} paths @returns {TestStage} */
const quickTest = (name, paths) => ({ kind: "test", name, quick: true, paths, limitMs: 600_000, testLimitMs: 90_000 });

/**
 * Simulated networks, each seed twice with equal traces.
 *
 * @param {string} name @param {number} firstSeed @param {number} runs @param {boolean} quick @param {number} limitMs
 * @returns {CheckStage}
 */
const simulation = (name, firstSeed, runs, quick, limitMs) => ({
  kind: "check",
  name,
  quick,
  args: ["src/main.ts", "sim", "--seed", String(firstSeed), "--runs", String(runs), "--twice", "--jobs", "2"],
  limitMs,
  needs: "src/main.ts",
  tellsFigures: true,
});

/** @type {readonly Stage[]} */
export const stages = [
  quickCheck("types", ["run", "tsc", "--noEmit", "--pretty", "false"]),
  quickCheck("lint", ["run", "biome", "check", "--error-on-warnings", "--colors=off", "."]),
  quickCheck("unused", ["run", "knip", "--no-progress"], "src/main.ts"),
  quickTest("tidy", ["test/tidy.test.ts", "test/tidy"]),
  quickTest("unit", ["test/unit"]),
  quickTest("rules", ["test/rules"]),
  quickTest("vectors", ["test/vectors"]),
  quickTest("contract", ["test/contract"]),
  quickTest("fuzz", ["test/fuzz"]),
  simulation("seeds", 1, 50, true, 240_000),
  simulation("sim", 1_000, 2_000, false, 1_200_000),
  {
    kind: "test",
    name: "simulator",
    quick: false,
    paths: ["test/sim", "test/exhaustive"],
    limitMs: 1_800_000,
    testLimitMs: 600_000,
    width: 2,
    first: ["test/exhaustive/exhaustive.test.ts", "test/sim/mutants/mutants.test.ts"],
  },
  { kind: "check", name: "build", quick: false, args: ["run", "build"], limitMs: 120_000, needs: "src/main.ts" },
  { kind: "test", name: "integration", quick: false, paths: ["test/integration"], limitMs: 900_000, testLimitMs: 240_000, width: 2 },
  {
    kind: "test",
    name: "e2e",
    quick: false,
    paths: ["test/e2e"],
    limitMs: 2_400_000,
    testLimitMs: 240_000,
    width: 2, // most of the time a file waits, for blocks, ages and starts; below, one that works beside one that waits
    first: ["image", "console", "damage", "network-boxes", "enrolment", "restore"].map((name) => `test/e2e/${name}.test.ts`),
    alone: ["idle", "mqtt-connections"].map((name) => `test/e2e/${name}.test.ts`),
  },
];

/**
 * The test files under some paths, by the names that `bun test` looks for.
 *
 * @param {readonly string[]} paths relative to the project
 * @returns {string[]} relative to the project, sorted; empty where a path does not exist
 */
export function testFilesOf(paths) {
  /** @param {string} path @returns {string[]} */
  const under = (path) => {
    const full = join(projectRoot, path);
    if (!existsSync(full)) return [];
    if (statSync(full).isDirectory()) return readdirSync(full).flatMap((entry) => under(`${path}/${entry}`));
    return /\.test\.tsx?$/.test(path) ? [path] : [];
  };
  return paths.flatMap(under).sort();
}
