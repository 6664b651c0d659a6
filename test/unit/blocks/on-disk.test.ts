import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BlockService,
  CHAIN_APPLICATION_ID,
  CHAIN_MIGRATIONS,
  CHAIN_PAGE_BYTES,
  HASH_INDEX_TUNING,
  HashIndex,
} from "../../../src/blocks/index.ts";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { type LaneRecord, sealBlockRecords, sealGenesisRecords } from "../../../src/events/index.ts";
import { silentLog, toHex } from "../../../src/kernel/index.ts";
import { genesisEntries } from "../../../src/ledger/index.ts";
import { type Overlay, State } from "../../../src/state/index.ts";
import { type Database, nodeFileSystem, openDatabase } from "../../../src/storage/index.ts";
import { TestChain } from "./chain-fixture.ts";

const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

/** Opens blocks over the real state and a real chain.db; batches and keys are those of a chain in memory. */
function open(
  home: string,
  chain: TestChain,
): { database: Database; index: HashIndex; state: State; service: BlockService<Overlay, LaneRecord> } {
  const { genesis, validatorSet, batches } = chain;
  const database = openDatabase({
    path: join(home, "chain.db"),
    applicationId: CHAIN_APPLICATION_ID,
    migrations: CHAIN_MIGRATIONS,
    durability: "full",
    create: true,
    pageBytes: CHAIN_PAGE_BYTES,
  });
  const onDamage = (error: Error): never => {
    throw error;
  };
  const files = { fs: nodeFileSystem, directory: join(home, "index"), chainId: genesis.hash, log: silentLog, onDamage };
  const index = new HashIndex(files, { ...HASH_INDEX_TUNING, pendingBlocksMax: 8 });
  const state = State.ofGenesis(genesis.hash, genesisEntries(genesis));
  const lane = { sealGenesis: sealGenesisRecords, sealBlock: sealBlockRecords, onCommitted() {} };
  const service = new BlockService({
    database,
    genesis,
    validatorSet,
    state,
    batches,
    lane,
    index,
    verifySignature: verifyEd25519,
    log: silentLog,
  });
  return { database, index, state, service };
}

describe("blocks on disk", () => {
  test("on disk: left without closing and opened again, every committed block, receipt and record is there", async () => {
    const home = mkdtempSync(join(tmpdir(), "bizra-blocks-"));
    homes.push(home);
    const chain = new TestChain({ epochBlocks: 8, feePolicy: "validators" });
    let disk = open(home, chain);
    disk.service.recover(0);
    let roots = "";
    for (let life = 0; life < 3; life++) {
      for (let i = 0; i < 15; i++) {
        chain.offer(chain.transfer("alice", "bob", 1n), chain.transfer("bob", "carol", 10n ** 15n));
        chain.commitOn(disk.service);
        if (i === 8) await disk.index.settle();
      }
      roots = toHex(disk.state.root);
      disk.index.close();
      disk.database.abandon();
      disk = open(home, chain);
      disk.service.recover(15 * (life + 1));
      expect(toHex(disk.state.root)).toBe(roots);
      expect(disk.service.tip()).toMatchObject({ height: 15 * (life + 1) });
    }
    expect([...disk.service.scrub(1, undefined, { hasSignatures: true, hasContents: true })].at(-1)).toEqual({
      height: 45,
      prunedBlocks: 0,
    });
    for (const { executed, height } of chain.batches.outcomes) {
      for (const [index, { id }] of executed.entries()) {
        expect(disk.service.queries.findExecuted(id)).toEqual({ height, index });
        expect(disk.service.buildReceiptProof(id)).toBeDefined();
      }
    }
    expect(disk.service.laneReader.last()).toMatchObject({ sequence: 1 + 45 + 5 });
    expect(readdirSync(join(home, "index")).length).toBeGreaterThan(0);
    disk.index.close();
    disk.database.close();
  });
});
