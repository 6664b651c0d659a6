import type { Mutant, Patch } from "./mutant.ts";

const NOTARIZE_ASSERTION: Patch = {
  file: "src/consensus/ballots.ts",
  before: "assert(view.own.notarize === undefined && view.own.nullify === undefined,",
  after: "assert(view.own.nullify === undefined,",
};
/** The guard and the journal take two NOTARIZE of one view. */
const GUARD_TAKES_TWO_NOTARIZE: Patch = {
  file: "src/validator/vote-book.ts",
  before: "return !isSameProposal(a, b);\n}\n\nfunction isSameStatement",
  after: "return a.kind !== b.kind && !isSameProposal(a, b);\n}\n\nfunction isSameStatement",
};

/** A gate that is carried into later epochs, whose members nobody asks; `after` decides which rounds there are free. */
function carriedGate(after: string): readonly Patch[] {
  const file = "src/consensus/recovery-gate.ts";
  return [
    {
      file,
      before: 'if (status.kind === "recovering" || round.epoch !== status.epoch) return false;',
      after: `if (status.kind === "recovering" || round.epoch < status.epoch) return false;\n  if (round.epoch > status.epoch) ${after}`,
    },
    {
      file,
      before: 'return status.kind === "recovering" || (status.kind === "gated" && status.epoch < epoch);',
      after: 'return status.kind === "recovering" && epoch >= 0;',
    },
  ];
}

/** Broken rules of voting, ancestry, epochs and lost journals. */
export const safetyMutants: readonly Mutant[] = [
  {
    name: "no NULLIFY/FINALIZE exclusion",
    rule: "R5, R7",
    patches: [
      { file: "src/consensus/finalizing.ts", before: "view.own.nullify || view.isEquivocated", after: "view.isEquivocated" },
      {
        file: "src/consensus/ballots.ts",
        before: 'assert(view.own.nullify === undefined && view.own.finalize === undefined, "no FINALIZE',
        after: 'assert(view.own.finalize === undefined, "no FINALIZE',
      },
      {
        file: "src/validator/vote-book.ts",
        before: "return a.kind === VOTE_KIND.finalize || b.kind === VOTE_KIND.finalize;",
        after: "return false;",
      },
    ],
    plan: "crashes",
    expected: ["S2", "S4", "S14"],
  },
  {
    name: "quorum 2F+1 at n=5",
    rule: "Types",
    patches: [
      {
        file: "src/protocol/validator-set.ts",
        before: "quorumWeight: totalWeight - faultyWeightMax, hash",
        after: "quorumWeight: 2n * faultyWeightMax + 1n, hash",
      },
    ],
    plan: "equivocators",
    expected: ["S1", "S3", "S4", "S7"],
  },
  {
    name: "vote again at once after a lost journal",
    rule: "R14",
    patches: [
      {
        file: "src/consensus/recovery.ts",
        before: "if (answeredWeight(core) >= 2n * epoch.set.faultyWeightMax + 1n) {",
        after: "if (answeredWeight(core) >= 0n) {",
      },
      {
        file: "src/consensus/recovery.ts",
        before: "setGate(core, gateOf(epoch.epoch, highestShown(core, recovery)));",
        after: 'setGate(core, { ...gateOf(epoch.epoch, highestShown(core, recovery)), kind: "gated", epoch: epoch.epoch, firstView: 1 });',
      },
    ],
    plan: "wipes",
    expected: ["S2", "S14"],
  },
  {
    name: "ancestry gap not checked",
    rule: "R3",
    patches: [
      { file: "src/consensus/ancestry.ts", before: "if (epoch.views.get(between)?.nullification) continue;", after: "continue;" },
      { file: "src/consensus/ancestry.ts", before: "if (!view?.nullification) {", after: "if (p < epoch.floor) {" },
    ],
    plan: "hiddenView",
    expected: ["S1", "S6"],
  },
  {
    name: "gate V+1",
    rule: "R14",
    patches: [{ file: "src/consensus/bounds.ts", before: "recoveryViews: 3,", after: "recoveryViews: 1," }],
    plan: "wipedLeader",
    expected: ["S2", "S14"],
  },
  {
    name: "gate V+2",
    rule: "R14",
    patches: [{ file: "src/consensus/bounds.ts", before: "recoveryViews: 3,", after: "recoveryViews: 2," }],
    plan: "wipedLeader",
    expected: ["S2", "S14"],
  },
  {
    name: "no gate in the next epoch",
    rule: "R14",
    patches: carriedGate("return true;"),
    plan: "wipedOpener",
    expected: ["S2", "S14"],
  },
  {
    name: "the gate's epoch vouches for the next one",
    rule: "R14",
    patches: carriedGate("return round.epoch > status.epoch + 1 || round.view >= 2;"),
    plan: "wipedAmongNewcomers",
    expected: ["S2", "S14"],
  },
  {
    name: "gate ends with any commit",
    rule: "R14",
    patches: [
      { file: "src/consensus/recovery-gate.ts", before: "if (tip.finalization.view < gate.firstView - 1) return;", after: "" },
      {
        file: "src/consensus/recovery-gate.ts",
        before: 'assert(epoch.floor >= gate.firstView - 1, "the tip\'s finalization is at or below the floor");',
        after: "",
      },
    ],
    plan: "wipedLeader",
    expected: ["S2", "S9", "S14"],
  },
  {
    name: "boundary built afresh without proof",
    rule: "R12",
    patches: [
      {
        file: "src/consensus/ancestry.ts",
        before:
          "if (certificate?.proposal) return { view: p, hash: certificate.proposal.blockHash, certificate };\n    if (!view?.nullification) {",
        after:
          "const named = certificate?.proposal && core.blocks.get(Buffer.from(certificate.proposal.blockHash).toString('hex'));\n" +
          "    if (named?.block.header.nextValidatorSetHash) continue;\n" +
          "    if (certificate?.proposal) return { view: p, hash: certificate.proposal.blockHash, certificate };\n    if (!view?.nullification) {",
      },
      {
        file: "src/consensus/ancestry.ts",
        before: "if (epoch.views.get(between)?.nullification) continue;",
        after:
          "const passed = epoch.views.get(between)?.notarization?.proposal?.blockHash;\n" +
          "    if (passed && core.blocks.get(Buffer.from(passed).toString('hex'))?.block.header.nextValidatorSetHash) continue;\n" +
          "    if (epoch.views.get(between)?.nullification) continue;",
      },
    ],
    plan: "openBoundaries",
    expected: ["S1", "S6", "S13"],
  },
  {
    name: "a boundary block is followed like any other",
    rule: "R12",
    patches: [
      {
        file: "src/consensus/block-pool.ts",
        before: "return header.epoch === core.epoch.epoch && header.nextValidatorSetHash !== undefined;",
        after: "return false;",
      },
    ],
    plan: "openBoundaries",
    expected: ["S1", "S6", "S13", "L"],
  },
  {
    name: "a leader proposes again in a view it notarized in",
    rule: "R2",
    patches: [
      {
        file: "src/consensus/proposing.ts",
        before: "if (view.own.notarize !== undefined || view.own.nullify || view.own.finalize !== undefined) return false;",
        after: "if (view.own.nullify || view.own.finalize !== undefined) return false;",
      },
      {
        file: "src/consensus/proposing.ts",
        before: "|| view.own.notarize !== undefined || view.own.nullify ||",
        after: "|| view.own.nullify ||",
      },
      NOTARIZE_ASSERTION,
      GUARD_TAKES_TWO_NOTARIZE,
    ],
    plan: "crashes",
    expected: ["S2", "S14"],
  },
  {
    name: "a second proposal of an equivocating leader is notarized",
    rule: "R3",
    patches: [
      {
        file: "src/consensus/notarizing.ts",
        before: "if (view.own.notarize !== undefined || view.own.nullify || view.hasFailed) return false;",
        after:
          'if (view.own.notarize === (view.leaderChoice ?? view.own.notarize ?? "") || view.own.nullify || view.hasFailed) return false;',
      },
      NOTARIZE_ASSERTION,
      GUARD_TAKES_TWO_NOTARIZE,
    ],
    plan: "turncoatLeader",
    expected: ["S2", "S14"],
  },
  {
    name: "FINALIZE for another proposal than the one notarized",
    rule: "R7",
    patches: [
      {
        file: "src/consensus/finalizing.ts",
        before: "if (view.own.notarize !== undefined && view.own.notarize !== id) continue;",
        after: "",
      },
      { file: "src/consensus/finalizing.ts", before: "view.own.nullify || view.isEquivocated", after: "view.own.nullify" },
      {
        file: "src/consensus/ballots.ts",
        before: 'assert(view.own.notarize === undefined || view.own.notarize === id, "FINALIZE agrees with our NOTARIZE");',
        after: "",
      },
      {
        file: "src/consensus/ballots.ts",
        before: "assert(!view.isEquivocated && view.notarization !== undefined,",
        after: "assert(view.notarization !== undefined,",
      },
      {
        file: "src/validator/vote-book.ts",
        before: "return !isSameProposal(a, b);\n}\n\nfunction isSameStatement",
        after: "return a.kind === b.kind && !isSameProposal(a, b);\n}\n\nfunction isSameStatement",
      },
    ],
    plan: "equivocators",
    expected: ["S2", "S14"],
  },
  {
    name: "a time in the future is no reason to wait",
    rule: "R16",
    patches: [
      {
        file: "src/consensus/notarizing.ts",
        before: 'if (waitForTimeMs(core, block.header.timeMs, facts.timeMs) > 0) return "pending";',
        after: "",
      },
    ],
    plan: "fastClock",
    expected: ["R16"],
  },
  {
    name: "NOTARIZE and NULLIFY convict",
    rule: "R11",
    patches: [
      {
        file: "src/protocol/evidence.ts",
        before: "return kinds === VOTE_KIND.nullify + VOTE_KIND.finalize && a.kind !== b.kind;",
        after: "return kinds > 0 && a.kind !== b.kind;",
      },
    ],
    plan: "crashes",
    expected: ["S14"],
  },
  {
    name: "double votes are ignored",
    rule: "R11",
    patches: [{ file: "src/consensus/votes.ts", before: "keepEvidence(core, encodeEvidence(makeVoteEvidence(other, vote)));", after: "" }],
    plan: "doubleVoters",
    expected: ["R11"],
  },
];
