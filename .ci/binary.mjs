/** The binary for this machine, built when it is needed and not there. */
import { join } from "node:path";
import { runChild } from "./child.mjs";
import { stampOfBinary, stampOfTree } from "./stamp.mjs";
import { projectRoot, SetupError, toolEnvironment } from "./toolchain.mjs";

const BUILD_LIMIT_MS = 120_000;

/**
 * Builds dist/bizra unless it was built from what the working tree holds now.
 *
 * @param {string} bun
 * @returns {Promise<string>} its path
 * @throws {SetupError} when the code does not compile
 */
export async function ensureBinary(bun) {
  const binary = join(projectRoot, "dist", "bizra");
  const wanted = stampOfTree();
  const present = stampOfBinary(binary);
  if (present !== undefined && present.inputs === wanted.inputs && present.commit === wanted.commit) return binary;
  console.error("building dist/bizra");
  const { ok, output } = await runChild(bun, [join(projectRoot, ".ci", "build.ts")], {
    cwd: projectRoot,
    env: toolEnvironment(bun),
    limitMs: BUILD_LIMIT_MS,
    echo: false,
  });
  if (!ok) throw new SetupError(`dist/bizra could not be built.\n${output.trim()}`);
  return binary;
}
