/** The program built as the release after this one, for tests of upgrades. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stampOfBinary, stampOfTree } from "../../../.ci/stamp.mjs";
import { BINARY, cleanEnvironment } from "./bizra.ts";

const ROOT = resolve(import.meta.dir, "../../..");

/**
 * Its path: beside the binary under test when that was built with one, else dist/bizra-next, built when the tree has
 * changed since. Some seconds at the first call.
 */
export async function ensureNextBinary(): Promise<string> {
  const beside = join(dirname(BINARY), "bizra-next");
  if (process.env["E2E_BINARY"] !== undefined && existsSync(beside)) return beside;
  const path = join(ROOT, "dist", "bizra-next");
  if (stampOfBinary(path)?.inputs === stampOfTree().inputs) return path;
  const child = Bun.spawn([process.execPath, join(ROOT, ".ci", "build.ts"), "--next"], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: cleanEnvironment(),
  });
  const [complaint, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`the next release could not be built: ${complaint}`);
  return path;
}
