import type {
  BlockPort,
  BlockVerdict,
  BuildRequest,
  BuiltBlock,
  ChainTip,
  EpochOpening,
  FinalizedBlock,
  ServedBlock,
} from "../consensus/index.ts";
import { assert, bytesEqual, type Log, present, toHex } from "../kernel/index.ts";
import {
  type Block,
  blockHashOf,
  encodeValidatorSet,
  type Genesis,
  type ProofBundle,
  type StateProof,
  type ValidatorSet,
  type VerifySignature,
} from "../protocol/index.ts";
import { type Database, isStorageError } from "../storage/index.ts";
import { type AssemblyParts, assembleBlock } from "./assembly.ts";
import type { BatchSource, BlockOutcome } from "./batch-source.ts";
import { BlockContents } from "./block-contents.ts";
import { BlockExecutor } from "./block-executor.ts";
import { BlockQueries } from "./block-queries.ts";
import { BlockTable } from "./block-table.ts";
import { ChainLaneReader } from "./chain-lane-reader.ts";
import { ChainReader } from "./chain-reader.ts";
import { type ScrubProgress, scrubChain } from "./chain-scrub.ts";
import { type PreparedCommit, prepareCommit } from "./commit.ts";
import type { HashIndex } from "./hash-index/index.ts";
import type { LiveBlock } from "./live-blocks.ts";
import type { BlockObserver, ChainBase, ChainLane, SealedRecord, StateOverlay, StatePort } from "./ports.ts";
import { findLowestRecord, type PruneRequest, planPrune } from "./pruning.ts";
import { buildProofBundle, buildReceiptProof } from "./receipt-proof.ts";
import { type RecoveryReport, recoverChain, replayChain } from "./recovery.ts";
import { BlockStore } from "./store.ts";
import { ChainDamaged, type LanePlace, type LaneRecords } from "./types.ts";
import { verifyBlock } from "./verification.ts";

/**
 * Executed blocks held above the tip: more than consensus holds, so that a final block never waits for room. Beyond 8
 * unfinalized ones leaders propose empty ones, which weigh next to nothing.
 */
const LIVE_BLOCKS_MAX = 1_280;

/** What blocks are made of. */
export type BlockServiceParts<O extends StateOverlay, R extends SealedRecord> = {
  /** chain.db, opened with CHAIN_APPLICATION_ID and CHAIN_MIGRATIONS. */
  readonly database: Database;
  readonly genesis: Genesis;
  /** Set of epoch 0. */
  readonly validatorSet: ValidatorSet;
  readonly state: StatePort<O>;
  readonly batches: BatchSource;
  readonly lane: ChainLane<R>;
  readonly index: HashIndex;
  readonly verifySignature: VerifySignature;
  readonly log: Log;
  readonly observer?: BlockObserver;
  /** Where an empty chain begins, unless at genesis; or where one goes on that nobody can bring forward block by block. */
  readonly base?: ChainBase<R> | undefined;
};

/** What blocks have done since the start and hold now, for monitoring to read. */
export type BlockStats = {
  readonly committedBlocks: number;
  /** Transactions with a receipt, those of them that paid and changed nothing else, and those that left no trace. */
  readonly executed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Executed blocks above the tip. */
  readonly liveBlocks: number;
};

/** A block that was just committed, for those who follow the chain. */
export type CommittedListener = (outcome: BlockOutcome) => void;

/**
 * Blocks as consensus drives them, and everything that follows from a commit. One durable step a call: the rows of the
 * final blocks with their certificates, batch locations, results, lane records and (in the header) the consensus floor;
 * then the state is folded, the index grows, and the mempool, the lane and the listeners are told, in height order.
 */
export class BlockService<O extends StateOverlay, R extends SealedRecord> implements BlockPort {
  readonly queries: BlockQueries;
  readonly reader: ChainReader;
  /** The chain lane as it lies in the rows. */
  readonly laneReader: ChainLaneReader;
  readonly #parts: BlockServiceParts<O, R>;
  readonly #store: BlockStore;
  readonly #contents: BlockContents;
  readonly #executor: BlockExecutor<O>;
  readonly #listeners = new Set<CommittedListener>();
  readonly #counters = { committedBlocks: 0, executed: 0, failed: 0, skipped: 0 };
  #table: BlockTable<O> | undefined;
  #lanePlace: LanePlace | undefined;

  /**
   * Opens the chain, making the row of genesis when it is empty.
   *
   * @throws ChainDamaged when the chain is of another genesis or the row of genesis is not what was written
   */
  constructor(parts: BlockServiceParts<O, R>) {
    this.#parts = parts;
    this.#store = new BlockStore(parts.database);
    this.#contents = new BlockContents(parts.batches);
    this.reader = new ChainReader(this.#store);
    this.#executor = this.#executorOn(parts.state);
    this.queries = new BlockQueries(this.reader, parts.index, this.#contents);
    this.laneReader = new ChainLaneReader(this.#store);
    if (this.#store.tipHeight === undefined) this.#putGenesis();
    else this.#requireSameGenesis();
    if (this.#isBehindBase()) this.#rebase();
  }

  /**
   * Brings state, index and mempool up to the tip. Before it nothing is built, checked or committed.
   *
   * @param batchesHeight height that the mempool reflects already
   * @throws ChainDamaged naming the first block that is not what was written, or that executes otherwise
   */
  recover(batchesHeight: number): RecoveryReport {
    assert(this.#table === undefined, "recovery runs once");
    const { genesis, state, index, batches } = this.#parts;
    const parts = { store: this.#store, reader: this.reader, state, executor: this.#executor, contents: this.#contents };
    const report = recoverChain({ ...parts, index, batches, batchesHeight });
    const tip = this.reader.find(report.tipHeight);
    const round = tip?.block.header ?? { height: 0, timeMs: genesis.timeMs, epoch: 0, view: 0 };
    const { height, timeMs, epoch, view } = round;
    const tipBlock = { height, hash: tip?.hash ?? genesis.hash, timeMs, epoch, view };
    this.#table = new BlockTable(this.reader, tipBlock, state, LIVE_BLOCKS_MAX);
    this.#lanePlace = present(this.laneReader.last(), "genesis has records in the chain lane");
    return report;
  }

  tip(): ChainTip {
    const block = this.reader.find(this.reader.tipHeight);
    if (!block) return { height: 0, hash: this.#parts.genesis.hash, epoch: 0, view: 0, timeMs: this.#parts.genesis.timeMs };
    const { height, epoch, view, timeMs } = block.block.header;
    return { height, hash: block.hash, epoch, view, timeMs, finalization: this.reader.finalizationOf(block) };
  }

  findEpoch(epoch: number): EpochOpening | undefined {
    return this.reader.findEpoch(epoch);
  }

  findFinalized(height: number): ServedBlock | undefined {
    const found = this.queries.findByHeight(height);
    if (!found) return undefined;
    const { block, hash, batches } = found;
    const transactionCount = batches.reduce((sum, batch) => sum + batch.transactionCount, 0);
    return { block, hash, finalization: this.reader.finalizationOf(found), transactionCount };
  }

  canConvict(evidence: Uint8Array): boolean {
    const table = this.#openTable();
    const place = present(table.findParent(table.tip.hash), "the tip is a parent");
    return this.#executor.canConvict(evidence, place, table.tip.timeMs);
  }

  /** Whether evidence convicts somebody anew on the last committed block, what it proves included; nobody before recovery ran. */
  isConvicting(evidence: Uint8Array): boolean {
    const table = this.#table;
    if (!table) return false;
    const place = present(table.findParent(table.tip.hash), "the tip is a parent");
    return this.#executor.isConvicting(evidence, place, table.tip.timeMs);
  }

  hasWork(): boolean {
    return this.#parts.batches.hasIncludable();
  }

  build(request: BuildRequest): BuiltBlock {
    const built = assembleBlock(this.#assembly(), request);
    this.#parts.observer?.onBuilt(built.block, built.hash);
    return built;
  }

  check(block: Block, validatorSet: ValidatorSet): BlockVerdict {
    const verdict = this.#judge(block, validatorSet);
    if (verdict.kind === "valid") this.#parts.observer?.onJudged(block, "valid");
    else if (verdict.kind === "invalid") this.#parts.observer?.onJudged(block, verdict.code);
    return verdict;
  }

  find(hash: Uint8Array): Block | undefined {
    return this.#table?.live.find(hash)?.block ?? this.queries.findByHash(hash)?.block;
  }

  /**
   * @throws StorageError when the commit cannot be made durable: the process must stop
   * @throws ChainDamaged when a final block does not execute here as its header says: this box diverged
   */
  commit(blocks: readonly FinalizedBlock[]): void {
    if (blocks.length === 0) return;
    const table = this.#openTable();
    const place = present(this.#lanePlace, "recovery ran before the first commit");
    const chain = blocks.map((finalized) => ({ live: this.#liveOf(finalized), finalized }));
    for (const [at, { live }] of chain.entries()) {
      const parent = at === 0 ? table.tip.hash : (chain[at - 1]?.live.hash ?? table.tip.hash);
      assert(bytesEqual(live.block.header.parentHash, parent), "final blocks follow one another from the tip on");
    }
    const prepared = prepareCommit(this.#parts.lane, place, chain, this.#parts.batches.replayMark());
    this.#store.append(prepared.map(({ row }) => row));
    for (const commit of prepared) this.#settle(table, commit);
    this.#parts.index.maintain();
    this.#checkpoint();
  }

  discard(hash: Uint8Array): void {
    this.#openTable().live.drop(hash);
  }

  /** The proof of a receipt for somebody who trusts the set of an epoch (0: genesis); undefined when there is none. */
  buildReceiptProof(transactionId: Uint8Array, trustedEpoch = 0): ProofBundle | undefined {
    return buildReceiptProof(this.reader, this.queries, transactionId, trustedEpoch);
  }

  /** The proof of a block's state entry, likewise; the caller has the entry's own proof against that block's stateRoot. */
  buildStateProof(height: number, proof: StateProof, trustedEpoch = 0): ProofBundle | undefined {
    return buildProofBundle(this.reader, this.queries, height, { kind: "state", proof }, trustedEpoch);
  }

  /**
   * Executes the chain on another state, which is at genesis or at an earlier block, up to the tip, one block a step.
   *
   * @throws ChainDamaged at the first block that does not give its roots, or whose batches were pruned
   */
  replay(state: StatePort<O>): Generator<number, void, undefined> {
    const executor = this.#executorOn(state);
    return replayChain({ store: this.#store, reader: this.reader, state, executor, contents: this.#contents });
  }

  /**
   * Proves the rows of a span of heights, one a step; ends at the tip.
   *
   * @param depth whether signatures are verified and batches read back too
   */
  scrub(
    from = 1,
    to?: number,
    depth: { readonly hasSignatures?: boolean; readonly hasContents?: boolean } = {},
  ): Generator<ScrubProgress, void, undefined> {
    return scrubChain(this.#store, this.reader, from, to, {
      ...(depth.hasSignatures === true && { verifySignature: this.#parts.verifySignature }),
      ...(depth.hasContents === true && { contents: new BlockContents(this.#parts.batches) }), // its own: nothing that is kept in memory passes for the disk
    });
  }

  /**
   * Lets go of some of the lowest rows in one durable step; a process that is killed finds them all or none of them. Rows
   * whose hashes are only in memory stay: the index still tells what was executed in the others.
   *
   * @returns how many went
   * @throws StorageError as a commit does
   */
  prune(request: PruneRequest): number {
    const below = Math.min(request.below, this.#parts.index.coveredHeight);
    const plan = planPrune(this.reader, this.queries, { ...request, below });
    if (!plan) return 0;
    const before = Math.max(1, this.reader.baseHeight);
    this.#store.prune(plan.height, plan.hops);
    this.#checkpoint();
    return plan.height - before;
  }

  /** Lets go of what the hash index holds of blocks below a height: from then on nothing tells that it was executed. */
  forgetHashesBelow(height: number): void {
    this.#parts.index.dropBelow(height);
  }

  /** Looks for the lowest record of the batch log that a block here names, a page of rows a step. */
  lowestRecord(): Generator<void, number, undefined> {
    return findLowestRecord(this.#store.rowsFrom(this.queries.lowestHeight));
  }

  /** Gives room in chain.db that pruning freed back, when that is much; before anything votes. Says how many bytes. */
  compactIfWorth(): number {
    return this.#store.compactIfWorth();
  }

  /** Tells a listener of every block committed from now on, once it is durable. What it throws is logged and harms nothing. */
  subscribe(listener: CommittedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What blocks have done and hold. */
  stats(): BlockStats {
    return { ...this.#counters, liveBlocks: this.#table?.live.size ?? 0 };
  }

  /** A block that competes with what is final may also be the final one itself, seen again. */
  #judge(block: Block, validatorSet: ValidatorSet): BlockVerdict {
    const verdict = verifyBlock(this.#assembly(), block, validatorSet);
    if (verdict.kind !== "invalid" || verdict.code !== "notOnTip") return verdict;
    const hash = blockHashOf(block.header);
    const committed = this.reader.find(block.header.height);
    return committed && bytesEqual(committed.hash, hash) ? { kind: "valid", hash } : verdict;
  }

  #settle(table: BlockTable<O>, { live, row, records }: PreparedCommit<O, R>): void {
    const { batches, index, lane } = this.#parts;
    const { header, batchDigests } = live.block;
    const { executed, receipts } = live.execution;
    table.advance(live);
    this.reader.keep(row);
    const last = present(records.at(-1), "a block has records in the chain lane");
    this.#lanePlace = { epoch: last.epoch, sequence: last.sequence, hash: last.hash };
    this.#contents.keep(header.height, { executed, receipts });
    index.addBlock(
      header.height,
      live.hash,
      executed.map(({ id }) => id),
      batchDigests,
    );
    const skipped = live.execution.skipped.map(({ transaction }) => transaction);
    assert(skipped.length === row.execution.skipped.length, "a row says of every transaction whether it was skipped");
    this.#counters.committedBlocks++;
    this.#counters.executed += executed.length;
    this.#counters.failed += row.execution.codes.length;
    this.#counters.skipped += skipped.length;
    const outcome: BlockOutcome = { height: header.height, hash: live.hash, timeMs: header.timeMs, batchDigests, executed, skipped };
    batches.onCommitted(outcome);
    lane.onCommitted(records);
    for (const listener of this.#listeners) this.#tell(listener, outcome);
  }

  /** Without room for the pages the log goes on growing, and admission is told of the full disk elsewhere. */
  #checkpoint(): void {
    try {
      this.#store.checkpointWhenDue();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error;
      this.#parts.log.warn("blocks.checkpointPutOff", { file: this.#store.file, error: error.message });
    }
  }

  /** A listener only follows the chain: nothing that it does may stop the next block. */
  #tell(listener: CommittedListener, outcome: BlockOutcome): void {
    try {
      listener(outcome);
    } catch (error) {
      this.#parts.log.error("blocks.listenerFailed", { height: outcome.height, error: String(error) });
    }
  }

  /** The block executed on its overlay; one that is not held (after a restart) is executed again. */
  #liveOf({ block, hash }: FinalizedBlock): LiveBlock<O> {
    const table = this.#openTable();
    const held = table.live.find(hash);
    if (held) return held;
    const set = present(table.findParent(block.header.parentHash), "the parent of a final block is final or executed here").epoch
      .validatorSet;
    const verdict = this.#judge(block, set);
    if (verdict.kind !== "valid") {
      const reason = verdict.kind === "invalid" ? verdict.code : verdict.kind;
      throw new ChainDamaged(this.#store.file, block.header.height, `final block ${toHex(hash)} cannot be executed here: ${reason}`);
    }
    return present(table.live.find(hash), "a valid block is held");
  }

  #assembly(): AssemblyParts<O> {
    const { genesis, batches } = this.#parts;
    return { chainId: genesis.hash, table: this.#openTable(), executor: this.#executor, batches };
  }

  #executorOn(state: StatePort<O>): BlockExecutor<O> {
    const { genesis, verifySignature } = this.#parts;
    return new BlockExecutor(state, this.reader, genesis.hash, genesis.parameters, verifySignature);
  }

  #openTable(): BlockTable<O> {
    return present(this.#table, "recovery ran before the first block");
  }

  #putGenesis(): void {
    const { genesis, validatorSet, state, lane, base } = this.#parts;
    assert(state.height === (base?.manifest.block.header.height ?? 0), "a chain begins with the state of genesis, or of its snapshot");
    const records = lane.sealGenesis(genesis.timeMs, validatorSet);
    const row = {
      chainId: genesis.hash,
      timeMs: genesis.timeMs,
      stateRoot: base?.genesisStateRoot ?? state.root,
      validatorSet: encodeValidatorSet(validatorSet),
      lane: laneOf(records),
    };
    if (!base) {
      this.#store.putGenesis(row);
      lane.onCommitted(records);
      return;
    }
    const begun = this.#sealBase(base, present(records.at(-1), "genesis has records in the chain lane"));
    this.#store.putBase(row, base.manifest, laneOf(begun));
    lane.onCommitted([...records, ...begun]);
  }

  /** Records that say where the chain goes on: in the middle of an epoch, whose beginning the snapshot's last hop tells. */
  #sealBase({ manifest: { block, hops }, seal }: ChainBase<R>, after: LanePlace): readonly R[] {
    const opening = hops.at(-1);
    const openedAt = opening?.headers.at(-1)?.height ?? 0;
    const { epoch, timeMs } = block.header;
    return seal(after, timeMs, epoch, openedAt, opening?.nextSet ?? this.#parts.validatorSet);
  }

  #isBehindBase(): boolean {
    const height = this.#parts.base?.manifest.block.header.height ?? 0;
    return height > (this.#store.tipHeight ?? 0);
  }

  /**
   * Goes on at the snapshot. The lane begins a new incarnation that links to the old one's last record: what happened
   * between is told by nodes that have it, and a tree over the old records may lack some that go now.
   */
  #rebase(): void {
    const base = present(this.#parts.base, "a chain that is behind its base has one");
    const last = present(this.laneReader.last(), "a chain has records in the chain lane");
    const before = { epoch: last.epoch, sequence: last.sequence, hash: last.hash };
    const records = this.#sealBase(base, { epoch: last.epoch + 1, sequence: 0, hash: last.hash });
    this.#store.rebase(base.manifest, laneOf(records), before);
    this.#parts.lane.onCommitted(records);
  }

  #requireSameGenesis(): void {
    const { chainId } = this.#store.genesis();
    if (bytesEqual(chainId, this.#parts.genesis.hash)) return;
    const detail = `the chain stands on genesis ${toHex(chainId)}, the home's genesis.json differs: it has ${toHex(this.#parts.genesis.hash)}`;
    throw new ChainDamaged(this.#store.file, 0, detail);
  }
}

function laneOf(records: readonly SealedRecord[]): LaneRecords {
  const first = present(records[0], "a row has records in the chain lane");
  return { epoch: first.epoch, firstSequence: first.sequence, records: records.map(({ body, hash }) => ({ body, hash })) };
}
