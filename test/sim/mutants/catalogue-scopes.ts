import type { Patch } from "./mutant.ts";

const GATE_FILE = "src/consensus/recovery-gate.ts";
const NO_FLOOR_ASSERTION: Patch = {
  file: GATE_FILE,
  before: 'assert(epoch.floor >= gate.firstView - 1, "the tip\'s finalization is at or below the floor");',
  after: "",
};

/**
 * Gates that end too early by a hair. Random and directed runs hardly meet the moment; the exhaustive search over small
 * scopes does (test/exhaustive).
 */
export const scopeMutants: readonly { readonly name: string; readonly patches: readonly Patch[] }[] = [
  {
    name: "gate ends a view early",
    patches: [
      {
        file: GATE_FILE,
        before: "if (tip.finalization.view < gate.firstView - 1) return;",
        after: "if (tip.finalization.view < gate.firstView - 2) return;",
      },
      NO_FLOOR_ASSERTION,
    ],
  },
];
