import { bytesEqual, toHex } from "../kernel/index.ts";
import type { BatchSource, BlockOutcome, HeldBatch } from "./batch-source.ts";
import type { BlockContents } from "./block-contents.ts";
import type { BlockExecutor } from "./block-executor.ts";
import type { ChainReader } from "./chain-reader.ts";
import { executedOf, recordExecution } from "./execution-record.ts";
import type { HashIndex } from "./hash-index/index.ts";
import type { StateOverlay, StatePort } from "./ports.ts";
import type { BlockStore } from "./store.ts";
import { ChainDamaged, type CommittedBlock } from "./types.ts";

/** Rows proved at every start, counted back from the tip; a scrub proves all. */
const VERIFIED_TAIL_ROWS = 128;

/** What executing committed blocks again takes. */
export type ReplayParts<O extends StateOverlay> = {
  readonly store: BlockStore;
  readonly reader: ChainReader;
  readonly state: StatePort<O>;
  readonly executor: BlockExecutor<O>;
  readonly contents: BlockContents;
};

/**
 * Executes one committed block again on the finalized state and folds it, having checked that it gives what its header
 * and row say.
 *
 * @throws ChainDamaged when it does not, or when its batches are gone
 */
function replayBlock<O extends StateOverlay>(parts: ReplayParts<O>, block: CommittedBlock): void {
  const { header } = block.block;
  const epoch = parts.reader.findEpoch(header.epoch);
  if (!epoch) throw parts.store.damaged(header.height, `how epoch ${header.epoch} began is not in the chain`);
  const { height } = header;
  const parent = parts.reader.find(height - 1)?.block.header;
  const placement = { epoch, parentRound: parent ?? { epoch: 0, view: 0 } };
  const executed = parts.executor.execute(undefined, block.block, placement, heldBatches(parts, block));
  requireRoot(parts, height, "receipt", executed.receiptRoot, header.receiptRoot);
  requireRoot(parts, height, "state", executed.stateRoot, header.stateRoot);
  const next = executed.execution.nextValidatorSet?.hash;
  if ((next ? toHex(next) : "") !== (header.nextValidatorSetHash ? toHex(header.nextValidatorSetHash) : "")) {
    throw parts.store.damaged(height, "executing it again ends its epoch otherwise than its header says");
  }
  const { skipped } = recordExecution(executed.transactions, executed.execution);
  if (skipped.join() !== block.execution.skipped.join()) throw parts.store.damaged(height, "executing it again skips other transactions");
  parts.state.fold(executed.overlay, height);
}

/**
 * Executes the blocks above the finalized state up to the tip, one a step, so that the caller can show progress. With a
 * state at genesis that is the whole chain: two roots a block are compared, so it proves the chain and the state alike.
 *
 * @throws ChainDamaged at the first block that does not give its roots
 */
export function* replayChain<O extends StateOverlay>(parts: ReplayParts<O>): Generator<number, void, undefined> {
  requireStateBelowTip(parts);
  for (const block of parts.store.rowsFrom(parts.state.height + 1)) {
    replayBlock(parts, block);
    yield block.block.header.height;
  }
}

/** Who has to be told of committed blocks at a start, and from where. */
export type RecoveryParts<O extends StateOverlay> = ReplayParts<O> & {
  readonly index: HashIndex;
  readonly batches: Pick<BatchSource, "onCommitted">;
  /** Height that the mempool reflects; blocks above it are told to it again. */
  readonly batchesHeight: number;
};

/** What a start did. */
export type RecoveryReport = {
  readonly tipHeight: number;
  readonly executedBlocks: number;
  readonly indexedBlocks: number;
  readonly toldBlocks: number;
};

/**
 * Brings everything that follows from the chain up to its tip: proves the newest rows, executes the blocks above the
 * state's checkpoint, indexes those that no run covers, and tells the mempool of those that it does not reflect.
 *
 * @throws ChainDamaged naming the first block that is not what was written, or that executes otherwise
 */
export function recoverChain<O extends StateOverlay>(parts: RecoveryParts<O>): RecoveryReport {
  const { store, index, state, contents } = parts;
  const tipHeight = parts.reader.tipHeight;
  requireStateBelowTip(parts);
  const { baseHeight } = store;
  for (const _row of store.rowsFrom(Math.max(1, baseHeight, tipHeight - VERIFIED_TAIL_ROWS + 1)));
  if (index.indexedHeight < 0) index.addBlock(0, store.genesis().chainId, [], []);
  if (index.indexedHeight < baseHeight) {
    index.skipBelow(baseHeight);
    index.addBlock(baseHeight, store.read(baseHeight).hash, [], []);
  }
  const from = Math.min(state.height, index.indexedHeight, parts.batchesHeight) + 1;
  const report = { tipHeight, executedBlocks: 0, indexedBlocks: 0, toldBlocks: 0 };
  for (const block of store.rowsFrom(Math.max(1, from))) {
    const { height } = block.block.header;
    if (height > state.height) {
      replayBlock(parts, block);
      report.executedBlocks++;
    }
    if (height > index.indexedHeight) {
      const ids = executedTransactions(parts, block).map(({ id }) => id);
      index.addBlock(height, block.hash, ids, block.block.batchDigests);
      index.maintainNow();
      report.indexedBlocks++;
    }
    if (height > parts.batchesHeight) {
      parts.batches.onCommitted(outcomeOf(contents, store, block));
      report.toldBlocks++;
    }
  }
  return report;
}

/** What a committed block did with each of its transactions. */
function outcomeOf(contents: BlockContents, store: BlockStore, block: CommittedBlock): BlockOutcome {
  const { header, batchDigests } = block.block;
  const transactions = contents.transactionsOf(block);
  if (!transactions) throw store.damaged(header.height, "a batch that it names is not in the batch log");
  const executed = executedOf(transactions, block.execution.skipped);
  const isSkipped = new Set(block.execution.skipped);
  const skipped = transactions.filter((_, position) => isSkipped.has(position));
  return { height: header.height, hash: block.hash, timeMs: header.timeMs, batchDigests, executed, skipped };
}

function executedTransactions<O extends StateOverlay>(parts: ReplayParts<O>, block: CommittedBlock) {
  return outcomeOf(parts.contents, parts.store, block).executed;
}

function heldBatches<O extends StateOverlay>(parts: ReplayParts<O>, block: CommittedBlock): HeldBatch[] {
  return block.batches.map((batch) => {
    const held = parts.contents.readBatch(block, batch);
    if (!held) throw parts.store.damaged(block.block.header.height, `batch ${toHex(batch.digest)} that it names is not in the batch log`);
    return held;
  });
}

function requireRoot<O extends StateOverlay>(
  parts: ReplayParts<O>,
  height: number,
  name: string,
  found: Uint8Array,
  expected: Uint8Array,
): void {
  if (bytesEqual(found, expected)) return;
  const detail = `executing it again gives ${name} root ${toHex(found)}, its header has ${toHex(expected)}`;
  throw parts.store.damaged(height, detail);
}

/** A state beyond the chain means that the chain lost blocks; one with another root, that one of the two is not ours. */
function requireStateBelowTip<O extends StateOverlay>({ store, reader, state }: ReplayParts<O>): void {
  const { height } = state;
  if (height > reader.tipHeight) {
    throw new ChainDamaged(
      store.file,
      reader.tipHeight,
      `is its last, but the state is after block ${height}: the blocks between are lost`,
    );
  }
  if (height < store.baseHeight)
    throw new ChainDamaged(store.file, store.baseHeight, `the chain begins after it, but the state is after block ${height}`);
  const expected = height === 0 ? store.genesis().stateRoot : store.read(height).block.header.stateRoot;
  if (!bytesEqual(state.root, expected)) {
    throw new ChainDamaged(
      "state.checkpoint",
      height,
      `the state after it has root ${toHex(state.root)}, the chain says ${toHex(expected)}`,
    );
  }
}
