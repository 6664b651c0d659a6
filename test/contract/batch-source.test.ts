/** The batch source port: one suite, run by the mempool and by the fixture that tests of blocks stand it in with. */
import { describe, expect, test } from "bun:test";
import type { BatchSource, HeldBatch } from "../../src/blocks/index.ts";
import { present, toHex } from "../../src/kernel/index.ts";
import { makeBatch } from "../../src/protocol/index.ts";
import { PlainBatches, signerOf } from "../unit/blocks/chain-fixture.ts";
import { CHAIN_ID, keyOf, transactionOf, World } from "../unit/mempool/mempool-world.ts";

/** An implementation under test, with a way to make batches durable and to commit them. */
type Subject = {
  readonly source: BatchSource;
  /** Makes a durable batch of this many transactions. */
  readonly add: (count: number) => Promise<void>;
  readonly commit: (batches: readonly HeldBatch[]) => void;
};

const ROOM = { bytes: 1 << 20, transactions: 4_096 };
const nobody = (): boolean => false;

function mempool(): Subject {
  const world = new World();
  world.fund(1);
  let nonce = 0n;
  const add = async (count: number): Promise<void> => {
    const outcomes = await world.submit(Array.from({ length: count }, () => transactionOf(keyOf(1), nonce++)));
    expect(outcomes.every(({ status }) => status === "accepted")).toBe(true);
  };
  return { source: world.mempool, add, commit: (batches) => void world.chain.commit(world.mempool, batches) };
}

function plain(): Subject {
  const source = new PlainBatches({ hash: CHAIN_ID } as ConstructorParameters<typeof PlainBatches>[0]);
  let height = 0;
  let nonce = 0n;
  const add = async (count: number): Promise<void> => {
    const transactions = Array.from({ length: count }, () => transactionOf(keyOf(1), nonce++));
    source.add(makeBatch(signerOf("author"), CHAIN_ID, Number(nonce), transactions));
  };
  const commit = (batches: readonly HeldBatch[]): void => {
    height++;
    const executed = batches.flatMap(({ transactions }) => transactions);
    source.onCommitted({
      ...{ height, hash: CHAIN_ID, timeMs: height, executed, skipped: [] },
      batchDigests: batches.map(({ digest }) => digest),
    });
  };
  return { source, add, commit };
}

describe.each([
  ["mempool", mempool],
  ["fixture", plain],
])("batch source: %s", (_, make) => {
  test("batch source: empty, no work and nothing to select", () => {
    const { source } = make();
    expect([source.hasIncludable(), source.select(ROOM, nobody), source.find(keyOf(1))]).toEqual([false, [], undefined]);
  });

  test("batch source: durable batches, selected oldest first with what a block needs of them", async () => {
    const { source, add } = make();
    for (const count of [2, 1, 3]) await add(count);
    const selected = source.select(ROOM, nobody);
    expect(selected.map(({ transactions }) => transactions.map(({ nonce }) => nonce))).toEqual([[0n, 1n], [2n], [3n, 4n, 5n]]);
    for (const held of selected) {
      expect(held.header.count).toBe(held.transactions.length);
      expect(held.location.length).toBeGreaterThan(held.sizeBytes - 1);
      expect(source.find(held.digest)).toEqual(held);
    }
    expect(source.hasIncludable()).toBe(true);
    expect(source.select(ROOM, nobody)).toEqual(selected);
  });

  test("batch source: little room or ancestors that hold some, the rest in order", async () => {
    const { source, add } = make();
    for (const count of [2, 1, 3]) await add(count);
    const all = source.select(ROOM, nobody);
    const first = present(all[0], "three batches are held");
    expect(source.select({ ...ROOM, transactions: 3 }, nobody)).toEqual(all.slice(0, 2));
    expect(source.select({ ...ROOM, bytes: first.sizeBytes }, nobody)).toEqual(all.slice(0, 1));
    expect(source.select(ROOM, (digestHex) => digestHex === toHex(first.digest))).toEqual(all.slice(1));
  });

  test("batch source: committed, not offered again and read back from where it stands", async () => {
    const { source, add, commit } = make();
    for (const count of [2, 1]) await add(count);
    const [first, second] = source.select(ROOM, nobody);
    const before = source.replayMark();
    commit([present(first, "two batches are held")]);
    expect(source.select(ROOM, nobody)).toEqual([present(second, "two batches are held")]);
    expect(first && source.read(first.digest, first.location)).toEqual(first);
    expect(source.replayMark()).toBeGreaterThan(before);
    commit(second ? [second] : []);
    expect([source.hasIncludable(), source.replayMark()]).toEqual([false, 2]);
  });
});
