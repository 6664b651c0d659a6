/** What mutants leave out, each a rule or two, so that it is seen that the judge would notice. */
export const DR_MUTANTS = {
  restoresJournal: "a backup holds the journal, and a restore puts it back (DR-2)",
  signsBeforeSync: "a vote leaves before it is durable (DR-1)",
  lowGate: "the gate after a lost journal lies three views too low (DR-7)",
  twinsServed: "a second box with the same key is answered (DR-9)",
  ignoresBinding: "a home copied to another machine signs there (DR-3)",
  ignoresAggregator: "an older home does not heed that an aggregator holds later events of it (DR-9)",
  exporterSigns: "a box signs on after the history of its key was exported (DR-10)",
  losesHistory: "a key's new box takes no history of it in (DR-10)",
  carriesGate: "a gate given by one epoch's members is good for the next epoch's (DR-7)",
} as const;

/** A program that breaks a rule. */
export type DrMutant = keyof typeof DR_MUTANTS;

/** Their names, in the order of the table. */
export const DR_MUTANT_NAMES: readonly DrMutant[] = [
  "restoresJournal",
  "signsBeforeSync",
  "lowGate",
  "twinsServed",
  "ignoresBinding",
  "ignoresAggregator",
  "exporterSigns",
  "losesHistory",
  "carriesGate",
];
