import type { SignatureClaim, Signer } from "../crypto/index.ts";
import { assert, type CancelTimer, type Clock, type Log, parseHex, present, type Timers, toHex } from "../kernel/index.ts";
import type { AdmissionRules, LedgerView } from "../ledger/index.ts";
import { transactionAad } from "../protocol/index.ts";
import type { RecordLog } from "../storage/index.ts";
import { type AdmissionContext, type FinalizedTip, staleRefusal } from "./admission.ts";
import { Admitter } from "./admitter.ts";
import type { BatchRoom } from "./author-usage.ts";
import { BatchDoor, type Receipt } from "./batch-door.ts";
import { BatchLog } from "./batch-log.ts";
import { Batcher } from "./batcher.ts";
import { DEFAULT_MEMPOOL_BOUNDS, type MempoolBounds } from "./bounds.ts";
import { diskFull, SpaceWatch } from "./closure.ts";
import { type BlockOutcome, onBlockCommitted } from "./commit.ts";
import type { RetryClock } from "./flush-plan.ts";
import { HeldBatches } from "./held-batches.ts";
import { Members } from "./members.ts";
import { MempoolState } from "./mempool-state.ts";
import { type MempoolStats, newMempoolCounters } from "./metrics.ts";
import { Offers } from "./offers.ts";
import type { Account, PendingBatch, PoolEntry } from "./pool-entry.ts";
import { wake, wakeWatched } from "./readiness.ts";
import { replayLog } from "./replay.ts";
import { type BlockRoom, hasExecutableBatch, selectBatches } from "./selection.ts";
import {
  type BatchLocation,
  type BatchRelease,
  type ChainIndex,
  type DurableBatch,
  type EpochMembers,
  type HeldBatch,
  MempoolFailed,
  type ReceiveVerdict,
  type Refusal,
  type SubmitOutcome,
  type TransactionStatus,
} from "./types.ts";
import { VerifiedCache } from "./verified-cache.ts";

/** What the mempool is built from. */
export type MempoolParts = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  /** Signs our batches. */
  readonly signer: Signer;
  /** The open batch log; closing it is its opener's part, after `stop`. */
  readonly log: RecordLog;
  readonly chain: ChainIndex;
  /** The state after the last committed block. */
  readonly finalizedView: () => LedgerView;
  /** Height and header time of the last committed block when the mempool starts. */
  readonly tip: { readonly height: number; readonly timeMs: number };
  readonly parameters: AdmissionRules["parameters"];
  /** Verifies many signatures off this thread, by the one rule. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly journal: Log;
  readonly bounds?: Partial<MempoolBounds>;
  /** Whether the node is too far behind to admit (R13); default never. */
  readonly isSyncing?: () => boolean;
  /** Bytes that can still be written where the log lies; default unknown. */
  readonly freeSpaceBytes?: () => number | undefined;
  /**
   * The sets whose members' batches are taken in, the running epoch's first. With more than one member a batch waits for
   * `offer` before blocks get it. Default: a validator alone.
   */
  readonly epochs?: () => readonly EpochMembers[];
  /** Told of each batch that became durable here, own or other; default nobody. */
  readonly onBatchDurable?: (batch: DurableBatch) => void;
  /** Told of each batch that a block executed, or in which nothing can execute any more; default nobody. */
  readonly onBatchReleased?: (release: BatchRelease) => void;
  /** Told encoded evidence against the author of a faulty batch (R11); default nobody. */
  readonly onEvidence?: (evidence: Uint8Array) => void;
  /** Whether encoded evidence convicts somebody anew, so that the transaction that carries it is free; default never. */
  readonly isConvicting?: (evidence: Uint8Array) => boolean;
  /** Told the ids that ended without executing, once their status says so; default nobody. */
  readonly onEnded?: (ids: readonly Uint8Array[]) => void;
  /** Called when a batch became includable: wakes consensus. */
  readonly onWork: () => void;
  /** Called once when the log failed: the process has to stop. */
  readonly onFatal: (error: unknown) => void;
};

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
      onAccepted: (entries, batch) => this.#onAccepted(entries, batch),
      onDiskFull: (entries) => this.#onDiskFull(entries),
      onStale: (entry) => this.#onStale(entry),
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
    this.#door = new BatchDoor({
      ...{ state, bounds: this.#bounds, chainId, aad: this.#aad, clock, verified, verifyMany: parts.verifyMany },
      epochOf: (author) => members.epochOf(toHex(author)),
      tip: () => this.#tip(),
      isHeld: (digest) => this.isHeld(digest),
      isSpaceLow: () => this.#space.findClosure() !== undefined,
      write: (batch) => this.#batcher.addArrived(batch),
      onListed: (batch) => this.#onForeignListed(batch),
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
    return Array.from(this.#state.pending.values(), (batch) => this.#durable(batch));
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
    this.#tellEnds();
    this.#tellReleases();
    this.#batcher.poke();
  }

  /**
   * Deletes log segments that nothing needs any more.
   *
   * @param lowestOfBlocks the lowest record that the chain still wants to read a batch from; an archive never calls this
   */
  prune(lowestOfBlocks: number): void {
    let lowest = Math.min(lowestOfBlocks, this.#state.replayMark());
    for (const { firstRecord } of this.#state.pending.values()) lowest = Math.min(lowest, firstRecord);
    this.#log.dropBefore(lowest);
  }

  #tellReleases(): void {
    const releases = this.#state.untoldReleases;
    if (releases.length === 0) return;
    this.#state.untoldReleases = [];
    for (const release of releases) this.#parts.onBatchReleased?.(release);
  }

  #tellEnds(): void {
    const ids = this.#state.untoldEnds;
    if (ids.length === 0) return;
    this.#state.untoldEnds = [];
    this.#parts.onEnded?.(ids.map((hex) => present(parseHex(hex), "an id is hexadecimal")));
  }

  #onAdmitted(entry: PoolEntry): void {
    if (this.#batcher.openCount >= this.#bounds.decodedCountMax) entry.decoded = undefined;
    this.#batcher.add(entry);
  }

  #onAccepted(entries: readonly PoolEntry[], batch: PendingBatch | undefined): void {
    if (batch !== undefined) {
      this.#held.adopt(batch);
      this.#onListed(batch);
    }
    for (const entry of entries) {
      entry.decoded = undefined;
      this.#settle(entry, { status: "accepted", id: bytesOfId(entry) });
    }
  }

  #onForeignListed(batch: PendingBatch): void {
    const accounts = new Set<Account>();
    for (const entry of batch.entries) if (entry?.batch === batch) accounts.add(entry.account);
    const tip = this.#tip();
    for (const account of accounts) {
      wake(this.#state, account, tip, this.#retryClock(), this.#aad);
      // What waited here for a nonce that came in this batch can follow it.
      if (account.entries.some(({ place, skips }) => place === "kept" && skips === 0)) this.#state.released.add(account);
    }
    this.#held.adopt(batch);
    this.#onListed(batch);
  }

  #onListed(batch: PendingBatch): void {
    this.#offers.onListed(batch);
    this.#parts.onBatchDurable?.(this.#durable(batch));
    this.#tellReleases();
  }

  #durable({ batch, authorHex, sizeBytes }: PendingBatch): DurableBatch {
    return { digest: batch.digest, count: batch.header.count, sizeBytes, isOwn: authorHex === this.#author };
  }

  #onDiskFull(entries: readonly PoolEntry[]): void {
    this.#space.onDiskFull();
    if (entries.length > 0) this.#parts.journal.warn("mempool.diskFull", { refused: entries.length });
    const refusal = diskFull("disk full: there was no space to make it durable");
    for (const entry of entries) {
      if (entry.place === "batched") this.#state.pool.disown(entry);
      else if (entry.record === undefined && entry.place !== "gone") this.#state.onRefused(entry);
      this.#settle(entry, { status: "rejected", id: bytesOfId(entry), ...refusal });
    }
  }

  /** The chain moved between admission and writing. */
  #onStale(entry: PoolEntry): void {
    const id = bytesOfId(entry);
    const executedAt = this.#parts.chain.findExecuted(id);
    if (entry.place !== "gone") this.#state.onRefused(entry);
    this.#settle(entry, { status: "rejected", id, ...staleRefusal(entry, executedAt) });
  }

  #settle(entry: PoolEntry, outcome: SubmitOutcome): void {
    const { waiters } = entry;
    entry.waiters = undefined;
    for (const waiter of waiters ?? []) this.#admitter.settle(waiter, outcome);
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

function bytesOfId(entry: PoolEntry): Uint8Array {
  return present(parseHex(entry.id), "an id is spelled in hexadecimal");
}
