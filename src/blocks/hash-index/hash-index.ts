import { assert, bytesEqual, type Log } from "../../kernel/index.ts";
import { type FileSystem, isStorageError, type StorageError } from "../../storage/index.ts";
import { mergeEntries } from "./merge-entries.ts";
import { planCover, planMerge } from "./merge-plan.ts";
import { PendingEntries } from "./pending-entries.ts";
import { BLOCK_ITSELF, type ChainPosition, FIRST_BATCH, unpackPosition } from "./position.ts";
import { type RunEntry, RunFile } from "./run-file.ts";
import { RunJob } from "./run-job.ts";

/** When entries leave memory, and how much is written at a time. */
export type HashIndexTuning = {
  /** Hashes held in memory before they become a run. */
  readonly pendingEntriesMax: number;
  /** Blocks whose hashes are only in memory: what a start has to read again. */
  readonly pendingBlocksMax: number;
  /** Entries written at a time, after a block commit. */
  readonly sliceEntries: number;
  /** Bytes of runs, the newest first, that are proved when they are opened; the rest is for `scrub` and for each look-up. */
  readonly verifyBytesMax: number;
};

/** What a node uses. */
export const HASH_INDEX_TUNING: HashIndexTuning = {
  pendingEntriesMax: 16_384,
  pendingBlocksMax: 4_096,
  sliceEntries: 4_096,
  verifyBytesMax: 64 * 1024 * 1024,
};

/** Blocks to wait before writing is tried again after the disk did not serve. */
const REST_BLOCKS = 64;

/** What the index stands on. */
export type HashIndexParts = {
  readonly fs: FileSystem;
  /** Folder of the runs; made when absent, its parent must exist. */
  readonly directory: string;
  readonly chainId: Uint8Array;
  /** Height of the lowest block that is here, when it is not the first: runs need not reach below it. Default 0. */
  readonly lowestHeight?: number;
  readonly log: Log;
  /** Told of every run that is not what was written. */
  readonly onDamage: (error: StorageError) => void;
};

/**
 * Finds the height and index of a transaction or a batch, or the height of a block, by hash. A cache of the chain in files of its
 * own: what is not yet in a sorted run is in memory and is read from the blocks again at a start; runs are written once,
 * merged by levels, and never changed. A damaged run is named and let go: until the next start, which rebuilds it, what
 * only it knew is not found.
 */
export class HashIndex {
  readonly #parts: HashIndexParts;
  readonly #tuning: HashIndexTuning;
  #runs: RunFile[] = [];
  #pending: PendingEntries;
  /** Entries that are being written into a run; still found here until it is in place. */
  #frozen: PendingEntries | undefined;
  #job: RunJob | undefined;
  #restUntil = 0;
  #isWantedSoon = false;

  constructor(parts: HashIndexParts, tuning: HashIndexTuning = HASH_INDEX_TUNING) {
    this.#parts = parts;
    this.#tuning = tuning;
    parts.fs.makeDirectory(parts.directory);
    this.#openRuns();
    this.#pending = new PendingEntries(this.coveredHeight + 1);
  }

  /** Highest block whose hashes are in runs; the blocks above are to be added again after a start. -1 when there are none. */
  get coveredHeight(): number {
    return this.#runs.at(-1)?.header.toHeight ?? -1;
  }

  /** Highest block that was added. */
  get indexedHeight(): number {
    return this.#pending.toHeight;
  }

  /** Runs that a miss has to ask. */
  get runCount(): number {
    return this.#runs.length;
  }

  /**
   * Adds the next block.
   *
   * @param executedIds ids of its executed transactions in the order of their receipts
   * @param batchDigests of its batches in order
   */
  addBlock(height: number, blockHash: Uint8Array, executedIds: readonly Uint8Array[], batchDigests: readonly Uint8Array[]): void {
    this.#pending.add(blockHash, { height, index: BLOCK_ITSELF });
    for (const [index, id] of executedIds.entries()) this.#pending.add(id, { height, index });
    for (const [at, digest] of batchDigests.entries()) this.#pending.add(digest, { height, index: FIRST_BATCH + at });
    this.#pending.endBlock(height);
  }

  /** Goes on at a height above the next: the blocks between are not on this node's chain, which begins at a snapshot. */
  skipBelow(height: number): void {
    this.#pending.skipBelow(height);
  }

  /** Lets go of the runs that tell only of blocks below a height. One that is being merged goes when that has ended. */
  dropBelow(height: number): void {
    const old = this.#runs.filter((run) => run.header.toHeight < height && this.#job?.replaced.includes(run) !== true);
    if (old.length === 0 || old.length === this.#runs.length) return;
    this.#runs = this.#runs.filter((run) => !old.includes(run));
    for (const run of old) this.#remove(run.path, run);
  }

  /** Where a hash may stand, newest first: runs keep 64 bits of it, so the caller compares the whole hash there. */
  candidates(hash: Uint8Array): readonly ChainPosition[] {
    const inMemory = this.#pending.find(hash) ?? this.#frozen?.find(hash);
    if (inMemory !== undefined) return [unpackPosition(inMemory)];
    const found: ChainPosition[] = [];
    for (const run of this.#runs.toReversed()) for (const packed of this.#ask(run, hash)) found.push(unpackPosition(packed));
    return found;
  }

  /** Has the hashes that are only in memory written soon, however few: whoever lets go of blocks cannot read them again. */
  writeSoon(): void {
    this.#isWantedSoon = true;
  }

  /** Does a bounded piece of the writing that is due. Called after each block commit; the disk's failures are logged and tried again. */
  maintain(): void {
    this.#guarded(() => {
      this.#job ??= this.#nextJob();
      if (this.#job?.step(this.#tuning.sliceEntries) === true) this.#accept(this.#job);
    });
  }

  /** Does all the writing that is due before it returns: while many blocks are indexed at once, nothing else has a turn. */
  maintainNow(): void {
    assert(this.#job === undefined, "nothing is being written in the background meanwhile");
    this.#guarded(() => {
      for (let job = this.#nextJob(); job; job = this.#nextJob()) {
        this.#job = job;
        job.finish();
        this.#accept(job);
      }
    });
  }

  /** Does all the writing that is due: for an orderly stop and for tests. */
  async settle(): Promise<void> {
    do {
      this.maintain();
      await this.#job?.synced;
    } while (this.#job !== undefined);
  }

  /** Proves every page of every run, one a step; a damaged run is named and let go. */
  *scrub(): Generator<void, void, undefined> {
    for (const run of [...this.#runs]) yield* this.#prove(run);
  }

  /** Releases the files. What was not written is read from the chain again. */
  close(): void {
    this.#abandonJob();
    for (const run of this.#runs) run.close();
    this.#runs = [];
  }

  /** Abandons a write that the disk did not serve, to try again some blocks later. */
  #guarded(write: () => void): void {
    if (this.indexedHeight < this.#restUntil) return;
    try {
      write();
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.#parts.log.warn("blocks.index.writeFailed", { file: error.path, error: error.message });
      this.#abandonJob();
      this.#restUntil = this.indexedHeight + REST_BLOCKS;
      if (error.code === "damaged") this.#letGo(error);
    }
  }

  #nextJob(): RunJob | undefined {
    const { size, fromHeight, toHeight } = this.#pending;
    const isLarge = size >= this.#tuning.pendingEntriesMax || toHeight - fromHeight + 1 >= this.#tuning.pendingBlocksMax;
    if ((isLarge || (this.#isWantedSoon && size > 0)) && !this.#frozen) {
      this.#isWantedSoon = false;
      this.#frozen = this.#pending;
      this.#pending = new PendingEntries(toHeight + 1);
    }
    if (this.#frozen) return this.#startJob(this.#frozen, this.#frozen.size, this.#frozen.sorted(), []);
    const plan = planMerge(this.#runs.map((run) => run.header));
    if (!plan) return undefined;
    const inputs = this.#runs.slice(plan.from, plan.to);
    const headers = inputs.map((run) => run.header);
    const span = { fromHeight: headers[0]?.fromHeight ?? 0, toHeight: headers.at(-1)?.toHeight ?? 0 };
    const count = headers.reduce((sum, header) => sum + header.count, 0);
    return this.#startJob(span, count, mergeEntries(inputs.map((run) => run.entries())), inputs);
  }

  #startJob(
    { fromHeight, toHeight }: { readonly fromHeight: number; readonly toHeight: number },
    count: number,
    entries: Iterator<RunEntry>,
    replaced: readonly RunFile[],
  ): RunJob {
    const { fs, directory, chainId } = this.#parts;
    return new RunJob(fs, `${directory}/${runName(fromHeight, toHeight)}`, { chainId, fromHeight, toHeight, count }, entries, replaced);
  }

  /** Takes in a run that is in place. */
  #accept(job: RunJob): void {
    const run = new RunFile(this.#parts.fs, job.target);
    const [first] = job.replaced;
    if (first === undefined) {
      this.#runs.push(run);
      this.#frozen = undefined;
    } else {
      const at = this.#runs.indexOf(first);
      assert(at >= 0, "runs that are merged stay in the list until they are replaced");
      this.#runs.splice(at, job.replaced.length, run);
      for (const old of job.replaced) this.#remove(old.path, old);
    }
    this.#job = undefined;
  }

  #abandonJob(): void {
    this.#job?.abandon();
    this.#job = undefined;
  }

  #ask(run: RunFile, hash: Uint8Array): readonly number[] {
    try {
      return run.find(hash);
    } catch (error) {
      if (!isStorageError(error, "damaged")) throw error;
      this.#letGo(error);
      return [];
    }
  }

  *#prove(run: RunFile): Generator<void, void, undefined> {
    try {
      for (const _page of run.verify()) yield;
    } catch (error) {
      if (!isStorageError(error, "damaged")) throw error;
      this.#letGo(error);
    }
  }

  /** Drops the run that an error names. What was merged from it is abandoned with it. */
  #letGo(error: StorageError): void {
    this.#parts.onDamage(error);
    const run = this.#runs.find((candidate) => candidate.path === error.path);
    if (!run) return;
    if (this.#job?.replaced.includes(run) === true) this.#abandonJob();
    this.#runs = this.#runs.filter((candidate) => candidate !== run);
    this.#remove(run.path, run);
  }

  #remove(path: string, run: RunFile | undefined): void {
    run?.close();
    this.#parts.fs.remove(path);
  }

  #openRuns(): void {
    const { fs, directory } = this.#parts;
    const found: RunFile[] = [];
    for (const name of fs.list(directory)) {
      const path = `${directory}/${name}`;
      const run = name.endsWith(".idx") ? this.#tryOpen(path) : undefined;
      if (run) found.push(run);
      else this.#remove(path, undefined);
    }
    const whole = this.#proveNewest(found);
    const shapes = whole.map((run) => ({ ...run.header, run }));
    const { cover, rest } = planCover(shapes, this.#parts.lowestHeight ?? 0);
    this.#runs = cover.map(({ run }) => run);
    for (const { run } of rest) this.#remove(run.path, run);
  }

  /** Leaves out the runs that are damaged, among the newest as far as the bound goes. */
  #proveNewest(found: readonly RunFile[]): readonly RunFile[] {
    this.#runs = [...found];
    let left = this.#tuning.verifyBytesMax;
    for (const run of found.toSorted((a, b) => b.header.toHeight - a.header.toHeight)) {
      left -= run.sizeBytes;
      if (left < 0) break;
      for (const _page of this.#prove(run));
    }
    return this.#runs;
  }

  #tryOpen(path: string): RunFile | undefined {
    try {
      const run = new RunFile(this.#parts.fs, path);
      if (bytesEqual(run.header.chainId, this.#parts.chainId)) return run;
      run.close();
      this.#parts.log.warn("blocks.index.otherChain", { file: path });
    } catch (error) {
      if (!isStorageError(error, "damaged")) throw error;
      this.#parts.onDamage(error);
    }
    return undefined;
  }
}

function runName(fromHeight: number, toHeight: number): string {
  return `run-${String(fromHeight).padStart(11, "0")}-${String(toHeight).padStart(11, "0")}.idx`;
}
