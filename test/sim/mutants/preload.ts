/**
 * Loaded before a trial (`bun --preload`): replaces the sources that the mutant named by SIM_MUTANT patches. Without the
 * variable nothing changes. Nothing outside the tests knows of it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mutants } from "./catalogue.ts";
import { scopeMutants } from "./catalogue-scopes.ts";
import { applyPatches, type Patch } from "./mutant.ts";
import { planPatches } from "./plan-patches.ts";

const root = join(import.meta.dir, "..", "..", "..");
const name = process.env["SIM_MUTANT"];
const mutant = [...mutants, ...scopeMutants].find((each) => each.name === name);
if (name && !mutant) throw new Error(`there is no mutant ${name}`);
const patches: readonly Patch[] = [...(planPatches[process.env["SIM_PLAN"] ?? ""] ?? []), ...(mutant?.patches ?? [])];

for (const file of new Set(patches.map((patch) => patch.file))) {
  const contents = applyPatches(readFileSync(join(root, file), "utf8"), file, patches);
  Bun.plugin({
    name: `mutant of ${file}`,
    setup(build) {
      build.onLoad({ filter: new RegExp(`/${file.replaceAll(".", "\\.")}$`) }, () => ({ contents, loader: "ts" }));
    },
  });
}
