import { describe, expect, test } from "bun:test";
import { BlockExecutor } from "../../../src/blocks/block-executor.ts";
import { BlockTable } from "../../../src/blocks/block-table.ts";
import { verifyBlock } from "../../../src/blocks/verification.ts";
import { nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { recordToJson } from "../../../src/events/index.ts";
import { present, toHex, utf8 } from "../../../src/kernel/index.ts";
import {
  type Block,
  encodeEvidence,
  evidenceRootOf,
  makeVoteEvidence,
  VOTE_KIND,
  type Vote,
  validatorKeyProofBytes,
  verifyProofBundle,
  voteSignBytes,
} from "../../../src/protocol/index.ts";
import { PlainState, signerOf, TestChain } from "./chain-fixture.ts";

/** Asks for a rotation of the first validator's key, effective from the next epoch. */
function rotation(chain: TestChain, newKey: string): Uint8Array {
  const signer = chain.addSigner(newKey);
  const validator = present(chain.signers[0], "there are validators").publicKey;
  const message = validatorKeyProofBytes(chain.genesis.hash, signerOf("owner").publicKey, validator, signer.publicKey, 1);
  const effectiveEpoch = chain.service.reader.currentEpoch().epoch + 1;
  return chain.transaction("owner", {
    type: 11,
    validator,
    newKey: signer.publicKey,
    proof: signer.sign(message),
    term: 1,
    effectiveEpoch,
  });
}

/** Evidence that the member at an index of epoch 0 voted twice. */
function doubleVote(chain: TestChain, signer: number, view = 1): Uint8Array {
  const key = present(chain.signers[signer], "a member");
  const [first, second] = ["one", "two"].map((text): Vote => {
    const statement = { kind: VOTE_KIND.notarize, epoch: 0, view, proposalId: sha256(utf8(text)) };
    return { ...statement, signer, signature: key.sign(voteSignBytes(chain.genesis.hash, statement)) };
  });
  return encodeEvidence(makeVoteEvidence(present(first, "a vote"), present(second, "a vote")));
}

function withEvidence(block: Block, evidence: readonly Uint8Array[]): Block {
  const { evidenceRoot: _old, ...header } = block.header;
  const root = evidenceRootOf(evidence);
  return { ...block, header: { ...header, ...(root && { evidenceRoot: root }) }, evidence };
}

const keysOf = (chain: TestChain, epoch: number) => chain.setOf(epoch).validators.map(({ publicKey }) => toHex(publicKey));

describe("blocks: sets that change", () => {
  test("rotation: its block ends the epoch, the new key signs the next, and a proof leads there from the genesis set", () => {
    const chain = new TestChain({ validators: 5 });
    chain.grow();
    chain.offer(rotation(chain, "a second box"));
    const boundary = chain.grow();
    expect(boundary.block.header.nextValidatorSetHash).toEqual(chain.setOf(1).hash);
    expect(keysOf(chain, 1)).toContain(toHex(signerOf("a second box").publicKey));
    expect(keysOf(chain, 1)).not.toContain(toHex(present(chain.signers[0], "a validator").publicKey));
    const paid = chain.transfer("alice", "bob", 1n);
    const { transactions } = chain.offer(paid);
    expect(chain.grow().block.header).toMatchObject({ epoch: 1, view: 1 });
    const bundle = chain.service.buildReceiptProof(present(transactions[0], "the transfer").id);
    const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
    expect(bundle?.hops).toHaveLength(1);
    expect(bundle && verifyProofBundle(nativeSuite, trusted, bundle)).toMatchObject({ ok: true, value: { kind: "receipt" } });
  });

  test("restart: blocks of several sets, with missed views and a conviction, executed again to the same root", () => {
    const chain = new TestChain({ validators: 6, feePolicy: "validators" });
    chain.offer(rotation(chain, "another box"));
    chain.grow();
    chain.offer(chain.transfer("alice", "bob", 1n));
    chain.service.commit([chain.build({ view: 9 })]);
    chain.grow({ evidence: [doubleVote(chain, 2)], timeMs: chain.service.tip().timeMs + 60_000 });
    for (let i = 0; i < 4; i++) chain.grow();
    expect(keysOf(chain, 2)).toHaveLength(5);
    const root = toHex(chain.state.root);
    expect(chain.restart()).toMatchObject({ executedBlocks: 7 });
    expect(toHex(chain.state.root)).toBe(root);
    expect(keysOf(chain, 2)).toHaveLength(5);
    expect([...chain.service.scrub(1, undefined, { hasSignatures: true, hasContents: true })]).toHaveLength(7);
    chain.grow();
  });
});

describe("blocks: evidence", () => {
  test("evidence: in a block, the accused is out of the next set, and the chain lane tells of it", () => {
    const chain = new TestChain({ validators: 5 });
    const evidence = doubleVote(chain, 1);
    const accused = toHex(present(chain.signers[1], "a member").publicKey);
    expect(chain.service.canConvict(evidence)).toBe(true);
    const { block } = chain.grow({ evidence: [evidence] });
    expect(block.evidence).toEqual([evidence]);
    expect(keysOf(chain, 1)).toHaveLength(4);
    expect(keysOf(chain, 1)).not.toContain(accused);
    expect([chain.service.canConvict(evidence), chain.service.canConvict(doubleVote(chain, 1, 8))]).toEqual([false, false]);
    const told = chain.laneRecords.slice(5).map(recordToJson);
    expect(told.map(({ type }) => type)).toEqual([
      "block.finalized",
      "validator.slashed",
      "validator.jailed",
      "set.changed",
      "epoch.opened",
    ]);
    expect(told[1]?.payload).toMatchObject({ validator: accused, epoch: 0, slashed: "5" });
    expect(told[3]?.payload).toMatchObject({ publicKey: accused, weightBefore: "100", weight: "0", epoch: 1 });
  });

  test("evidence: of no more use on the parent, left out by the leader", () => {
    const chain = new TestChain({ validators: 5 });
    const first = chain.build({ evidence: [doubleVote(chain, 1)] });
    chain.service.commit([first]);
    const { block } = chain.build({ evidence: [doubleVote(chain, 1, 7), doubleVote(chain, 3), doubleVote(chain, 3, 8), Uint8Array.of(9)] });
    expect(block.evidence).toEqual([doubleVote(chain, 3)]);
  });

  test("evidence: attached although it convicts nobody, the block is invalid", () => {
    const chain = new TestChain({ validators: 5 });
    const { block, hash } = chain.build();
    chain.service.discard(hash);
    const innocent = doubleVote(chain, 1);
    innocent[innocent.length - 1] = (innocent.at(-1) ?? 0) ^ 1;
    const guilty = doubleVote(chain, 2);
    const check = (...evidence: Uint8Array[]) => chain.service.check(withEvidence(block, evidence), chain.validatorSet);
    expect(check(innocent)).toEqual({ kind: "invalid", code: "uselessEvidence" });
    expect(check(guilty, doubleVote(chain, 2, 9))).toEqual({ kind: "invalid", code: "uselessEvidence" });
    expect(check(guilty)).toEqual({ kind: "invalid", code: "wrongStateRoot" }); // it convicts, so the state is another
  });

  test("evidence: a conviction that a header denies by naming no next set, invalid", () => {
    const chain = new TestChain({ validators: 5 });
    const { block, hash } = chain.build({ evidence: [doubleVote(chain, 1)] });
    chain.service.discard(hash);
    const { nextValidatorSetHash, ...header } = block.header;
    expect(nextValidatorSetHash).toBeDefined();
    expect(chain.service.check({ ...block, header }, chain.validatorSet)).toEqual({ kind: "invalid", code: "wrongNextValidatorSet" });
  });
});

describe("blocks: what attendance is counted from", () => {
  test("check: a view that is not above the parent's, invalid", () => {
    const chain = new TestChain({ validators: 4 });
    chain.grow();
    const { block, hash } = chain.build();
    chain.service.discard(hash);
    const forged = { ...block, header: { ...block.header, view: 1 } };
    expect(chain.service.check(forged, chain.validatorSet)).toEqual({ kind: "invalid", code: "wrongView" });
  });

  test("check: a parent bitmap of another size than the set, invalid", () => {
    const chain = new TestChain({ validators: 4 });
    chain.grow();
    const { block, hash } = chain.build();
    chain.service.discard(hash);
    const certificate = present(block.parentCertificate, "its parent is no genesis");
    const parentBitmap = Uint8Array.of(0b1_1111);
    const forged = { ...block, header: { ...block.header, parentBitmap }, parentCertificate: { ...certificate, bitmap: parentBitmap } };
    expect(chain.service.check(forged, chain.validatorSet)).toEqual({ kind: "invalid", code: "wrongParentBitmap" });
  });
});

describe("blocks: room", () => {
  test("check: no room above the tip, the block waits; after a commit it is valid", () => {
    const chain = new TestChain();
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    const third = chain.build({ parent: second.block });
    const state = new PlainState(chain.genesis);
    const { service, genesis, batches, validatorSet } = chain;
    const tip = { height: 0, hash: genesis.hash, timeMs: genesis.timeMs, epoch: 0, view: 0 };
    const table = new BlockTable(service.reader, tip, state, 2);
    const executor = new BlockExecutor(state, service.reader, genesis.hash, genesis.parameters, () => true);
    const parts = { chainId: genesis.hash, table, executor, batches };
    for (const { block, hash } of [first, second]) expect(verifyBlock(parts, block, validatorSet)).toEqual({ kind: "valid", hash });
    expect(verifyBlock(parts, third.block, validatorSet)).toEqual({ kind: "noRoom" });
    table.advance(present(table.live.find(first.hash), "it was executed"));
    expect(verifyBlock(parts, third.block, validatorSet)).toEqual({ kind: "valid", hash: third.hash });
  });
});
