import { assert, bytesEqual, err, ok, type Result, toHex } from "../kernel/index.ts";
import type { EntryChange, LedgerView } from "../ledger/index.ts";
import type { StateEntry, StateProof } from "../protocol/index.ts";
import { groupByBucket } from "./changes.ts";
import type { CheckpointMark } from "./checkpoint.ts";
import { type CheckpointCounters, Checkpointer, type CheckpointParts } from "./checkpointer.ts";
import { findEntryOn, LayerView } from "./layer-view.ts";
import { Overlay } from "./overlay.ts";
import { proveEntry } from "./proofs.ts";
import { type CheckpointFault, type FileSystem, readCheckpoint } from "./store.ts";
import { buildTree, StateTree } from "./tree.ts";

/** Overlays that may stand on one another: what consensus keeps unfinalized, with room to spare. */
export const OVERLAY_DEPTH_MAX = 1_024;

/** What the state holds at the moment, for monitoring to read. */
export type StateGauges = {
  readonly height: number;
  readonly entryCount: number;
  readonly sizeBytes: number;
  /** Height of the last durable checkpoint; undefined when there is none or none is written. */
  readonly checkpointHeight: number | undefined;
};

/**
 * The state of one chain: that after the last finalized block, whole and in memory, and overlays for blocks that are not
 * final. Nothing is written when a block is folded; checkpoints are, now and then, in the background.
 */
export class State {
  /** The finalized state as the ledger reads it; follows every fold. */
  readonly finalized: LedgerView;
  readonly #chainId: Uint8Array;
  readonly #tree: StateTree;
  readonly #checkpointer: Checkpointer | undefined;
  #height: number;
  #root: Uint8Array;

  private constructor(tree: StateTree, mark: CheckpointMark, checkpointer: Checkpointer | undefined) {
    this.finalized = new LayerView(tree);
    this.#chainId = mark.chainId;
    this.#tree = tree;
    this.#checkpointer = checkpointer;
    this.#height = mark.height;
    this.#root = mark.stateRoot;
  }

  /**
   * The state of a genesis, height 0.
   *
   * @param entries as `genesisEntries` gives them
   * @param checkpoints how it is written; without them it lives in memory alone
   */
  static ofGenesis(chainId: Uint8Array, entries: readonly EntryChange[], checkpoints?: CheckpointParts): State {
    const tree = buildTree(entries);
    const mark = { chainId, height: 0, stateRoot: tree.root() };
    return new State(tree, mark, checkpoints && new Checkpointer(tree, checkpoints, undefined));
  }

  /**
   * The state that a checkpoint file holds, every entry of it checked against the state root that the file names. That
   * this root is the one in the chain's header of `height` is for the caller to see; a state that is not used costs a
   * re-execution from genesis.
   *
   * @throws StorageError when the disk fails or the file cannot be read
   */
  static load(fs: FileSystem, path: string, chainId: Uint8Array, checkpoints?: CheckpointParts): Result<State, CheckpointFault> {
    const tree = new StateTree();
    const mark = readCheckpoint(fs, path, chainId, (bucket, entries) => tree.replaceBucket(bucket, entries));
    if (!mark.ok) return mark;
    const root = tree.root();
    if (!bytesEqual(root, mark.value.stateRoot)) {
      const detail = `${path}: its entries have the state root ${toHex(root)}, it names ${toHex(mark.value.stateRoot)}`;
      return err({ code: "damaged", detail });
    }
    return ok(new State(tree, mark.value, checkpoints && new Checkpointer(tree, checkpoints, mark.value)));
  }

  /** Height of the block that the finalized state is after; 0 for genesis. */
  get height(): number {
    return this.#height;
  }

  /** Root of the finalized state, 32 bytes. */
  get root(): Uint8Array {
    return this.#root;
  }

  /** What the ledger reads on an overlay, or on the finalized state when none is given. Valid until the next fold. */
  viewOn(overlay: Overlay | undefined): LedgerView {
    if (overlay === undefined) return this.finalized;
    assert(overlay.isCurrent, "an overlay is read while what it stands on is still there");
    return new LayerView(overlay);
  }

  /** The state after a block's changes, over an overlay or the finalized state, which stay as they are. */
  stack(below: Overlay | undefined, changes: readonly EntryChange[]): Overlay {
    assert(
      below === undefined || (below.isCurrent && below.depth < OVERLAY_DEPTH_MAX),
      "overlays are stacked on current ones, not without end",
    );
    return new Overlay(below ?? this.#tree, groupByBucket(changes));
  }

  /**
   * Makes an overlay that stands on the finalized state the finalized one: overlays on it stay usable, its siblings and
   * what stands on them do not. The block must be durable in the chain already, so that no checkpoint is ahead of it.
   */
  fold(overlay: Overlay, height: number): void {
    assert(height === this.#height + 1, "blocks are folded in the order of their heights");
    overlay.foldInto(this.#tree);
    this.#height = height;
    this.#root = overlay.root;
    this.#checkpointer?.onFolded(overlay.changedEntries);
  }

  /** The finalized entry under a state key, or undefined. */
  findEntry(key: Uint8Array): StateEntry | undefined {
    return findEntryOn(this.#tree, key);
  }

  /** Proves what the finalized state holds under a state key, or that it holds nothing, against `root`. */
  prove(key: Uint8Array): StateProof {
    return proveEntry(this.#tree, key);
  }

  /** Every finalized entry, bucket by bucket; for audits, not while blocks are folded. */
  entries(): Generator<StateEntry, void, undefined> {
    return this.#tree.entries();
  }

  /** Begins a checkpoint in the background when one is due; says whether it did. Asked after each commit. */
  checkpointIfDue(): boolean {
    return this.#checkpointer?.startIfDue(() => this.#mark()) ?? false;
  }

  /** Writes a checkpoint now, e.g. before stopping; false when it could not be written or the state is not written at all. */
  async checkpoint(): Promise<boolean> {
    return (await this.#checkpointer?.writeNow(() => this.#mark())) ?? false;
  }

  /** Resolves when no checkpoint is being written. */
  async settled(): Promise<void> {
    await this.#checkpointer?.settled();
  }

  /** What the state holds at the moment. */
  get gauges(): StateGauges {
    const { entryCount, sizeBytes } = this.#tree;
    return { height: this.#height, entryCount, sizeBytes, checkpointHeight: this.#checkpointer?.durableHeight };
  }

  /** What checkpoints have done since the start; undefined for a state that is not written. */
  get checkpointCounters(): Readonly<CheckpointCounters> | undefined {
    return this.#checkpointer?.counters;
  }

  #mark(): CheckpointMark {
    return { chainId: this.#chainId, height: this.#height, stateRoot: this.#root };
  }
}
