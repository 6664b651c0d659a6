/** Blocks on disk: bytes and time of a commit, executing again, starting on a long chain, looking hashes up. */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockService, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, CHAIN_PAGE_BYTES, HashIndex } from "../../src/blocks/index.ts";
import { sha256, verifyEd25519 } from "../../src/crypto/index.ts";
import { type LaneRecord, sealBlockRecords, sealGenesisRecords } from "../../src/events/index.ts";
import { silentLog, u64be } from "../../src/kernel/index.ts";
import { genesisEntries } from "../../src/ledger/index.ts";
import { makeBatch, VOTE_KIND } from "../../src/protocol/index.ts";
import { type Overlay, State } from "../../src/state/index.ts";
import { countWrites, nodeFileSystem, openDatabase } from "../../src/storage/index.ts";
import { ACCOUNTS, PlainBatches, TestChain } from "../unit/blocks/chain-fixture.ts";
import { BenchReport, quantile } from "./harness.ts";

const LONG_CHAIN = 100_000;
const BATCH = 100;
const report = new BenchReport("chain");
const root = mkdtempSync(join(tmpdir(), "bizra-chain-bench-"));

/** A chain on disk whose blocks take what is offered. */
class DiskChain {
  readonly keys: TestChain;
  readonly batches: PlainBatches;
  readonly home: string;
  state: State;
  readonly #durability: "full" | "normal";
  #service: BlockService<Overlay, LaneRecord> | undefined;
  #close = (): void => {};
  #turn = 0;

  constructor(name: string, validators: number, durability: "full" | "normal" = "full") {
    this.keys = new TestChain({ validators });
    this.batches = new PlainBatches(this.keys.genesis);
    this.home = join(root, name);
    mkdirSync(this.home);
    this.#durability = durability;
    this.state = this.newState();
    this.open();
    this.service.recover(0);
  }

  get service(): BlockService<Overlay, LaneRecord> {
    if (!this.#service) throw new RangeError("the chain is open");
    return this.#service;
  }

  newState(): State {
    return State.ofGenesis(this.keys.genesis.hash, genesisEntries(this.keys.genesis));
  }

  open(): HashIndex {
    const { genesis, validatorSet } = this.keys;
    const database = openDatabase({
      path: join(this.home, "chain.db"),
      applicationId: CHAIN_APPLICATION_ID,
      migrations: CHAIN_MIGRATIONS,
      durability: this.#durability,
      create: true,
      pageBytes: CHAIN_PAGE_BYTES,
    });
    const onDamage = (error: Error): never => {
      throw error;
    };
    const index = new HashIndex({
      fs: nodeFileSystem,
      directory: join(this.home, "index"),
      chainId: genesis.hash,
      log: silentLog,
      onDamage,
    });
    const lane = { sealGenesis: sealGenesisRecords, sealBlock: sealBlockRecords, onCommitted() {} };
    const { state, batches } = this;
    this.#service = new BlockService({
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
    this.#close = () => {
      index.close();
      database.close();
    };
    return index;
  }

  close(): void {
    this.#close();
  }

  /** Offers so many transfers in batches; gives their bytes. */
  offer(count: number): number {
    const [author] = this.keys.signers;
    let bytes = 0;
    for (let left = count; left > 0 && author; left -= BATCH) {
      const transfers = Array.from({ length: Math.min(BATCH, left) }, () => {
        const from = this.#turn++ % ACCOUNTS.length;
        return this.keys.transfer(ACCOUNTS[from] ?? "alice", ACCOUNTS[(from + 1) % ACCOUNTS.length] ?? "bob", 1n);
      });
      for (const transfer of transfers) bytes += transfer.length;
      this.batches.add(makeBatch(author, this.keys.genesis.hash, this.#turn, transfers));
    }
    return bytes;
  }

  /** Builds the next block and commits it; gives the milliseconds of the commit alone. */
  grow(): number {
    const tip = this.service.tip();
    const { epoch } = this.service.reader.currentEpoch();
    const view = epoch === tip.epoch ? tip.view + 1 : 1;
    const parentCertificate = tip.height === 0 ? undefined : this.keys.certify(VOTE_KIND.finalize, tip.epoch, tip.view, tip.hash);
    const { block, hash } = this.service.build({
      epoch,
      view,
      leader: view % this.keys.signers.length,
      parentHash: tip.hash,
      ...(parentCertificate && { parentCertificate }),
      timeMs: tip.timeMs + 100,
      isEmpty: false,
      validatorSet: this.keys.validatorSet,
      evidence: [],
    });
    const finalized = { block, hash, finalization: this.keys.certify(VOTE_KIND.finalize, epoch, view, hash) };
    const start = performance.now();
    this.service.commit([finalized]);
    return performance.now() - start;
  }
}

/** Synced 4 KiB appends a second on this disk: what a commit can at best be. */
function syncRate(): number {
  const descriptor = openSync(join(root, "syncs"), "w");
  const block = new Uint8Array(4_096);
  const start = performance.now();
  let syncs = 0;
  for (; performance.now() - start < 1_000; syncs++) {
    writeSync(descriptor, block);
    fdatasyncSync(descriptor);
  }
  closeSync(descriptor);
  return (syncs * 1_000) / (performance.now() - start);
}

async function measureCommits(): Promise<void> {
  const syncs = { name: "synced 4 KiB appends", value: syncRate() };
  report.add({ name: "synced 4 KiB appends", value: syncs.value, unit: "ops/s" });
  for (const validators of [1, 7]) {
    for (const transactions of [0, 10, 100, 1_000]) {
      const chain = new DiskChain(`commits-${validators}-${transactions}`, validators);
      const blocks = transactions === 1_000 ? 100 : 300;
      const times: number[] = [];
      let transactionBytes = 0;
      const before = countWrites()?.calledBytes ?? 0;
      for (let i = 0; i < blocks; i++) {
        transactionBytes += chain.offer(transactions);
        times.push(chain.grow());
        if (i % 16 === 0) await Bun.sleep(0);
      }
      chain.close();
      const written = ((countWrites()?.calledBytes ?? 0) - before) / blocks;
      const name = `n=${validators}, ${transactions} transactions`;
      report.add({
        name: `bytes written per commit, ${name}`,
        value: written,
        unit: "bytes",
        note: "chain.db with its log and sums, index runs",
      });
      if (transactions > 0)
        report.add({ name: `  per transaction byte, ${name}`, value: (written * blocks) / transactionBytes, unit: "ratio" });
      const total = times.reduce((sum, time) => sum + time, 0);
      report.add({ name: `commits a second, ${name}`, value: (1_000 * blocks) / total, unit: "ops/s", baseline: syncs });
      report.add({ name: `commit p99, ${name}`, value: quantile(times, 0.99), unit: "ms" });
    }
  }
}

function measureReplay(name: string, chain: DiskChain): void {
  const { tipHeight } = chain.service.reader;
  const start = performance.now();
  for (const _height of chain.service.replay(chain.newState()));
  report.add({ name: `executed again, ${name}`, value: (1_000 * tipHeight) / (performance.now() - start), unit: "blocks/s" });
}

async function measureLongChain(): Promise<void> {
  const busy = new DiskChain("busy", 1, "normal");
  for (let i = 0; i < 200; i++) {
    busy.offer(100);
    busy.grow();
  }
  measureReplay("100 transactions a block", busy);
  busy.close();
  const chain = new DiskChain("long", 1, "normal");
  for (let i = 0; i < LONG_CHAIN; i++) {
    if (i % 10 === 0) chain.offer(1);
    chain.grow();
    if (i % 64 === 0) await Bun.sleep(0);
  }
  chain.close();
  report.add({
    name: "chain.db per block, every tenth with a transaction",
    value: statSync(join(chain.home, "chain.db")).size / LONG_CHAIN,
    unit: "bytes",
  });
  const start = performance.now();
  chain.open();
  chain.service.recover(LONG_CHAIN);
  const startMs = performance.now() - start;
  report.add({
    name: "start on 100,000 blocks, state at the tip",
    value: startMs,
    unit: "ms",
    goal: { of: "value", is: "at most", bound: 3_000 },
  });
  const scrubStart = performance.now();
  for (const _step of chain.service.scrub());
  report.add({ name: "rows proved by a scrub", value: (1_000 * LONG_CHAIN) / (performance.now() - scrubStart), unit: "rows/s" });
  measureReplay("small blocks", chain);
  chain.close();
}

async function measureIndex(): Promise<void> {
  const parts = { fs: nodeFileSystem, directory: join(root, "lookups"), chainId: new Uint8Array(32), log: silentLog };
  const index = new HashIndex({
    ...parts,
    onDamage(error) {
      throw error;
    },
  });
  const idOf = (n: number): Uint8Array => sha256(u64be(n));
  const count = 1_000_000;
  const times: number[] = [];
  const before = countWrites()?.calledBytes ?? 0;
  for (let height = 0; height < count / BATCH; height++) {
    const ids = Array.from({ length: BATCH }, (_, at) => idOf(height * BATCH + at));
    const start = performance.now();
    index.addBlock(height, idOf(10 ** 12 + height), ids, []);
    index.maintain();
    times.push(performance.now() - start);
    if (height % 4 === 0) await Bun.sleep(0);
  }
  await index.settle();
  report.add({
    name: "index: bytes written per transaction, of 1,000,000",
    value: ((countWrites()?.calledBytes ?? 0) - before) / count,
    unit: "bytes",
  });
  report.add({ name: "index: a block of 100, p99", value: quantile(times, 0.99), unit: "ms" });
  for (const [what, first] of [
    ["executed", 0],
    ["unknown", 10 ** 13],
  ] as const) {
    const start = performance.now();
    for (let i = 0; i < 20_000; i++) index.candidates(idOf(first + ((i * 7_919) % count)));
    report.add({
      name: `index: look-up of an ${what} id`,
      value: (performance.now() - start) / 20,
      unit: "us",
      note: `${index.runCount} runs`,
    });
  }
  index.close();
}

try {
  await measureCommits();
  await measureLongChain();
  await measureIndex();
} finally {
  rmSync(root, { recursive: true, force: true });
}
report.finish();
