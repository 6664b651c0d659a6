import { expect, test } from "bun:test";
import { BlockService, buildChainAnchor, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, HashIndex } from "../../../src/blocks/index.ts";
import { nativeSuite, verifyEd25519 } from "../../../src/crypto/index.ts";
import { type LaneRecord, sealBaseRecords, sealBlockRecords, sealGenesisRecords } from "../../../src/events/index.ts";
import { openRecords } from "../../../src/events/record-chain.ts";
import { present, silentLog, toHex } from "../../../src/kernel/index.ts";
import { verifyProofBundle } from "../../../src/protocol/index.ts";
import { type Database, MemoryFileSystem, openMemoryDatabase } from "../../../src/storage/index.ts";
import { type PlainOverlay, PlainState, TestChain } from "./chain-fixture.ts";

const TIP = 14;
/** The block that a box had when it was taken away, and that of the snapshot at which it goes on. */
const [AWAY, BASE] = [5, 11];

function stateAt(chain: TestChain, height: number): PlainState {
  const state = new PlainState(chain.genesis);
  const steps = chain.service.replay(state);
  while (state.height < height) steps.next();
  return state;
}

/** Opens the box's chain, with a snapshot to go on at or without. */
function open(chain: TestChain, database: Database, fs: MemoryFileSystem, state: PlainState, hasBase: boolean) {
  const index = new HashIndex({ fs, directory: "/index", chainId: chain.genesis.hash, log: silentLog, onDamage() {} });
  const { genesis, validatorSet, batches, service: peer } = chain;
  const told: LaneRecord[] = [];
  const lane = {
    sealGenesis: sealGenesisRecords,
    sealBlock: sealBlockRecords,
    onCommitted: (records: readonly LaneRecord[]) => void told.push(...records),
  };
  const anchor = present(buildChainAnchor(peer.reader, peer.queries, BASE), "a peer offers it");
  const base = hasBase
    ? { base: { manifest: { ...anchor, parts: [] }, genesisStateRoot: new PlainState(genesis).root, seal: sealBaseRecords } }
    : {};
  const parts = { database, genesis, validatorSet, batches, lane, index, state, verifySignature: verifyEd25519, log: silentLog, ...base };
  const service = new BlockService<PlainOverlay, LaneRecord>(parts);
  service.recover(service.reader.tipHeight);
  return { service, told, index };
}

/** Commits the peer's blocks from above the tip up to a height. */
function follow(chain: TestChain, service: BlockService<PlainOverlay, LaneRecord>, to: number): void {
  for (let height = service.reader.tipHeight + 1; height <= to; height++) {
    const final = present(chain.service.findFinalized(height), "it is final");
    expect(service.check(final.block, service.reader.currentEpoch().validatorSet).kind).toBe("valid");
    service.commit([final]);
  }
}

test("rebase: a chain that goes on at a snapshot far above its tip, follows, restarts, scrubs, proves, and its lane links on", async () => {
  const chain = new TestChain({ validators: 4, epochBlocks: 3 });
  const ids: Uint8Array[] = [];
  for (let height = 1; height <= TIP; height++) {
    ids.push(present(chain.offer(chain.transfer("alice", "bob", BigInt(height))).transactions[0], "a batch of one").id);
    chain.grow();
  }
  const database = openMemoryDatabase({ applicationId: CHAIN_APPLICATION_ID, migrations: CHAIN_MIGRATIONS });
  const fs = new MemoryFileSystem();
  const before = open(chain, database, fs, new PlainState(chain.genesis), false);
  follow(chain, before.service, AWAY);
  const last = present(before.service.laneReader.last(), "it has records");

  const { service, told, index } = open(chain, database, fs, stateAt(chain, BASE), true);
  expect(service.reader.tipHeight).toBe(BASE);
  expect(told.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([[last.epoch + 1, 1]]);
  follow(chain, service, TIP);
  const restarted = open(chain, database, fs, stateAt(chain, BASE), true).service;
  const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
  for (const each of [service, restarted]) {
    expect(toHex(each.tip().hash)).toBe(toHex(chain.service.tip().hash));
    expect(each.queries.lowestHeight).toBe(BASE + 1);
    for (let epoch = 0; epoch <= 4; epoch++) expect(each.findEpoch(epoch)).toEqual(chain.service.findEpoch(epoch));
    expect([...each.scrub(1, TIP, { hasSignatures: true, hasContents: true })].at(-1)?.height).toBe(TIP);
    const bundle = present(each.buildReceiptProof(ids[TIP - 1] as Uint8Array), "a receipt above is proven");
    expect(verifyProofBundle(nativeSuite, trusted, bundle).ok).toBe(true);
    const page = each.laneReader.read({ epoch: 1, sequence: 4 }, 1_000);
    expect(page.previous).toEqual({ epoch: last.epoch, sequence: last.sequence, hash: last.hash });
    expect(openRecords("chain", page.previous, page.records).ok).toBe(true);
    expect(page.records.length).toBeGreaterThan(TIP - BASE);
  }

  index.writeSoon();
  await index.settle();
  expect(service.prune({ below: TIP - 1, blocksMax: 100, mayPrune: () => true })).toBe(TIP - 1 - BASE);
  const pruned = open(chain, database, fs, stateAt(chain, TIP), true).service;
  for (let epoch = 0; epoch <= 4; epoch++) expect(pruned.findEpoch(epoch)).toEqual(chain.service.findEpoch(epoch));
  const bundle = present(pruned.buildReceiptProof(ids[TIP - 1] as Uint8Array), "a receipt above is proven still");
  expect(verifyProofBundle(nativeSuite, trusted, bundle).ok).toBe(true);
});
