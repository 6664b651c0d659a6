import type { Mutant } from "./mutant.ts";

const FILE = "src/protocol/verify-proof.ts";

/** Light clients that believe too much (S15). */
export const lightClientMutants: readonly Mutant[] = [
  {
    name: "light client: a notarization passes for a finalization",
    rule: "S15",
    patches: [
      { file: FILE, before: "finalization.kind !== VOTE_KIND.finalize || !finalization.proposal", after: "!finalization.proposal" },
    ],
    plan: "lightClients",
    expected: ["S15"],
  },
  {
    name: "light client: less than a quorum is enough",
    rule: "S15",
    patches: [{ file: FILE, before: "if (!certified.ok)", after: 'if (!certified.ok && certified.error !== "belowQuorum")' }],
    plan: "lightClients",
    expected: ["S15"],
  },
  {
    name: "light client: signatures are not checked",
    rule: "S15",
    patches: [{ file: FILE, before: "if (!certified.ok)", after: 'if (!certified.ok && certified.error !== "badSignature")' }],
    plan: "lightClients",
    expected: ["S15"],
  },
  {
    name: "light client: a boundary block need not commit to the next set",
    rule: "S15",
    patches: [
      { file: FILE, before: "if (!committed || !bytesEqual(committed, hop.nextSet.hash)) {", after: "if (hop.headers.length === 0) {" },
    ],
    plan: "lightClients",
    expected: ["S15"],
  },
  {
    name: "light client: ancestors need not be linked",
    rule: "S15",
    patches: [
      { file: FILE, before: "if (!bytesEqual(child.parentHash, blockHashOf(parent)))", after: "if (child.height < parent.height)" },
    ],
    plan: "lightClients",
    expected: ["S15"],
  },
  {
    name: "light client: the finalization may name another block",
    rule: "S15",
    patches: [
      { file: FILE, before: "if (!bytesEqual(finalization.proposal.blockHash, blockHashOf(first)))", after: "if (first.height < 0)" },
    ],
    plan: "lightClients",
    expected: ["S15"],
  },
];
