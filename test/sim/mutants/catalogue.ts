import { journalMutants } from "./catalogue-journal.ts";
import { lightClientMutants } from "./catalogue-light-client.ts";
import { livenessMutants } from "./catalogue-liveness.ts";
import { safetyMutants } from "./catalogue-safety.ts";
import type { Mutant } from "./mutant.ts";

/** Every mutant that the simulator must catch. */
export const mutants: readonly Mutant[] = [...safetyMutants, ...journalMutants, ...livenessMutants, ...lightClientMutants];
