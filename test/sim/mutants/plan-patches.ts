import type { Patch } from "./mutant.ts";

/** What a plan changes in the code under test, with and without a mutant, to bring rare places near: never a rule. */
export const planPatches: Readonly<Record<string, readonly Patch[]>> = {
  smallSegments: [
    { file: "src/validator/store.ts", before: "const SEGMENT_BYTES_MAX = 1024 * 1024;", after: "const SEGMENT_BYTES_MAX = 4096;" },
    { file: "src/validator/store.ts", before: "const PREALLOCATE_BYTES = 64 * 1024;", after: "const PREALLOCATE_BYTES = 2048;" },
  ],
};
