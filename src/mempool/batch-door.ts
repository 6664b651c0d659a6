import { type SignatureClaim, sha256 } from "../crypto/index.ts";
import { assert, bytesEqual, type Clock, toHex } from "../kernel/index.ts";
import {
  type Batch,
  batchSignBytes,
  decodeBatch,
  decodeTransaction,
  LIMITS,
  type Transaction,
  transactionSignBytes,
} from "../protocol/index.ts";
import type { FinalizedTip } from "./admission.ts";
import type { ArrivedBatch } from "./batcher.ts";
import type { MempoolBounds } from "./bounds.ts";
import { newPendingBatch } from "./flush.ts";
import { batchEvidence, followTransactions } from "./foreign-batch.ts";
import { batchRecordOf } from "./log-record.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { PendingBatch } from "./pool-entry.ts";
import { RecentSet } from "./recent-set.ts";
import { ownCopy } from "./replay.ts";
import { Turns } from "./turns.ts";
import type { BatchFault, BatchLocation, ReceiveVerdict } from "./types.ts";
import type { VerifiedCache } from "./verified-cache.ts";

/** What the door needs. */
export type BatchDoorParts = {
  readonly state: MempoolState;
  readonly bounds: MempoolBounds;
  readonly chainId: Uint8Array;
  /** external_aad of the chain's transactions. */
  readonly aad: Uint8Array;
  readonly clock: Clock;
  readonly verified: VerifiedCache;
  /** Verifies many signatures off this thread; verdicts in order. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  /** The latest known epoch whose set has this author; undefined for who may not author batches. */
  readonly epochOf: (author: Uint8Array) => number | undefined;
  readonly tip: () => FinalizedTip;
  /** Whether a digest's batch is held here, listed or in a committed block. */
  readonly isHeld: (digest: Uint8Array) => boolean;
  /** Whether there is too little disk space to take in anything, be it that a block needs it. */
  readonly isSpaceSpent: () => boolean;
  /** Queues a record for the next sync. */
  readonly write: (batch: ArrivedBatch) => void;
  /** Called once a batch is listed. */
  readonly onListed: (batch: PendingBatch) => void;
  /** Called with encoded evidence against the author of a faulty batch (R11). */
  readonly onEvidence: (evidence: Uint8Array) => void;
};

/** A batch from a peer, and why it was asked for. */
export type Receipt = {
  /** The digest that was asked for. */
  readonly digest: Uint8Array;
  /** Whether a block needs it: then neither its author's membership nor quotas count, for the block may be final. */
  readonly isNeeded: boolean;
};

/** A decoded batch with its encoding, of which the decoded one is views. */
type Opened = { readonly batch: Batch; readonly encoded: Uint8Array };

/** Transactions decoded and handed to the verifying threads at once, so that this thread is held for a millisecond or so. */
const CHUNK_COUNT = 256;
/** Transactions of batches being judged at a time: while one chunk is verified, the next is decoded. */
const JUDGED_COUNT_MAX = 2 * CHUNK_COUNT;
/**
 * What a small batch counts as, so at most sixteen are judged at a time. One waits for the verifying threads as long as a
 * large one does: two at a time would make thousands of small ones as slow as the threads are to answer.
 */
const JUDGED_COUNT_MIN = 32;

const HELD: ReceiveVerdict = { status: "held" };

/**
 * Takes in other validators' batches: everything that can be wrong with one is found before a byte of it is kept. What
 * passes is written to the log with the next group and is then held like a batch of our own.
 *
 * The order: bounds, decoding, digest; whether it is known; author and room; the author's signature; every transaction's
 * encoding and signature. Only what bears the author's good signature can convict the author.
 */
export class BatchDoor {
  readonly #parts: BatchDoorParts;
  readonly #faulty: RecentSet;
  readonly #turns = new Turns(JUDGED_COUNT_MAX);
  readonly #arriving = new Map<string, Promise<ReceiveVerdict>>();
  #arrivingSizeBytes = 0;
  #isClosed = false;

  constructor(parts: BatchDoorParts) {
    this.#parts = parts;
    this.#faulty = new RecentSet(parts.bounds.faultyCountMax);
  }

  /** Whether a digest is known to be of a faulty batch. */
  isFaulty(digestHex: string): boolean {
    return this.#faulty.has(digestHex);
  }

  /** Bytes being checked or waiting for their sync. */
  get arrivingSizeBytes(): number {
    return this.#arrivingSizeBytes;
  }

  /** Takes nothing in from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Judges an encoded batch and keeps it when it is good; the bytes may be reused once the call returned. */
  receive(encoded: Uint8Array, receipt: Receipt): Promise<ReceiveVerdict> {
    const opened = this.#open(encoded, receipt);
    if (typeof opened === "string") return Promise.resolve(this.#refuse(opened));
    const digestHex = toHex(receipt.digest);
    if (this.#faulty.has(digestHex)) return Promise.resolve(this.#refuse("faulty"));
    if (this.#parts.isHeld(receipt.digest)) return Promise.resolve(HELD);
    const running = this.#arriving.get(digestHex);
    if (running !== undefined) return running;
    const want = receipt.isNeeded ? undefined : this.#findRefusal(opened.batch, encoded.length);
    const refusal = want ?? (this.#parts.isSpaceSpent() ? "diskFull" : undefined);
    if (refusal !== undefined) return Promise.resolve(this.#refuse(refusal));
    this.#arrivingSizeBytes += encoded.length;
    const verdict = this.#check(opened, receipt.isNeeded).finally(() => {
      this.#arriving.delete(digestHex);
      this.#arrivingSizeBytes -= encoded.length;
    });
    this.#arriving.set(digestHex, verdict);
    return verdict;
  }

  #open(received: Uint8Array, { digest }: Receipt): Opened | BatchFault {
    if (this.#isClosed) return "closed";
    if (received.length > LIMITS.batchBytesMax) return "tooLarge";
    const encoded = received.slice(); // the transport's buffer is not ours to keep
    const decoded = decodeBatch(encoded);
    if (!decoded.ok) return decoded.error;
    return bytesEqual(decoded.value.digest, digest) ? { batch: decoded.value, encoded } : "wrongDigest";
  }

  #findRefusal({ header }: Batch, sizeBytes: number): BatchFault | undefined {
    const { state, bounds, epochOf } = this.#parts;
    if (epochOf(header.author) === undefined) return "unknownAuthor";
    if (!state.authors.hasRoom(toHex(header.author), header.count, sizeBytes)) return "full";
    return this.#arrivingSizeBytes + sizeBytes > bounds.arrivingSizeBytesMax ? "full" : undefined;
  }

  async #check(opened: Opened, isNeeded: boolean): Promise<ReceiveVerdict> {
    const { batch } = opened;
    const size = Math.min(CHUNK_COUNT, Math.max(JUDGED_COUNT_MIN, batch.transactions.length));
    await this.#turns.enter(isNeeded, size);
    const judged = await this.#judge(batch).finally(() => this.#turns.leave(size));
    if (judged === "badSignature") return this.#refuse(judged);
    if (typeof judged === "number") return this.#onFaulty(batch, judged);
    if (this.#isClosed) return this.#refuse("closed");
    return this.#keep(opened, judged);
  }

  async #judge(batch: Batch): Promise<readonly Transaction[] | number | "badSignature"> {
    const { chainId, verifyMany } = this.#parts;
    const { header, digest, signature } = batch;
    const [isSigned] = await verifyMany([{ key: header.author, message: batchSignBytes(chainId, digest), signature }]);
    return isSigned === true ? this.#judgeTransactions(batch) : "badSignature";
  }

  /** The transactions, or the position of one that is no transaction or badly signed. */
  async #judgeTransactions(batch: Batch): Promise<readonly Transaction[] | number> {
    const transactions: Transaction[] = [];
    for (let start = 0; start < batch.transactions.length; start += CHUNK_COUNT) {
      const fault = await this.#judgeChunk(batch.transactions.slice(start, start + CHUNK_COUNT), transactions);
      if (fault !== undefined) return start + fault;
    }
    return transactions;
  }

  async #judgeChunk(chunk: readonly Uint8Array[], transactions: Transaction[]): Promise<number | undefined> {
    const { aad, verified, verifyMany, state } = this.#parts;
    const claims: { readonly index: number; readonly digest: string; readonly claim: SignatureClaim }[] = [];
    for (const [index, encoded] of chunk.entries()) {
      const decoded = decodeTransaction(aad, encoded);
      if (!decoded.ok) return index;
      transactions.push(decoded.value);
      const digest = toHex(sha256(encoded));
      if (!verified.has(digest)) claims.push({ index, digest, claim: claimOf(aad, decoded.value) });
    }
    const verdicts = await verifyMany(claims.map(({ claim }) => claim));
    assert(verdicts.length === claims.length, "every claim gets a verdict");
    state.counters.verified += claims.length;
    state.counters.verifiedFromCache += chunk.length - claims.length;
    for (const [i, { digest }] of claims.entries()) if (verdicts[i] === true) verified.add(digest);
    return claims.find((_, i) => verdicts[i] !== true)?.index;
  }

  #onFaulty(batch: Batch, index: number): ReceiveVerdict {
    this.#faulty.add(toHex(batch.digest));
    const epoch = this.#parts.epochOf(batch.header.author);
    if (epoch !== undefined) this.#parts.onEvidence(batchEvidence(batch, index, epoch));
    return this.#refuse("faulty");
  }

  #keep({ batch, encoded }: Opened, transactions: readonly Transaction[]): Promise<ReceiveVerdict> {
    const { promise, resolve } = Promise.withResolvers<ReceiveVerdict>();
    this.#parts.write({
      sizeBytes: encoded.length,
      step: {
        encode: () => batchRecordOf(encoded),
        onDurable: (location, recordSizeBytes) => {
          this.#list(batch, transactions, location, recordSizeBytes);
          resolve(HELD);
        },
        onVoid: () => resolve(this.#refuse(this.#isClosed ? "closed" : "diskFull")),
      },
    });
    return promise;
  }

  #list(batch: Batch, transactions: readonly Transaction[], location: BatchLocation, recordSizeBytes: number): void {
    const { state, bounds, clock, tip, onListed } = this.#parts;
    const sizeBytes = recordSizeBytes - 1;
    // What was taken beyond its author's room, because a block needs it, is served for a while and nothing of it is followed.
    const author = toHex(batch.header.author);
    const isGuest = !state.authors.hasRoom(author, batch.header.count, sizeBytes);
    const entries = isGuest ? transactions.map(() => undefined) : followTransactions(state, author, transactions, tip(), bounds);
    const pending = newPendingBatch(ownCopy(batch, entries), sizeBytes, location, entries, clock.monotonicMs());
    state.listBatch(pending, recordSizeBytes);
    state.counters.foreignBatches++;
    state.counters.foreignTransactions += entries.length;
    state.counters.foreignSizeBytes += sizeBytes;
    onListed(pending);
  }

  #refuse(code: BatchFault): ReceiveVerdict {
    const { refusedBatches } = this.#parts.state.counters;
    refusedBatches[code] = (refusedBatches[code] ?? 0) + 1;
    return { status: "refused", code };
  }
}

function claimOf(aad: Uint8Array, { sender, payload, signature }: Transaction): SignatureClaim {
  return { key: sender, message: transactionSignBytes(aad, payload), signature };
}
