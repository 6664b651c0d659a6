import type { Plan } from "./plans.ts";

/** A seed that once found something, kept so that it is run for ever. */
export type Regression = {
  readonly seed: number;
  readonly plan: Plan;
  /** What it found, and where the fault itself is pinned: seeds change their meaning when plans change. */
  readonly found: string;
};

/** Every seed that ever failed, newest last. A failing run is added here together with the test that pins its cause. */
export const REGRESSIONS: readonly Regression[] = [
  { seed: 6, plan: "disks", found: "S10: a failed sync at opening hid what the disk had forgotten (test/unit/storage/record-log.test.ts)" },
  { seed: 43, plan: "disks", found: "one failed sync at opening put a sound journal aside (test/unit/storage/record-log.test.ts)" },
  { seed: 125, plan: "disks", found: "as 43, in three boxes at once: nobody could vote any more" },
  { seed: 136, plan: "disks", found: "as 43" },
  { seed: 229, plan: "everything", found: "a journal that cannot be read back just after it was written broke an invariant" },
  { seed: 31, plan: "wipes", found: "a gate does not open on an idle network: the load must go on until it has (harness)" },
  {
    seed: 32,
    plan: "boundaries",
    found: "two gates over one view stop the network: one journal at a time, next epoch's first view included (harness)",
  },
  {
    seed: 82,
    plan: "boundaries",
    found: "a traitor that refuses to answer a recovering box of four: that key has to be rotated (harness)",
  },
  {
    seed: 1_010_131,
    plan: "clocks",
    found: "a block that a quorum of wrong clocks notarized held everyone up after they were set right (test/rules/clock.test.ts)",
  },
  { seed: 128, plan: "wipes", found: "S15: a bit that no client reads was flipped in a proof (judge)" },
  {
    seed: 2_180,
    plan: "wipes",
    found: "S11: a new journal whose name was not durable when its maker was killed (test/unit/storage/record-log.test.ts)",
  },
  { seed: 1_010_683, plan: "lyingDisks", found: "a disk that lies about syncs may forget a gate (harness)" },
];
