import type { Mutant } from "./mutant.ts";

/** Broken rules of the journal. */
export const journalMutants: readonly Mutant[] = [
  {
    name: "send before persist",
    rule: "J1",
    patches: [
      {
        file: "src/consensus/loop.ts",
        before: 'if (effect.kind !== "broadcast" && effect.kind !== "send") return false;',
        after: 'if (effect.kind !== "broadcast" && effect.kind !== "send" && effect.kind !== "sign") return false;',
      },
      { file: "src/consensus/loop.ts", before: "return !this.#needsSync && this.#deferred.length === 0;", after: "return true;" },
      {
        file: "src/validator/vote-guard.ts",
        before: 'return refusal ?? (this.#journal.book.isDurable(statement) ? undefined : "notDurable");',
        after: "return refusal;",
      },
    ],
    plan: "crashes",
    expected: ["S2", "S9", "S11"],
  },
  {
    name: "the journal forgets before the chain holds the floor",
    rule: "J5",
    patches: [
      {
        file: "src/consensus/certificates.ts",
        before: "  epoch.floor = finalization.view;\n",
        after:
          "  epoch.floor = finalization.view;\n" +
          '  core.effects.push({ kind: "prune", floor: { epoch: epoch.epoch, view: finalization.view } });\n',
      },
    ],
    plan: "smallSegments",
    expected: ["S10", "L"],
  },
  {
    name: "journaled votes are not counted again after a restart",
    rule: "J6",
    patches: [
      {
        file: "src/consensus/replay.ts",
        before: 'if (isLive) emit(core, { kind: "sign", statement, signer: self });',
        after: "if (isLive) continue;",
      },
    ],
    plan: "lostVotes",
    expected: ["L"],
  },
  {
    name: "RECOVERING is not durable",
    rule: "J8",
    patches: [
      {
        file: "src/validator/journal.ts",
        before: "lost.begin([identity, encodeRecord(record)]);",
        after: "lost.begin([identity]);",
      },
    ],
    plan: "wipedTwice",
    expected: ["S2", "S14"],
  },
];
