import { assert, type CancelTimer, toHex } from "../kernel/index.ts";
import { transactionAad } from "../protocol/index.ts";
import type { AdmissionContext, FinalizedTip } from "./admission.ts";
import { Admitter } from "./admitter.ts";
import type { BatchRoom } from "./author-usage.ts";
import { BatchDoor, type Receipt } from "./batch-door.ts";
import { BatchLog } from "./batch-log.ts";
import { Batcher } from "./batcher.ts";
import { DEFAULT_MEMPOOL_BOUNDS, type MempoolBounds } from "./bounds.ts";
import { SpaceWatch } from "./closure.ts";
import { type BlockOutcome, onBlockCommitted } from "./commit.ts";
import type { RetryClock } from "./flush-plan.ts";
import { HeldBatches } from "./held-batches.ts";
import { Members } from "./members.ts";
import { MempoolState } from "./mempool-state.ts";
import { type MempoolStats, newMempoolCounters } from "./metrics.ts";
import { Offers } from "./offers.ts";
import type { MempoolParts } from "./parts.ts";
import type { Account, PoolEntry } from "./pool-entry.ts";
import { wake, wakeWatched } from "./readiness.ts";
import { replayLog } from "./replay.ts";
import { type BlockRoom, hasExecutableBatch, selectBatches } from "./selection.ts";
import { Settling } from "./settling.ts";
import {
  type BatchLocation,
  type DurableBatch,
  type HeldBatch,
  MempoolFailed,
  type ReceiveVerdict,
  type Refusal,
  type SubmitOutcome,
  type TransactionStatus,
} from "./types.ts";
import { VerifiedCache } from "./verified-cache.ts";

/** Accounts looked at again when the timer ticks, and its interval. */
const WOKEN_PER_TICK = 4_096;
const TICK_MS = 1_000;

/**
 * Admits transactions, makes them durable in batches, offers those to blocks and follows what blocks did with them. One
 * thread, one instance per log. The front door (index.ts) states what it promises.
 */
export class Mempool {
  readonly #parts: MempoolParts;
  readonly #bounds: MempoolBounds;
  readonly #aad: Uint8Array;
  readonly #state: MempoolState;
  readonly #log: BatchLog;
  readonly #held: HeldBatches;
  readonly #space: SpaceWatch;
  readonly #admitter: Admitter;
  readonly #batcher: Batcher;
  readonly #door: BatchDoor;
  readonly #offers: Offers;
  readonly #settling: Settling;
  readonly #author: string;
  #isStopping = false;
  #failure: MempoolFailed | undefined;
  #includable: { readonly version: number; readonly value: boolean } = { version: -1, value: false };
  #cancelTick: CancelTimer | undefined;

  constructor(parts: MempoolParts) {
    this.#parts = parts;
    this.#bounds = { ...DEFAULT_MEMPOOL_BOUNDS, ...parts.bounds };
    this.#aad = transactionAad(parts.chainId);
    this.#author = toHex(parts.signer.publicKey);
    const { clock, timers, signer, chainId } = parts;
    const counters = newMempoolCounters();
    const members = new Members(parts.epochs ?? (() => []), this.#bounds, () => this.#state.height);
    const roomOf = (author: string): BatchRoom => members.roomOf(author);
    const state = new MempoolState(this.#bounds, counters, parts.tip.height, parts.tip.timeMs, this.#author, roomOf);
    const verified = new VerifiedCache(this.#bounds.verifiedCountMax);
    const log = new BatchLog(parts.log);
    this.#state = state;
    this.#log = log;
    this.#held = new HeldBatches(state, log, parts.chain, this.#aad, this.#bounds.decodedCountMax);
    this.#space = new SpaceWatch(this.#bounds, clock, parts.freeSpaceBytes ?? (() => undefined));
    this.#batcher = new Batcher({
      ...{ state, log, bounds: this.#bounds, signer, chainId, clock, timers },
      onAccepted: (entries, batch) => this.#settling.onAccepted(entries, batch),
      onDiskFull: (entries) => this.#settling.onDiskFull(entries),
      onStale: (entry) => this.#settling.onStale(entry),
      onBatch: parts.onWork,
      onFailed: (error) => this.#fail(error),
    });
    this.#admitter = new Admitter({
      ...{ bounds: this.#bounds, timers, aad: this.#aad, counters, verified, verifyMany: parts.verifyMany },
      context: () => this.#context(),
      findStandstill: () => this.#findStandstill(),
      onAdmitted: (entry) => this.#onAdmitted(entry),
      onRoundEnd: () => this.#batcher.poke(),
      onFailed: (error) => this.#fail(error),
    });
    this.#offers = new Offers({
      ...{ state, clock, timers, offerAfterMs: this.#bounds.offerAfterMs },
      isAlone: () => members.count === 1,
      onOffered: () => {
        if (this.hasIncludable()) parts.onWork();
      },
    });
    this.#settling = new Settling({
      ...{ state, held: this.#held, offers: this.#offers, outside: parts, aad: this.#aad, author: this.#author },
      tip: () => this.#tip(),
      retryClock: () => this.#retryClock(),
      onDiskFull: () => this.#space.onDiskFull(),
      answer: (waiter, outcome) => this.#admitter.settle(waiter, outcome),
    });
    this.#door = new BatchDoor({
      ...{ state, bounds: this.#bounds, chainId, aad: this.#aad, clock, verified, verifyMany: parts.verifyMany },
      epochOf: (author) => members.epochOf(toHex(author)),
      tip: () => this.#tip(),
      isHeld: (digest) => this.isHeld(digest),
      isSpaceSpent: () => this.#space.isSpent,
      write: (batch) => this.#batcher.addArrived(batch),
      onListed: (batch) => this.#settling.onForeignListed(batch),
      onEvidence: (evidence) => parts.onEvidence?.(evidence),
    });
  }

  /**
   * Rebuilds the pool from the log, from the replay mark of the chain's last commit on; before anything else.
   *
   * @throws StorageError `damaged`, naming file and place
   */
  start(mark: number): void {
    const { chain } = this.#parts;
    const tip = this.#tip();
    const { author, nowMs } = { author: this.#author, nowMs: this.#nowMs() };
    const records = replayLog({ state: this.#state, log: this.#log, chain, tip, aad: this.#aad, author, nowMs }, mark);
    this.#state.untoldReleases = []; // nobody was told that they are here
    this.#offers.start();
    const accounts = new Set<Account>();
    for (const { account } of this.#state.pool.entries()) accounts.add(account);
    for (const account of accounts) wake(this.#state, account, tip, this.#retryClock(), this.#aad);
    const { pool, pending } = this.#state;
    this.#parts.journal.info("mempool.replayed", { records, transactions: pool.count, batches: pending.size, mark });
    this.#batcher.poke();
    this.#tick();
  }

  /**
   * Submits transactions (COSE bytes) of one source together; later ones may build on earlier ones' nonces. The bytes may
   * be reused once the promise settles.
   *
   * @returns an outcome for each, in order, once what is accepted is fsynced
   * @throws MempoolFailed (as a rejection) when the log failed: what was not answered may or may not be durable
   */
  submit(transactions: readonly Uint8Array[], source: string): Promise<readonly SubmitOutcome[]> {
    assert(source !== "", "a submission names its source");
    return this.#admitter.submit(transactions, source);
  }

  /** The lowest nonce from the account's next on that no transaction here uses. */
  pendingNonce(publicKey: Uint8Array): bigint {
    return this.#state.pool.findAccount(toHex(publicKey))?.freeNonce() ?? this.#parts.finalizedView().findAccount(publicKey)?.nonce ?? 0n;
  }

  /** What became of a transaction short of its execution, which the blocks know. */
  status(id: Uint8Array): TransactionStatus {
    const hex = toHex(id);
    const entry = this.#state.pool.find(hex);
    if (entry !== undefined) return entry.record === undefined ? "unknown" : "accepted";
    return this.#state.ended.find(hex) ?? "unknown";
  }

  /** Counters and gauges for monitoring. */
  stats(): MempoolStats {
    const { pool, pending, watched, ended, pins, counters } = this.#state;
    let stuckBatchCount = 0;
    for (const batch of pending.values()) if (batch.isStuck) stuckBatchCount++;
    return {
      counters,
      gauges: {
        pendingCount: pool.count,
        pendingSizeBytes: pool.sizeBytes,
        foreignCount: pool.count - pool.ownUse.count,
        accountCount: pool.accountCount,
        pendingBatchCount: pending.size,
        stuckBatchCount,
        watchedAccountCount: watched.size,
        openCount: this.#batcher.openCount,
        decodedCount: this.#held.decodedCount,
        intakeCount: this.#admitter.intake.count,
        intakeSizeBytes: this.#admitter.intake.sizeBytes,
        endedCount: ended.size,
        replaySizeBytes: pins.replaySizeBytes(),
        logSizeBytes: this.#log.sizeBytes,
        syncMs: this.#batcher.syncMs,
        closedBecause: (this.#findStandstill() ?? this.#space.findClosure())?.detail,
      },
    };
  }

  /**
   * Takes in a batch from a peer: settles once it is durable here and listed, or refused.
   *
   * @returns never rejects; `closed` after a failure
   */
  receive(encoded: Uint8Array, receipt: Receipt): Promise<ReceiveVerdict> {
    return this.#door.receive(encoded, receipt).catch((error: unknown) => {
      this.#fail(error); // the environment, or a defect: what a verdict would be is open
      return { status: "refused", code: "closed" };
    });
  }

  /** Whether a batch is durable here: waiting for a block, or named by a committed one. */
  isHeld(digest: Uint8Array): boolean {
    return this.#held.has(digest);
  }

  /** Whether a digest is known to be of a batch that its author should not have signed. */
  isFaulty(digest: Uint8Array): boolean {
    return this.#door.isFaulty(toHex(digest));
  }

  /** A batch as peers get it, pending or committed; undefined when not held. Damage throws. */
  findEncoded(digest: Uint8Array): Uint8Array | undefined {
    return this.#held.findEncoded(digest);
  }

  /** The batches that wait for a block, oldest first. */
  pendingBatches(): readonly DurableBatch[] {
    return Array.from(this.#state.pending.values(), (batch) => this.#settling.durable(batch));
  }

  /** The pending batch that holds a transaction, by digest; undefined when none does. */
  findBatchOf(id: Uint8Array): Uint8Array | undefined {
    return this.#state.pool.find(toHex(id))?.batch?.batch.digest;
  }

  /** Lets blocks have a batch that enough others are known to hold (R2); harmless for one that is not pending. */
  offer(digest: Uint8Array): void {
    this.#offers.offer(digest);
  }

  /** Refuses new submissions, judges and answers what was submitted, saves ends; afterwards nothing writes to the log. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelTick?.();
    this.#offers.stop();
    this.#door.close();
    await this.#admitter.drain();
    await this.#batcher.close();
  }

  /** Oldest-first batches that fit a block and could execute, without those excluded; see `selectBatches`. */
  select(room: BlockRoom, isExcluded: (digestHex: string) => boolean): readonly HeldBatch[] {
    return selectBatches(this.#state, room, isExcluded).map((pending) => this.#held.of(pending));
  }

  /** Whether a pending batch could execute on the finalized state. Cheap to ask again while nothing changed. */
  hasIncludable(): boolean {
    if (this.#includable.version !== this.#state.version) {
      this.#includable = { version: this.#state.version, value: hasExecutableBatch(this.#state) };
    }
    return this.#includable.value;
  }

  /** A durable batch by digest, pending or committed; undefined when not held. */
  find(digest: Uint8Array): HeldBatch | undefined {
    return this.#held.find(digest);
  }

  /** A committed batch from the log, its digest checked again; undefined when pruned. Damage throws. */
  read(digest: Uint8Array, location: BatchLocation): HeldBatch | undefined {
    return this.#held.read(digest, location);
  }

  /** Lowest log record that a restart needs; each block commit stores it. */
  replayMark(): number {
    return this.#state.replayMark();
  }

  /** Height of the last block that the mempool reflects; a block at or below it is known already. */
  get cursor(): number {
    return this.#state.height;
  }

  /** Follows a block after its durable commit, in height order, while `finalizedView` gives the state after this very block. */
  onCommitted(outcome: BlockOutcome): void {
    const tip = this.#tipAt(outcome.height, outcome.timeMs);
    onBlockCommitted(this.#state, outcome, tip, { height: outcome.height, nowMs: this.#nowMs() }, this.#aad, this.#author);
    this.#held.forgetEnded();
    this.#settling.tellEnds();
    this.#settling.tellReleases();
    this.#batcher.poke();
  }

  /**
   * Deletes log segments that nothing needs any more.
   *
   * @param lowestOfBlocks the lowest record that the chain still wants to read a batch from; an archive never calls this
   * @param countMax segments at most, the oldest first: each costs a sync and the removal of a file
   */
  prune(lowestOfBlocks: number, countMax?: number): void {
    this.#log.dropBefore(this.#lowestNeeded(lowestOfBlocks), countMax);
  }

  /** How many log segments `prune` would delete. */
  countPrunable(lowestOfBlocks: number): number {
    return this.#log.countBefore(this.#lowestNeeded(lowestOfBlocks));
  }

  #lowestNeeded(lowestOfBlocks: number): number {
    let lowest = Math.min(lowestOfBlocks, this.#state.replayMark());
    for (const { firstRecord } of this.#state.pending.values()) lowest = Math.min(lowest, firstRecord);
    return lowest;
  }

  #onAdmitted(entry: PoolEntry): void {
    if (this.#batcher.openCount >= this.#bounds.decodedCountMax) entry.decoded = undefined;
    this.#batcher.add(entry);
  }

  #context(): AdmissionContext {
    const { chain } = this.#parts;
    return { bounds: this.#bounds, pool: this.#state.pool, chain, tip: this.#tip(), closure: this.#space.findClosure() };
  }

  #findStandstill(): Refusal | undefined {
    if (this.#isStopping) return { code: "mempoolFull", detail: "the node is stopping", retryAfterMs: 5_000 };
    if (this.#parts.isSyncing?.() === true)
      return { code: "syncing", detail: "the node is catching up with the chain", retryAfterMs: 5_000 };
    return undefined;
  }

  #tip(): FinalizedTip {
    return this.#tipAt(this.#state.height, this.#state.timeMs);
  }

  /** The next header's time is at least now, and above the last one's. */
  #tipAt(height: number, timeMs: number): FinalizedTip {
    const { finalizedView, parameters, clock, isConvicting } = this.#parts;
    const rules = { tipHeight: height, timeMs: Math.max(clock.nowMs(), timeMs + 1), parameters };
    return { view: finalizedView(), rules: { ...rules, ...(isConvicting && { isConvicting }) } };
  }

  #retryClock(): RetryClock {
    return { height: this.#state.height, nowMs: this.#nowMs() };
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  /** On a chain that stands still, time alone makes some transactions executable: a quota's next hour, a try that is due. */
  #tick(): void {
    if (this.#isStopping || this.#failure !== undefined) return;
    this.#cancelTick = this.#parts.timers.after(TICK_MS, () => {
      const { version } = this.#state;
      wakeWatched(this.#state, this.#tip(), this.#retryClock(), this.#aad, WOKEN_PER_TICK);
      this.#batcher.poke();
      if (this.#state.version !== version && this.hasIncludable()) this.#parts.onWork();
      this.#tick();
    });
  }

  /** Nothing is answered any more: what was being written may or may not be durable, and only a restart can tell. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = new MempoolFailed("the mempool failed; what it had not answered may or may not be durable", { cause: error });
    this.#cancelTick?.();
    this.#offers.stop();
    this.#door.close();
    this.#admitter.fail(this.#failure);
    this.#parts.journal.error("mempool.failed", { error: error instanceof Error ? error.message : String(error) });
    this.#parts.onFatal(error);
  }
}
