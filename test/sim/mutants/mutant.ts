import type { PlanName } from "./plans.ts";

/** One replacement in a source file: `before` occurs exactly once in it. */
export type Patch = { readonly file: string; readonly before: string; readonly after: string };

/**
 * The code with one rule broken, as a patch of sources at load time, so that production code knows nothing of it. Where
 * a second line of defence (an assertion, the vote guard) would end the process before harm is done, the patches take
 * that away too: the question is whether the simulator sees the harm.
 */
export type Mutant = {
  readonly name: string;
  /** Rule of docs/consensus.md that it breaks. */
  readonly rule: string;
  readonly patches: readonly Patch[];
  /** The faults under which it is looked for. */
  readonly plan: PlanName;
  /** Properties one of which must be the first to break, as findings begin. */
  readonly expected: readonly string[];
};

/**
 * The text with every patch of this file applied.
 *
 * @throws when a patch does not fit exactly once: the code has moved on and the mutant with it
 */
export function applyPatches(text: string, file: string, patches: readonly Patch[]): string {
  let patched = text;
  for (const patch of patches.filter((each) => each.file === file)) {
    const parts = patched.split(patch.before);
    if (parts.length !== 2) throw new Error(`a mutant's text occurs ${parts.length - 1} times, not once, in ${file}: ${patch.before}`);
    patched = parts.join(patch.after);
  }
  return patched;
}
