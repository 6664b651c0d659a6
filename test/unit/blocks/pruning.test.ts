import { describe, expect, test } from "bun:test";
import { buildChainAnchor } from "../../../src/blocks/index.ts";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { openRecords } from "../../../src/events/record-chain.ts";
import { present } from "../../../src/kernel/index.ts";
import { verifyChainAnchor, verifyProofBundle } from "../../../src/protocol/index.ts";
import { PlainState, TestChain } from "./chain-fixture.ts";

const TIP = 14;
const anything = (): boolean => true;

async function longChain(): Promise<{ readonly chain: TestChain; readonly ids: readonly Uint8Array[] }> {
  const chain = new TestChain({ validators: 4, epochBlocks: 3 });
  const ids: Uint8Array[] = [];
  for (let height = 1; height <= TIP; height++) {
    const { transactions } = chain.offer(chain.transfer("alice", "bob", BigInt(height)));
    ids.push(present(transactions[0], "a batch of one").id);
    chain.grow();
  }
  chain.index.writeSoon();
  await chain.index.settle();
  return { chain, ids };
}

/** The state after a block, as a checkpoint would give it back. */
function stateAt(chain: TestChain, height: number): PlainState {
  const state = new PlainState(chain.genesis);
  const steps = chain.service.replay(state);
  while (state.height < height) steps.next();
  return state;
}

describe("blocks: pruning", () => {
  test("prune: in steps of any size, what is left restarts, scrubs, proves from genesis and offers snapshots", async () => {
    for (const blocksMax of [1, 2, 5, 100]) {
      const { chain, ids } = await longChain();
      const whole = chain.service;
      const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
      const epochs = [0, 1, 2, 3, 4].map((epoch) => whole.findEpoch(epoch));
      const lane = whole.laneReader.read({ epoch: 1, sequence: 0 }, 1_000).records;
      const state = stateAt(chain, TIP - 1);
      let steps = 0;
      while (chain.service.prune({ below: TIP - 2, blocksMax, mayPrune: anything }) > 0) steps++;
      expect(steps).toBe(Math.ceil((TIP - 3) / blocksMax));
      for (const isRestarted of [false, true]) {
        if (isRestarted) expect(chain.restart(TIP, state).executedBlocks).toBe(1);
        const { service } = chain;
        expect(service.reader.baseHeight).toBe(TIP - 2);
        expect(service.queries.lowestHeight).toBe(TIP - 1);
        expect(service.findFinalized(TIP - 2)).toBeUndefined();
        expect(epochs.map((_, epoch) => service.findEpoch(epoch))).toEqual(epochs);
        expect([...service.scrub(1, TIP, { hasSignatures: true, hasContents: true })].at(-1)?.height).toBe(TIP);
        expect(service.queries.findReceipt(ids[0] as Uint8Array)).toBeUndefined();
        expect(service.queries.findExecuted(ids[0] as Uint8Array)).toEqual({ height: 1, index: 0 });
        const bundle = present(service.buildReceiptProof(ids[TIP - 1] as Uint8Array), "a receipt above is proven");
        expect(verifyProofBundle(nativeSuite, trusted, bundle).ok).toBe(true);
        const anchor = present(buildChainAnchor(service.reader, service.queries, TIP - 1), "it offers snapshots");
        expect(verifyChainAnchor(nativeSuite, trusted, anchor).ok).toBe(true);
        const genesisRecords = service.laneReader.read({ epoch: 1, sequence: 0 }, 1_000);
        expect(genesisRecords.records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
        const page = service.laneReader.read({ epoch: 1, sequence: 4 }, 1_000);
        expect(openRecords("chain", page.previous, page.records).ok).toBe(true);
        expect(page.records).toEqual(lane.slice(lane.length - page.records.length));
        for (const { sequence } of page.records.slice(0, -1))
          expect(service.laneReader.read({ epoch: 1, sequence }, 1).records[0]?.sequence).toBe(sequence + 1);
      }
      chain.offer(chain.transfer("alice", "bob", 5n));
      expect(chain.grow().block.header.height).toBe(TIP + 1);
    }
  });

  test("prune: held back, nothing goes; the place told is the last record that would", async () => {
    const { chain } = await longChain();
    const asked: { height: number; sequence: number }[] = [];
    const mayPrune = (height: number, { sequence }: { readonly sequence: number }): boolean => {
      asked.push({ height, sequence });
      return false;
    };
    expect(chain.service.prune({ below: 3, blocksMax: 10, mayPrune })).toBe(0);
    expect(asked).toEqual([{ height: 3, sequence: 6 }]);
    expect(chain.service.queries.lowestHeight).toBe(1);
    expect(chain.service.prune({ below: 1, blocksMax: 10, mayPrune: anything })).toBe(0);
  });

  test("prune: a row, the horizon or a hop flipped, named at the start or when it is read", async () => {
    const { chain } = await longChain();
    const state = stateAt(chain, TIP);
    chain.service.prune({ below: 8, blocksMax: 100, mayPrune: anything });
    const flip = (table: string, column: string, where: string): void => {
      chain.database.atomically(() =>
        chain.database.run(
          `UPDATE ${table} SET ${column} = CAST(substr(${column}, 1, length(${column}) - 1) || x'7e' AS BLOB) WHERE ${where}`,
        ),
      );
    };
    flip("hop", "body", "epoch = 1");
    expect(() => chain.restart(TIP, state) && chain.service.findEpoch(1)).toThrow("the step into epoch 1 is not what was written");
    flip("horizon", "body", "id = 0");
    expect(() => chain.restart(TIP, state)).toThrow("where the chain begins is not what was written");
  });

  test("prune: the lowest record of the batch log that a kept block names, found a page at a time", async () => {
    const { chain } = await longChain();
    chain.service.prune({ below: 9, blocksMax: 100, mayPrune: anything });
    const walk = chain.service.lowestRecord();
    let step = walk.next();
    while (!step.done) step = walk.next();
    const [first] = present(chain.service.queries.findByHeight(10), "it is kept").batches;
    expect(step.value).toBeLessThanOrEqual(present(first, "a block has a batch").location.record);
  });
});
