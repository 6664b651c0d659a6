import { describe, expect, test } from "bun:test";
import {
  BlockService,
  buildChainAnchor,
  CHAIN_APPLICATION_ID,
  CHAIN_MIGRATIONS,
  type ChainBase,
  HashIndex,
} from "../../../src/blocks/index.ts";
import { nativeSuite, verifyEd25519 } from "../../../src/crypto/index.ts";
import { type LaneRecord, sealBaseRecords, sealBlockRecords, sealGenesisRecords } from "../../../src/events/index.ts";
import { present, silentLog, toHex } from "../../../src/kernel/index.ts";
import {
  decodeSnapshotManifest,
  encodeSnapshotManifest,
  type SnapshotManifest,
  verifyChainAnchor,
  verifyProofBundle,
} from "../../../src/protocol/index.ts";
import { type Database, MemoryFileSystem, openMemoryDatabase } from "../../../src/storage/index.ts";
import { type PlainOverlay, PlainState, TestChain } from "./chain-fixture.ts";

const TIP = 11;

/** A chain of eleven blocks in epochs of three, each with a transfer. */
function longChain(): { readonly chain: TestChain; readonly ids: readonly Uint8Array[] } {
  const chain = new TestChain({ validators: 4, epochBlocks: 3 });
  const ids: Uint8Array[] = [];
  for (let height = 1; height <= TIP; height++) {
    const { transactions } = chain.offer(chain.transfer("alice", "bob", BigInt(height)));
    ids.push(present(transactions[0], "a batch of one").id);
    chain.grow();
  }
  return { chain, ids };
}

function manifestAt(chain: TestChain, height: number): SnapshotManifest {
  const anchor = present(buildChainAnchor(chain.service.reader, chain.service.queries, height), "its own finalization");
  const decoded = decodeSnapshotManifest(encodeSnapshotManifest({ ...anchor, parts: [] }));
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

function stateAt(chain: TestChain, height: number): PlainState {
  const state = new PlainState(chain.genesis);
  const steps = chain.service.replay(state);
  while (state.height < height) steps.next();
  return state;
}

function open(chain: TestChain, height: number, database: Database, fs: MemoryFileSystem): BlockService<PlainOverlay, LaneRecord> {
  const base: ChainBase<LaneRecord> = {
    manifest: manifestAt(chain, height),
    genesisStateRoot: new PlainState(chain.genesis).root,
    seal: sealBaseRecords,
  };
  const index = new HashIndex({ fs, directory: "/index", chainId: chain.genesis.hash, log: silentLog, onDamage() {} });
  const { genesis, validatorSet, batches } = chain;
  const lane = { sealGenesis: sealGenesisRecords, sealBlock: sealBlockRecords, onCommitted() {} };
  const state = stateAt(chain, height);
  const parts = { database, genesis, validatorSet, batches, lane, index, state, verifySignature: verifyEd25519, log: silentLog, base };
  const service = new BlockService<PlainOverlay, LaneRecord>(parts);
  service.recover(service.reader.tipHeight);
  return service;
}

describe("blocks: a chain that begins at a snapshot", () => {
  test("base: at any height, within an epoch or at its end, goes on to the same tip, restarts, scrubs and proves from genesis", () => {
    const { chain, ids } = longChain();
    const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
    for (let base = 2; base < TIP; base++) {
      const database = openMemoryDatabase({ applicationId: CHAIN_APPLICATION_ID, migrations: CHAIN_MIGRATIONS });
      const fs = new MemoryFileSystem();
      const service = open(chain, base, database, fs);
      expect(toHex(service.tip().hash)).toBe(toHex(chain.service.reader.hashAt(base)));
      for (let height = base + 1; height <= TIP; height++) {
        const final = present(chain.service.findFinalized(height), "it is final");
        expect(service.check(final.block, service.reader.currentEpoch().validatorSet).kind).toBe("valid");
        service.commit([final]);
      }
      for (const reopened of [service, open(chain, base, database, fs)]) {
        expect(toHex(reopened.tip().hash)).toBe(toHex(chain.service.tip().hash));
        for (let epoch = 0; epoch <= 4; epoch++) expect(reopened.findEpoch(epoch)).toEqual(chain.service.findEpoch(epoch));
        expect([...reopened.scrub(1, TIP, { hasSignatures: true, hasContents: true })].at(-1)?.height).toBe(TIP);
        expect(reopened.queries.lowestHeight).toBe(base + 1);
        expect(reopened.queries.findByHeight(base)).toBeUndefined();
        expect(reopened.queries.list(1, 100).length).toBe(TIP - base);
        expect(reopened.queries.findReceipt(ids[base - 1] as Uint8Array)).toBeUndefined();
        const bundle = present(reopened.buildReceiptProof(ids[TIP - 1] as Uint8Array), "a receipt above the snapshot is proven");
        expect(verifyProofBundle(nativeSuite, trusted, bundle).ok).toBe(true);
        const lane = reopened.laneReader.read({ epoch: 1, sequence: 0 }, 1_000).records;
        expect(lane.map(({ sequence }) => sequence)).toEqual(lane.map((_, at) => at + 1));
        for (const { sequence } of lane) {
          expect(reopened.laneReader.read({ epoch: 1, sequence }, 1).records[0]?.sequence).toBe(lane[sequence]?.sequence);
        }
        const again = present(buildChainAnchor(reopened.reader, reopened.queries, TIP), "it offers snapshots itself");
        expect(verifyChainAnchor(nativeSuite, trusted, again).ok).toBe(true);
      }
    }
  });

  test("anchor: anything in it exchanged, refused", () => {
    const { chain } = longChain();
    const trusted = { chainId: chain.genesis.hash, epoch: 0, set: chain.validatorSet };
    const [within, ending] = [manifestAt(chain, 8), manifestAt(chain, 9)];
    const codeOf = (manifest: SnapshotManifest): string => {
      const verdict = verifyChainAnchor(nativeSuite, trusted, manifest);
      return verdict.ok ? "ok" : verdict.error.code;
    };
    expect([within, ending].map(codeOf)).toEqual(["ok", "ok"]);
    expect(codeOf({ ...within, hops: within.hops.slice(1) })).toBe("notFinal");
    expect(codeOf({ ...within, hops: within.hops.slice(0, 1) })).toBe("wrongEpoch");
    expect(codeOf({ ...within, finalization: ending.finalization })).toBe("notFinal");
    expect(codeOf({ ...within, block: { ...within.block, batchDigests: [] } })).toBe("wrongBody");
    const header = { ...within.block.header, stateRoot: new Uint8Array(32) };
    expect(codeOf({ ...within, block: { ...within.block, header } })).toBe("notFinal");
    const { nextSet: _gone, ...open } = ending;
    expect(codeOf(open)).toBe("wrongSet");
    expect(codeOf({ ...within, nextSet: chain.validatorSet })).toBe("wrongSet");
  });
});
