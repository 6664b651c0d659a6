import { expect, test } from "bun:test";
import { sha256 } from "../../src/crypto/index.ts";
import { present, utf8 } from "../../src/kernel/index.ts";
import { type Block, type Certificate, VOTE_KIND } from "../../src/protocol/index.ts";
import { type MadeProposal, Rig } from "./rig.ts";

const { notarize, finalize } = VOTE_KIND;

/** Two blocks, the second on the notarized first. */
function twoBlocks(rig: Rig): { first: MadeProposal; second: MadeProposal; certificate: Certificate } {
  rig.work();
  const first = rig.propose(1);
  rig.chain.check(first.block);
  const certificate = rig.certificate([1, 2, 3], notarize, 1, first.proposal);
  const second = rig.propose(2, { proposal: first.proposal, certificate });
  rig.chain.restart();
  return { first, second, certificate };
}

/** The same header over other bodies. */
function altered(rig: Rig, block: Block): Block[] {
  const certificate = present(block.parentCertificate, "a certificate of the parent");
  const forged = { ...certificate, signatures: certificate.signatures.map(() => new Uint8Array(64)) };
  const { parentCertificate: _, ...bare } = block;
  const proposal = present(certificate.proposal, "a certified proposal");
  const ofAnother = rig.certificate([1, 2, 3], notarize, 1, { ...proposal, blockHash: sha256(utf8("another block")) });
  return [
    { ...block, batchDigests: [sha256(utf8("a batch that nobody has"))] },
    { ...block, evidence: [Uint8Array.of(1)] },
    { ...block, parentCertificate: forged },
    { ...block, parentCertificate: ofAnother },
    { ...block, parentCertificate: rig.certificate([0, 1, 2], notarize, 1, proposal) },
    bare,
  ];
}

test("R0: a final block with its body exchanged on the way, is refused, and the true one is still taken", () => {
  const count = altered(new Rig(), twoBlocks(new Rig()).second.block).length;
  for (let which = 0; which < count; which++) {
    const rig = new Rig();
    const { first, second } = twoBlocks(rig);
    rig.show(rig.certificate([1, 2, 3], finalize, 2, second.proposal));
    rig.pass(150);
    const bad = present(altered(rig, second.block)[which], "one of them");
    rig.from(3, { kind: "block", block: bad });
    expect([which, rig.refusals, rig.core.blocks.size, rig.halts]).toEqual([which, ["badBlock"], 0, []]);
    rig.from(2, { kind: "block", block: second.block });
    rig.pass(150);
    rig.from(2, { kind: "block", block: first.block });
    expect([which, rig.status.height, rig.halts]).toEqual([which, 2, []]);
  }
});

test("R0: a run of final blocks with one body exchanged, is refused, and the true run is still taken", () => {
  const rig = new Rig();
  const made: MadeProposal[] = [];
  let parent: Parameters<Rig["propose"]>[1];
  for (let view = 1; view <= 6; view++) {
    const next = rig.propose(view, parent);
    rig.chain.check(next.block);
    parent = { proposal: next.proposal, certificate: rig.certificate([1, 2, 3], notarize, view, next.proposal) };
    made.push(next);
  }
  rig.chain.restart();
  const last = present(made.at(-1), "a last block");
  const finalization = rig.certificate([1, 2, 3], finalize, 6, last.proposal);
  rig.show(finalization);
  rig.pass(150);
  rig.from(2, { kind: "block", block: last.block });
  rig.pass(1);
  const blocks = made.map(({ block }) => block);
  for (const bad of altered(rig, present(blocks[1], "a second block"))) {
    rig.from(3, { kind: "finalBlocks", blocks: blocks.with(1, bad), finalization });
  }
  expect([rig.status.height, rig.halts, new Set(rig.refusals)]).toEqual([0, [], new Set(["badBlock"])]);
  rig.from(2, { kind: "finalBlocks", blocks, finalization });
  expect([rig.status.height, rig.halts]).toEqual([6, []]);
});

test("R3: a signed proposal passed on with another body, spoils nothing; from its leader it does", () => {
  for (let which = 0; which < 6; which++) {
    const rig = new Rig();
    const { first, second, certificate } = twoBlocks(rig);
    rig.from(1, first.message);
    rig.show(certificate);
    const bad = present(altered(rig, second.block)[which], "one of them");
    rig.from(3, rig.message(second.proposal, bad));
    expect([which, rig.refusals.length, rig.cast]).toEqual([which, 1, ["NOTARIZE 0:1", "FINALIZE 0:1"]]);
    rig.from(2, second.message);
    expect([which, rig.cast.at(-1)]).toEqual([which, "NOTARIZE 0:2"]);
    const told = new Rig();
    const again = twoBlocks(told);
    told.from(1, again.first.message);
    told.show(again.certificate);
    told.from(2, told.message(again.second.proposal, present(altered(told, again.second.block)[0], "another batch")));
    expect(told.cast.at(-1)).toBe("NULLIFY 0:2");
  }
});

test("R11: a finalization that contradicts a committed one, convicts all who signed both, and costs its check once", () => {
  const rig = new Rig();
  const [made, rival] = [rig.propose(1), rig.propose(1, undefined, { timeMs: Math.floor(rig.wallMs) + 9 })];
  rig.from(1, made.message);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, made.proposal));
  expect(rig.status.height).toBe(1);
  const fork = rig.certificate([1, 2, 3], finalize, 1, rival.proposal);
  rig.show({ ...fork, signatures: fork.signatures.map(() => new Uint8Array(64)) });
  expect([rig.refusals, rig.core.evidence.size]).toEqual([["badCertificate"], 0]);
  rig.show(fork);
  expect([rig.status.floor.view, rig.core.evidence.size]).toEqual([1, 3]);
  rig.show({ ...fork, signatures: fork.signatures.map(() => new Uint8Array(64)) });
  expect([rig.refusals.length, rig.core.evidence.size]).toEqual([1, 3]);
});
