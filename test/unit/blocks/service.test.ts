import { describe, expect, test } from "bun:test";
import { type BlockOutcome, ChainDamaged } from "../../../src/blocks/index.ts";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import {
  type Block,
  decodeProofBundle,
  decodeTransaction,
  encodeProofBundle,
  transactionAad,
  verifyProofBundle,
} from "../../../src/protocol/index.ts";
import { signerOf, TestChain } from "./chain-fixture.ts";

function idOf(chain: TestChain, encoded: Uint8Array): Uint8Array {
  const transaction = decodeTransaction(transactionAad(chain.genesis.hash), encoded);
  if (!transaction.ok) throw new RangeError(transaction.error);
  return transaction.value.id;
}

function changed(block: Block, change: Partial<Block["header"]>): Block {
  return { ...block, header: { ...block.header, ...change } };
}

describe("blocks: building and committing", () => {
  test("commit: a block with transfers, tip, state, mempool and lane follow", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 5n), chain.transfer("bob", "carol", 7n));
    const { hash } = chain.grow();
    expect(chain.service.tip()).toMatchObject({ height: 1, hash, epoch: 0, view: 1 });
    expect(chain.batches.outcomes[0]?.executed).toHaveLength(2);
    expect(chain.laneRecords.map(({ type }) => type)).toEqual(["validator.registered", "block.finalized"]);
    expect(chain.state.viewOn(undefined).findAccount(signerOf("bob").publicKey)?.balance).toBe(1_000_000_000n + 5n - 7n - 10n);
  });

  test("build: more than the genesis limit offered, the block takes what fits and leaves the rest", () => {
    const chain = new TestChain({ blockTransactionsMax: 3 });
    for (let i = 0; i < 3; i++) chain.offer(chain.transfer("alice", "bob", 1n), chain.transfer("alice", "bob", 2n));
    expect(chain.grow().block.batchDigests).toHaveLength(1);
    expect(chain.grow().block.batchDigests).toHaveLength(1);
  });

  test("build: bytes near the genesis limit, the block with its parts stays within it", () => {
    const chain = new TestChain({ blockBytesMax: 16_384 });
    for (let i = 0; i < 60; i++) chain.offer(chain.transfer("alice", "bob", 1n), chain.transfer("alice", "bob", 2n));
    const { block } = chain.build();
    expect(block.batchDigests.length).toBeGreaterThan(10);
    expect(chain.service.check(block, chain.validatorSet).kind).toBe("valid");
  });

  test("build: on an unfinalized parent, batches of the parent are not taken again", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 1n));
    const first = chain.build();
    chain.offer(chain.transfer("alice", "bob", 2n));
    const second = chain.build({ parent: first.block });
    expect(first.block.batchDigests).toHaveLength(1);
    expect(second.block.batchDigests).toHaveLength(1);
    expect(toHex(second.block.batchDigests[0] as Uint8Array)).not.toBe(toHex(first.block.batchDigests[0] as Uint8Array));
    chain.service.commit([first, second]);
    expect(chain.service.tip().height).toBe(2);
  });

  test("build: told to be empty, no batch is taken", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 1n));
    expect(chain.build({ isEmpty: true }).block.batchDigests).toEqual([]);
  });

  test("commit: a certificate that finalizes three blocks, stored once and found for each", () => {
    const chain = new TestChain();
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    const third = chain.build({ parent: second.block });
    chain.service.commit([first, second, third].map(({ block, hash }) => ({ block, hash, finalization: third.finalization })));
    for (const height of [1, 2, 3]) expect(chain.service.findFinalized(height)?.finalization).toEqual(third.finalization);
    expect(chain.service.queries.findByHeight(1)?.finalization).toEqual({ height: 3 });
    expect(chain.service.queries.finalHeaders(1)?.headers.map(({ height }) => height)).toEqual([3, 2, 1]);
  });

  test("commit: blocks of one certificate in several calls, each is still proven final", () => {
    const chain = new TestChain();
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    chain.service.commit([{ ...first, finalization: second.finalization }]);
    expect(chain.service.queries.finalHeaders(1)).toBeUndefined();
    chain.service.commit([second]);
    expect(chain.service.queries.finalHeaders(1)?.headers.map(({ height }) => height)).toEqual([2, 1]);
  });

  test("commit: siblings and what stands on them are let go, the rest stays", () => {
    const chain = new TestChain();
    const winner = chain.build({ view: 1 });
    const loser = chain.build({ view: 2 });
    const onLoser = chain.build({ parent: loser.block });
    const onWinner = chain.build({ parent: winner.block, view: 5 });
    chain.service.commit([winner]);
    expect(chain.service.find(loser.hash)).toBeUndefined();
    expect(chain.service.find(onLoser.hash)).toBeUndefined();
    expect(chain.service.find(onWinner.hash)).toEqual(onWinner.block);
    expect(chain.service.find(winner.hash)?.header.view).toBe(1);
    chain.service.commit([onWinner]);
    expect(chain.service.tip().hash).toEqual(onWinner.hash);
  });

  test("discard: a block and what stands on it are let go", () => {
    const chain = new TestChain();
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    chain.service.discard(first.hash);
    expect(chain.service.find(first.hash)).toBeUndefined();
    expect(chain.service.find(second.hash)).toBeUndefined();
  });

  test("commit: a block that is no longer held is executed again first", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 1n));
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    chain.service.discard(first.hash);
    chain.service.commit([first, second]);
    expect(chain.service.tip().hash).toEqual(second.hash);
  });

  test("commit: a final block that executes otherwise here, named and nothing written", () => {
    const chain = new TestChain();
    const { block, hash, finalization } = chain.build();
    chain.service.discard(hash);
    const forged = changed(block, { stateRoot: new Uint8Array(32) });
    const commit = () => chain.service.commit([{ block: forged, hash, finalization }]);
    expect(commit).toThrow(ChainDamaged);
    expect(commit).toThrow("block 1");
    expect(chain.service.tip().height).toBe(0);
  });

  test("commit: a disk that fails, thrown, and neither tip nor state nor mempool move", () => {
    const chain = new TestChain();
    const finalized = chain.build();
    chain.database.run("CREATE TRIGGER refuse BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'no'); END");
    expect(() => chain.service.commit([finalized])).toThrow();
    expect(chain.service.tip().height).toBe(0);
    expect(chain.state.height).toBe(0);
    expect(chain.batches.outcomes).toEqual([]);
  });

  test("subscribe: a listener that throws harms neither the commit nor the others, and one that left hears no more", () => {
    const chain = new TestChain();
    const heard: BlockOutcome[] = [];
    chain.service.subscribe(() => {
      throw new RangeError("a listener's own trouble");
    });
    const leave = chain.service.subscribe((outcome) => heard.push(outcome));
    chain.grow();
    leave();
    chain.grow();
    expect(heard.map(({ height }) => height)).toEqual([1]);
    expect(chain.service.tip().height).toBe(2);
  });

  test("stats: what was committed, and what is held above the tip", () => {
    const chain = new TestChain();
    chain.offer(
      chain.transfer("alice", "bob", 5n),
      chain.transfer("bob", "carol", 10n ** 15n),
      chain.transfer("carol", "bob", 1n, { nonce: 7n }),
    );
    chain.grow();
    chain.build();
    expect(chain.service.stats()).toEqual({ committedBlocks: 1, executed: 2, failed: 1, skipped: 1, liveBlocks: 1 });
  });

  test("observer: told of what is built and how blocks are judged", () => {
    const chain = new TestChain();
    const { block, hash } = chain.build();
    chain.service.discard(hash);
    chain.service.check(changed(block, { stateRoot: new Uint8Array(32) }), chain.validatorSet);
    chain.service.check(block, chain.validatorSet);
    expect(chain.noticed).toEqual(["built 1", "judged 1 wrongStateRoot", "judged 1 valid"]);
  });

  test("batches' replay mark: stored with each block", () => {
    const chain = new TestChain();
    chain.offer(chain.transfer("alice", "bob", 1n));
    chain.grow();
    chain.grow();
    expect(chain.service.queries.findByHeight(1)?.replayMark).toBe(0);
    expect(chain.service.queries.findByHeight(2)?.replayMark).toBe(1);
  });
});

describe("blocks: judging", () => {
  const zeros = new Uint8Array(32);
  const faults: readonly [string, (block: Block) => Block, string][] = [
    ["another version", (block) => changed(block, { version: 2 }), "wrongVersion"],
    ["another chain", (block) => changed(block, { chainId: zeros }), "wrongChain"],
    ["a height that does not follow", (block) => changed(block, { height: 9 }), "wrongHeight"],
    ["another epoch", (block) => changed(block, { epoch: 1 }), "wrongEpoch"],
    ["another validator set", (block) => changed(block, { validatorSetHash: zeros }), "wrongValidatorSet"],
    ["a next set before the epoch's end", (block) => changed(block, { nextValidatorSetHash: zeros }), "wrongNextValidatorSet"],
    ["a parent bitmap without certificate", (block) => changed(block, { parentBitmap: Uint8Array.of(1) }), "wrongParentBitmap"],
    ["another batch root", (block) => changed(block, { batchRoot: zeros }), "wrongBatchRoot"],
    ["an evidence root without evidence", (block) => changed(block, { evidenceRoot: zeros }), "wrongEvidenceRoot"],
    ["another receipt root", (block) => changed(block, { receiptRoot: zeros }), "wrongReceiptRoot"],
    ["another state root", (block) => changed(block, { stateRoot: zeros }), "wrongStateRoot"],
    ["a leader beyond the set", (block) => changed(block, { leader: 5 }), "wrongValidatorSet"],
  ];
  for (const [what, forge, code] of faults) {
    test(`check: ${what}, invalid as ${code}`, () => {
      const chain = new TestChain();
      chain.offer(chain.transfer("alice", "bob", 1n));
      const { block, hash } = chain.build();
      chain.service.discard(hash);
      expect(chain.service.check(forge(block), chain.validatorSet)).toEqual({ kind: "invalid", code });
      expect(chain.service.check(block, chain.validatorSet)).toEqual({ kind: "valid", hash });
    });
  }

  test("check: a batch that is not here, named as missing; once it is, valid", () => {
    const chain = new TestChain();
    const held = chain.offer(chain.transfer("alice", "bob", 1n));
    const { block, hash } = chain.build();
    chain.service.discard(hash);
    chain.batches.forget(held.digest);
    expect(chain.service.check(block, chain.validatorSet)).toEqual({ kind: "missingBatches", digests: [held.digest] });
  });

  test("check: an unknown parent, named as missing", () => {
    const chain = new TestChain();
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    chain.service.discard(first.hash);
    expect(chain.service.check(second.block, chain.validatorSet)).toEqual({ kind: "missingParent", hash: first.hash });
  });

  test("check: a competitor of a committed block, invalid; the committed one itself, valid", () => {
    const chain = new TestChain();
    const loser = chain.build({ view: 2 });
    const winner = chain.build({ view: 1 });
    chain.service.commit([winner]);
    expect(chain.service.check(loser.block, chain.validatorSet)).toEqual({ kind: "invalid", code: "notOnTip" });
    expect(chain.service.check(winner.block, chain.validatorSet)).toEqual({ kind: "valid", hash: winner.hash });
  });
});

describe("blocks: epochs", () => {
  test("epoch: its last block commits to the next set, and the next block belongs to the next epoch", () => {
    const chain = new TestChain({ epochBlocks: 8 });
    for (let i = 0; i < 20; i++) chain.grow();
    expect(chain.service.tip()).toMatchObject({ height: 20, epoch: 2, view: 4 });
    expect(chain.service.queries.findByHeight(8)?.block.header.nextValidatorSetHash).toEqual(chain.validatorSet.hash);
    expect(chain.service.queries.findByHeight(9)?.block.header.epoch).toBe(1);
    expect(chain.service.findEpoch(0)).toMatchObject({ epoch: 0 });
    expect(chain.service.findEpoch(0)?.finalization).toBeUndefined();
    expect(chain.service.findEpoch(2)?.finalization?.proposal?.blockHash).toEqual(chain.service.queries.findByHeight(16)?.hash);
    expect(chain.service.findEpoch(3)).toBeUndefined();
  });

  test("epoch: unfinalized blocks across a boundary, built and committed together", () => {
    const chain = new TestChain({ epochBlocks: 8 });
    for (let i = 0; i < 7; i++) chain.grow();
    const boundary = chain.build();
    const next = chain.build({ parent: boundary.block });
    expect(boundary.block.header.nextValidatorSetHash).toBeDefined();
    expect(next.block.header).toMatchObject({ epoch: 1, view: 1, height: 9 });
    chain.service.commit([boundary, next]);
    expect(chain.service.findEpoch(1)?.finalization).toEqual(boundary.finalization);
  });

  test("epoch: header time over its span, the block ends it", () => {
    const chain = new TestChain();
    const { block } = chain.build({ timeMs: chain.genesis.timeMs + 1_000_000_000 });
    expect(block.header.nextValidatorSetHash).toEqual(chain.validatorSet.hash);
  });
});

describe("blocks: questions", () => {
  test("receipt: of an applied, a failed and a sponsored transaction, with the code and a path that verifies", () => {
    const chain = new TestChain({ validators: 4 });
    const applied = chain.transfer("alice", "bob", 5n);
    const failed = chain.transfer("bob", "carol", 10n ** 15n);
    chain.offer(applied, failed, chain.transfer("carol", "bob", 1n, { nonce: 7n }));
    chain.grow();
    for (const [encoded, code] of [
      [applied, "applied"],
      [failed, "insufficientFunds"],
    ] as const) {
      const id = idOf(chain, encoded);
      expect(chain.service.queries.findReceipt(id)?.code).toBe(code);
      const bundle = chain.service.buildReceiptProof(id);
      if (!bundle) throw new RangeError("an executed transaction has a proof");
      const decoded = decodeProofBundle(encodeProofBundle(bundle));
      const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
      const fact = decoded.ok ? verifyProofBundle(nativeSuite, trusted, decoded.value) : decoded;
      expect(fact).toMatchObject({ ok: true, value: { kind: "receipt", receipt: { transactionId: id, code } } });
    }
  });

  test("proof: across epochs and a later finalization, verifies from the genesis set", () => {
    const chain = new TestChain({ epochBlocks: 8 });
    for (let i = 0; i < 17; i++) chain.grow();
    const encoded = chain.transfer("alice", "bob", 5n);
    chain.offer(encoded);
    const first = chain.build();
    const second = chain.build({ parent: first.block });
    chain.service.commit([{ ...first, finalization: second.finalization }, second]);
    const bundle = chain.service.buildReceiptProof(idOf(chain, encoded));
    expect(bundle?.hops).toHaveLength(2);
    expect(bundle?.headers).toHaveLength(2);
    const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
    expect(bundle && verifyProofBundle(nativeSuite, trusted, bundle)).toMatchObject({ ok: true });
  });

  test("find: executed, skipped and unknown transactions, by id", () => {
    const chain = new TestChain();
    const executed = chain.transfer("alice", "bob", 5n);
    const skipped = chain.transfer("bob", "carol", 5n, { nonce: 3n });
    chain.offer(executed, skipped);
    chain.grow();
    expect(chain.service.queries.findExecuted(idOf(chain, executed))).toEqual({ height: 1, index: 0 });
    expect(chain.service.queries.findExecuted(idOf(chain, skipped))).toBeUndefined();
    expect(chain.service.buildReceiptProof(idOf(chain, skipped))).toBeUndefined();
  });

  test("find: blocks by height, hash and range, and where a batch stands", () => {
    const chain = new TestChain();
    const held = chain.offer(chain.transfer("alice", "bob", 5n));
    const first = chain.grow();
    const second = chain.grow();
    const { queries } = chain.service;
    expect(queries.findByHash(first.hash)?.block).toEqual(first.block);
    expect(queries.findByHeight(2)?.hash).toEqual(second.hash);
    expect(queries.findByHeight(0)).toBeUndefined();
    expect(queries.findByHeight(3)).toBeUndefined();
    expect(queries.list(0, 10).map(({ hash }) => hash)).toEqual([first.hash, second.hash]);
    expect(queries.list(2, 1)).toHaveLength(1);
    expect(queries.findBatch(held.digest)).toMatchObject({ height: 1, index: 0, location: held.location });
    expect(queries.findBatches(1)).toEqual([held]);
    expect(queries.findBatches(2)).toEqual([]);
    expect(queries.findBatches(3)).toBeUndefined();
    expect(queries.findBatch(first.hash)).toBeUndefined();
    expect(queries.findByHash(held.digest)).toBeUndefined();
  });
});
