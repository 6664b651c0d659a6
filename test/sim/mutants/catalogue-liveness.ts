import type { Mutant } from "./mutant.ts";

/** Broken rules by which the chain stands still, or an idle one does not. */
export const livenessMutants: readonly Mutant[] = [
  {
    name: "an unfinalized tail is no work",
    rule: "R1",
    patches: [
      { file: "src/consensus/arming.ts", before: 'if (stale !== undefined && core.nowMs >= stale) return "unfinalized";', after: "" },
    ],
    plan: "strayBlock",
    expected: ["L"],
  },
  {
    name: "any unknown own vote leads to RECOVERING",
    rule: "J7",
    patches: [
      {
        file: "src/consensus/recovery-gate.ts",
        before: "if (compareRounds(round, floor) <= 0 || !recoveryAllows(core.recoveryStatus, round)) return;",
        after: "if (compareRounds(round, floor) === Number.NaN) return;",
      },
    ],
    plan: "replayedVotes",
    expected: ["L"],
  },
  {
    name: "a lone NOTARIZE arms",
    rule: "R1",
    patches: [
      { file: "src/consensus/arming.ts", before: "view.activeWeight > epoch.set.faultyWeightMax", after: "view.activeWeight > 0n" },
    ],
    plan: "loneVote",
    expected: ["L"],
  },
  {
    name: "NULLIFY retried without a reason",
    rule: "R5",
    patches: [
      {
        file: "src/consensus/nullifying.ts",
        before: "if (view.retryAtMs === undefined || core.nowMs < view.retryAtMs) return false;\n  if (armReason(core) === undefined) {",
        after: "if (view.retryAtMs === undefined || core.nowMs < view.retryAtMs) return false;\n  if (armReason(core) === null) {",
      },
    ],
    plan: "vanishingWork",
    expected: ["L"],
  },
  {
    name: "no certification deadline",
    rule: "R5",
    patches: [
      {
        file: "src/consensus/nullifying.ts",
        before: "if (core.nowMs >= certificationDeadlineAtMs(core, view.armedAtMs)) return true;",
        after: "",
      },
    ],
    plan: "equivocators",
    expected: ["L"],
  },
  {
    name: "nothing is fetched",
    rule: "R9",
    patches: [
      {
        file: "src/consensus/anti-entropy.ts",
        before: "for (const fetch of core.fetches.values()) if (core.nowMs >= fetch.nextAtMs) ask(core, fetch);",
        after: "for (const fetch of core.fetches.values()) if (core.nowMs === Number.NaN) ask(core, fetch);",
      },
    ],
    plan: "crashes",
    expected: ["L"],
  },
  {
    name: "a silent leader is never skipped",
    rule: "R10",
    patches: [{ file: "src/consensus/leaders.ts", before: ">= BOUNDS.leaderSkipViews;", after: ">= Number.POSITIVE_INFINITY;" }],
    plan: "silentBoxes",
    expected: ["L"],
  },
  {
    name: "no re-announce",
    rule: "R1",
    patches: [
      {
        file: "src/mempool/dissemination/announcing.ts",
        before: "if (held.nextAnnounceMs > state.nowMs) continue;",
        after: "if (held.nextAnnounceMs > 0) continue;",
      },
    ],
    plan: "lostAnnouncement",
    expected: ["L"],
  },
  {
    name: "arming on own batches only",
    rule: "R1",
    patches: [
      {
        file: "src/mempool/service.ts",
        before: "value: hasExecutableBatch(this.#state) };",
        after:
          "value: hasExecutableBatch(this.#state) && [...this.#state.pending.values()].some((batch) => batch.authorHex === this.#author) };",
      },
    ],
    plan: "downLeader",
    expected: ["L"],
  },
];
