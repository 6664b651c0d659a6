import { describe, expect, test } from "bun:test";
import { ChainDamaged } from "../../../src/blocks/index.ts";
import { EMPTY_LANE, type LaneRecord, openRecords } from "../../../src/events/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import { PlainState, signerOf, TestChain } from "./chain-fixture.ts";

/** A chain of so many blocks, every third with transactions, some of which fail or are skipped. */
function grown(blocks: number, chain = new TestChain()): TestChain {
  for (let i = 0; i < blocks; i++) {
    if (i % 3 === 0) {
      chain.offer(chain.transfer("alice", "bob", BigInt(i + 1)), chain.transfer("bob", "carol", 10n ** 15n));
      chain.offer(chain.transfer("carol", "alice", 1n, { nonce: 5_000n }), chain.transfer("alice", "carol", 2n));
    }
    chain.grow();
  }
  return chain;
}

function damaged(action: () => unknown): ChainDamaged {
  try {
    action();
  } catch (error) {
    if (error instanceof ChainDamaged) return error;
    throw error;
  }
  throw new RangeError("expected the damage to be named");
}

const walk = (steps: Iterable<unknown>): number => [...steps].length;

describe("recovery", () => {
  test("recovery: state at genesis, every block is executed again and the state is the same", () => {
    const chain = grown(30);
    const before = chain.state.root;
    const report = chain.restart();
    expect(report).toEqual({ tipHeight: 30, executedBlocks: 30, indexedBlocks: 30, toldBlocks: 0 });
    expect(toHex(chain.state.root)).toBe(toHex(before));
    chain.grow();
    expect(chain.service.tip().height).toBe(31);
  });

  test("recovery: an empty chain, nothing to do and the first block follows", () => {
    const chain = new TestChain();
    expect(chain.restart()).toEqual({ tipHeight: 0, executedBlocks: 0, indexedBlocks: 0, toldBlocks: 0 });
    expect(chain.grow().block.header.height).toBe(1);
  });

  test("recovery: a mempool that reflects less than the chain, told of each block above with what it did", () => {
    const chain = grown(10);
    const told = chain.batches.outcomes.splice(0);
    expect(chain.restart(4).toldBlocks).toBe(6);
    expect(chain.batches.outcomes).toEqual(told.slice(4));
  });

  test("recovery: hashes in runs, only the blocks above them are indexed again", async () => {
    const chain = grown(
      30,
      new TestChain({ tuning: { pendingEntriesMax: 1_000, pendingBlocksMax: 10, sliceEntries: 1_000, verifyBytesMax: 1_000_000 } }),
    );
    await chain.index.settle();
    chain.grow();
    await chain.index.settle();
    const covered = chain.index.coveredHeight;
    expect(covered).toBeGreaterThan(8);
    expect(chain.restart().indexedBlocks).toBe(31 - covered);
    for (const { hash, executed, height } of chain.batches.outcomes) {
      expect(chain.service.find(hash)).toBeDefined();
      for (const [index, { id }] of executed.entries()) expect(chain.service.queries.findExecuted(id)).toEqual({ height, index });
    }
  });

  test("recovery: receipts rebuilt from rows and batches, equal to those of the execution", () => {
    const chain = grown(12);
    const before = Array.from({ length: 12 }, (_, at) => chain.service.queries.findContent(at + 1)?.receipts);
    chain.restart();
    expect(Array.from({ length: 12 }, (_, at) => chain.service.queries.findContent(at + 1)?.receipts)).toEqual(before);
    expect(before.flat().some((receipt) => receipt?.code === "insufficientFunds")).toBe(true);
  });

  test("recovery: the epoch in the middle of which it stopped goes on", () => {
    const chain = grown(11, new TestChain({ epochBlocks: 8 }));
    chain.restart();
    expect(chain.service.reader.currentEpoch()).toMatchObject({ epoch: 1, height: 8 });
    for (let i = 0; i < 6; i++) chain.grow();
    expect(chain.service.tip()).toMatchObject({ height: 17, epoch: 2, view: 1 });
  });

  test("recovery: a state beyond the tip, the lost blocks are named", () => {
    const chain = grown(5);
    chain.database.run("DELETE FROM block WHERE height > 3");
    const open = () => chain.restart();
    expect(open).not.toThrow();
    const state = chain.state;
    for (let i = 0; i < 2; i++) chain.grow();
    chain.database.run("DELETE FROM block WHERE height > 3");
    const error = damaged(() => chain.restart(0, state));
    expect(error.message).toContain("block 3: is its last");
    expect(error.message).toContain("the state is after block 5");
  });

  test("recovery: another genesis than the chain's, refused by name", () => {
    const chain = grown(2);
    const other = new TestChain({ epochBlocks: 9 });
    const error = damaged(() => chain.restart(0, chain.state, other.genesis));
    expect(error.message).toContain(toHex(other.genesis.hash));
  });

  test("recovery: a batch that a block above the state names is gone, named", () => {
    const chain = grown(4);
    const digest = chain.service.queries.findByHeight(1)?.batches[0]?.digest ?? new Uint8Array(32);
    chain.batches.forget(digest);
    expect(damaged(() => chain.restart()).message).toContain(`block 1: batch ${toHex(digest)}`);
  });

  test("replay: from genesis on a fresh state, root by root to the tip", () => {
    const chain = grown(9);
    const fresh = new PlainState(chain.genesis);
    expect(walk(chain.service.replay(fresh))).toBe(9);
    expect(toHex(fresh.root)).toBe(toHex(chain.state.root));
  });
});

describe("damage of rows", () => {
  const damages: readonly [string, string, RegExp][] = [
    [
      "a flipped bit in a body",
      "UPDATE block SET body = CAST(substr(body, 1, 100) || x'ff' || substr(body, 102) AS BLOB) WHERE height = 5",
      /block 5: its row does not follow/,
    ],
    ["a flipped bit in a row's hash", "UPDATE block SET hash = zeroblob(32) WHERE height = 5", /block 5: its row does not follow/],
    ["a lost row", "DELETE FROM block WHERE height = 5", /block 5: its row is missing/],
    [
      "two rows exchanged",
      "UPDATE block SET height = -1 WHERE height = 5; UPDATE block SET height = 5 WHERE height = 6; UPDATE block SET height = 6 WHERE height = -1",
      /block 5: its row does not follow/,
    ],
  ];
  for (const [what, sql, message] of damages) {
    test(`damage: ${what}, named by the scrub, by the start and by a read`, () => {
      const chain = grown(8);
      for (const statement of sql.split(";")) chain.database.run(statement);
      expect(damaged(() => walk(chain.service.scrub())).message).toMatch(message);
      expect(damaged(() => chain.restart()).message).toMatch(message);
      expect(damaged(() => chain.service.queries.findByHeight(5)).height).toBe(5);
      expect(chain.service.queries.findByHeight(3)?.block.header.height).toBe(3);
    });
  }

  test("damage: the row of genesis, named at the start", () => {
    const chain = grown(2);
    chain.database.run("UPDATE block SET body = zeroblob(200) WHERE height = 0");
    expect(damaged(() => chain.restart()).message).toContain("block 0: the row of genesis is not what was written");
  });

  test("scrub: a whole chain with signatures and receipts, passes and says how far it is", () => {
    const chain = grown(20, new TestChain({ validators: 4, epochBlocks: 8 }));
    const steps = [...chain.service.scrub(1, undefined, { hasSignatures: true, hasContents: true })];
    expect(steps.at(-1)).toEqual({ height: 20, prunedBlocks: 0 });
    expect(walk(chain.service.scrub(5, 9))).toBe(5);
  });

  test("scrub: a row rewritten with its hashes but not its signatures, found when signatures are verified", () => {
    const chain = new TestChain({ validators: 4 });
    const good = chain.build();
    const forged = {
      ...good,
      finalization: { ...good.finalization, signatures: good.finalization.signatures.map(() => new Uint8Array(64)) },
    };
    chain.service.commit([forged]);
    expect(walk(chain.service.scrub())).toBe(1);
    const error = damaged(() => walk(chain.service.scrub(1, 1, { hasSignatures: true })));
    expect(error.message).toContain("block 1: its finalization fails: badSignature");
  });
});

describe("chain lane in rows", () => {
  test("lane: read from any place in pages of any size, the same records that were sealed", () => {
    const chain = grown(25, new TestChain({ validators: 4 }));
    const sealed = chain.laneRecords;
    expect(chain.service.laneReader.last()).toMatchObject({ epoch: 1, sequence: 29 });
    for (const limit of [1, 3, 100]) {
      for (let after = 0; after <= 29; after++) {
        const page = chain.service.laneReader.read({ epoch: 1, sequence: after }, limit);
        expect(page.records.map(({ sequence }) => sequence)).toEqual(sealed.slice(after, after + limit).map(({ sequence }) => sequence));
        const opened = openRecords("chain", page.previous, page.records);
        expect(opened).toEqual({ ok: true, value: sealed.slice(after, after + limit) as LaneRecord[] });
      }
    }
    expect(chain.service.laneReader.read({ epoch: 0, sequence: 7 }, 1).previous).toEqual(EMPTY_LANE);
    expect(chain.service.laneReader.read({ epoch: 2, sequence: 0 }, 5).records).toEqual([]);
  });

  test("lane: time is the header's, so that the same chain gives the same records", () => {
    const [a, b] = [grown(5), grown(5)];
    expect(a.laneRecords.map(({ hash }) => toHex(hash))).toEqual(b.laneRecords.map(({ hash }) => toHex(hash)));
    expect(a.laneRecords.at(-1)?.timeMs).toBe(a.service.tip().timeMs);
    expect(signerOf("alice").publicKey).toHaveLength(32);
  });
});
