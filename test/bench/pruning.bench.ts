/** Pruning a chain on disk: time and bytes of a step, the file before and after, commits into freed room, and giving it back. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockService, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, CHAIN_PAGE_BYTES, HashIndex } from "../../src/blocks/index.ts";
import { verifyEd25519 } from "../../src/crypto/index.ts";
import { sealBlockRecords, sealGenesisRecords } from "../../src/events/index.ts";
import { silentLog } from "../../src/kernel/index.ts";
import { genesisEntries } from "../../src/ledger/index.ts";
import { PRUNE_TUNING } from "../../src/node/prune-policy.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { State } from "../../src/state/index.ts";
import { countWrites, nodeFileSystem, openDatabase } from "../../src/storage/index.ts";
import { TestChain } from "../unit/blocks/chain-fixture.ts";
import { BenchReport, quantile } from "./harness.ts";

const BLOCKS = 12_000;
const KEPT = 3_000;
const report = new BenchReport("pruning");
const home = mkdtempSync(join(tmpdir(), "bizra-pruning-bench-"));
const path = join(home, "chain.db");
const keys = new TestChain({ validators: 4 });
const { genesis, validatorSet, batches } = keys;
const database = openDatabase({
  ...{ path, applicationId: CHAIN_APPLICATION_ID, migrations: CHAIN_MIGRATIONS, pageBytes: CHAIN_PAGE_BYTES },
  durability: "full",
  create: true,
});
const onDamage = (error: Error): never => {
  throw error;
};
const index = new HashIndex({
  ...{ fs: nodeFileSystem, directory: join(home, "index"), chainId: genesis.hash, log: silentLog, onDamage },
});
const lane = { sealGenesis: sealGenesisRecords, sealBlock: sealBlockRecords, onCommitted() {} };
const state = State.ofGenesis(genesis.hash, genesisEntries(genesis));
const parts = { database, genesis, validatorSet, state, batches, lane, index, verifySignature: verifyEd25519, log: silentLog };
const service = new BlockService(parts);
service.recover(0);

/** Commits an empty block of four validators; gives the milliseconds. */
function grow(): number {
  const tip = service.tip();
  const parentCertificate = tip.height === 0 ? undefined : keys.certify(VOTE_KIND.finalize, tip.epoch, tip.view, tip.hash);
  const view = tip.view + 1;
  const { block, hash } = service.build({
    ...{ epoch: 0, view, leader: view % 4, parentHash: tip.hash, timeMs: tip.timeMs + 100 },
    ...{ isEmpty: true, validatorSet, evidence: [], ...(parentCertificate && { parentCertificate }) },
  });
  const finalization = keys.certify(VOTE_KIND.finalize, 0, view, hash);
  const began = performance.now();
  service.commit([{ block, hash, finalization }]);
  return performance.now() - began;
}

/** Bytes handed to the disk by an action. */
function bytesOf(action: () => void): number {
  const before = countWrites()?.calledBytes ?? 0;
  action();
  return (countWrites()?.calledBytes ?? 0) - before;
}

async function measure(): Promise<void> {
  let appendBytes = 0;
  for (let at = 0; at < BLOCKS; at++) {
    if (at < BLOCKS - 1_000) grow();
    else appendBytes += bytesOf(() => void grow());
    if (at % 64 === 0) await Bun.sleep(0);
  }
  index.writeSoon();
  await index.settle();
  database.checkpoint();
  report.add({ name: `chain.db of ${BLOCKS} empty blocks, n=4`, value: statSync(path).size, unit: "bytes" });
  report.add({ name: "bytes written per commit, file grows", value: appendBytes / 1_000, unit: "bytes" });
  const times: number[] = [];
  const stepBytes: number[] = [];
  const request = { below: BLOCKS - KEPT, blocksMax: PRUNE_TUNING.stepBlocks, mayPrune: () => true };
  for (let count = 1; count > 0; ) {
    const began = performance.now();
    stepBytes.push(bytesOf(() => (count = service.prune(request))));
    times.push(performance.now() - began);
  }
  report.add({ name: `step of ${PRUNE_TUNING.stepBlocks} blocks, median`, value: quantile(times, 0.5), unit: "ms" });
  report.add({ name: `step of ${PRUNE_TUNING.stepBlocks} blocks, longest`, value: quantile(times, 1), unit: "ms" });
  const written = stepBytes.reduce((sum, bytes) => sum + bytes, 0);
  report.add({ name: "bytes written per block let go of", value: written / (BLOCKS - KEPT), unit: "bytes" });
  database.checkpoint();
  report.add({ name: "chain.db after it, free pages and all", value: statSync(path).size, unit: "bytes" });
  let reuseBytes = 0;
  for (let at = 0; at < 1_000; at++) reuseBytes += bytesOf(() => void grow());
  report.add({ name: "bytes written per commit, into freed pages", value: reuseBytes / 1_000, unit: "bytes" });
  const began = performance.now();
  const freed = service.compactIfWorth();
  report.add({ name: "giving the room back", value: performance.now() - began, unit: "ms", note: `${freed} bytes` });
  report.add({ name: "chain.db after that", value: statSync(path).size, unit: "bytes" });
}

await measure();
report.finish();
index.close();
database.close();
rmSync(home, { recursive: true, force: true });
