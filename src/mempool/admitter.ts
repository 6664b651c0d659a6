import { type SignatureClaim, sha256 } from "../crypto/index.ts";
import { assert, type Timers, toHex } from "../kernel/index.ts";
import { decodeTransaction, LIMITS, transactionSignBytes } from "../protocol/index.ts";
import { type AdmissionContext, admittedOf, type Candidate, judge } from "./admission.ts";
import type { MempoolBounds } from "./bounds.ts";
import { Intake, type IntakeItem } from "./intake.ts";
import type { MempoolCounters } from "./metrics.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { Submission, type Waiter } from "./submission.ts";
import type { MempoolFailed, Refusal, SubmitOutcome } from "./types.ts";
import type { VerifiedCache } from "./verified-cache.ts";

/** What the admitter needs. */
export type AdmitterParts = {
  readonly bounds: MempoolBounds;
  readonly timers: Timers;
  /** external_aad of the chain's transactions. */
  readonly aad: Uint8Array;
  readonly counters: MempoolCounters;
  /** What is known to be well signed. */
  readonly verified: VerifiedCache;
  /** Verifies many signatures off this thread; verdicts in order. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  /** What transactions are judged by, now. */
  readonly context: () => AdmissionContext;
  /** Why nothing at all is looked at, e.g. while the node syncs; undefined while it is. */
  readonly findStandstill: () => Refusal | undefined;
  /** Called with each transaction that entered the pool, then once after the last of a round. */
  readonly onAdmitted: (entry: PoolEntry) => void;
  readonly onRoundEnd: () => void;
  /** Called when judging failed other than by verdict: a defect, or a failed read of the chain. */
  readonly onFailed: (error: unknown) => void;
};

/** A transaction that waits for its signature's verdict. */
type Pending = { readonly item: IntakeItem; readonly candidate: Candidate; readonly digest: string; readonly isVerified: boolean };

/** Transactions judged together: enough to keep the verifying threads busy, few enough to hold this one for a millisecond or two. */
const ROUND_COUNT = 256;
/** Rounds being verified at a time: while one is, the next is decoded. */
const ROUNDS_MAX = 2;

/**
 * Takes submissions to their verdicts: size, decoding, the stateful checks, the signature off this thread (many
 * submissions' together), the stateful checks again, the pool. Verdicts enter the pool in order of intake.
 */
export class Admitter {
  readonly #parts: AdmitterParts;
  readonly #intake: Intake;
  readonly #submissions = new Set<Submission>();
  #rounds = 0;
  #lastRound: Promise<void> = Promise.resolve();
  #failure: MempoolFailed | undefined;

  constructor(parts: AdmitterParts) {
    this.#parts = parts;
    this.#intake = new Intake(parts.bounds);
  }

  /** What waits to be looked at. */
  get intake(): { readonly count: number; readonly sizeBytes: number } {
    return this.#intake;
  }

  /** Settles with an outcome for each transaction in order; fails with MempoolFailed when the mempool does. */
  submit(transactions: readonly Uint8Array[], source: string): Promise<readonly SubmitOutcome[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { counters } = this.#parts;
    const submission = new Submission(transactions.length);
    counters.submitted += transactions.length;
    let sizeBytes = 0;
    for (const encoded of transactions) sizeBytes += encoded.length;
    const refusal = this.#parts.findStandstill() ?? this.#intake.findRefusal(source, transactions.length, sizeBytes);
    for (const [index, encoded] of transactions.entries()) {
      const item = { submission, index, encoded, source };
      if (refusal === undefined) this.#intake.offer(item);
      else this.#refuse(item, refusal);
    }
    if (refusal === undefined && transactions.length > 0) this.#submissions.add(submission);
    void this.#run();
    return submission.answer;
  }

  /** Resolves when everything submitted was judged (what was admitted may still wait for its sync). */
  async drain(): Promise<void> {
    while ((this.#rounds > 0 || this.#intake.count > 0) && this.#failure === undefined) await this.#lastRound;
  }

  /** Ends every submission without a verdict; later ones fail at once. */
  fail(failure: MempoolFailed): void {
    this.#failure = failure;
    this.#intake.takeAll();
    for (const submission of this.#submissions) submission.fail(failure);
    this.#submissions.clear();
  }

  /** Gives a waiting place its outcome. */
  settle({ submission, index }: Waiter, outcome: SubmitOutcome): void {
    if (this.#failure !== undefined) return; // it was failed with all others
    if (submission.settle(index, outcome)) this.#submissions.delete(submission);
    if (outcome.status === "accepted") this.#parts.counters.accepted++;
    else {
      const { rejected } = this.#parts.counters;
      rejected[outcome.code] = (rejected[outcome.code] ?? 0) + 1;
    }
  }

  #run(): void {
    while (this.#rounds < ROUNDS_MAX && this.#intake.count > 0) {
      const pending = this.#prepare(this.#intake.take(ROUND_COUNT));
      this.#rounds++;
      this.#lastRound = this.#verify(pending, this.#lastRound).then(
        () => {
          this.#rounds--;
          this.#run();
        },
        (error: unknown) => this.#parts.onFailed(error), // a defect, or the environment: no verdict may follow
      );
    }
  }

  /** The part before the signature, for a round. */
  #prepare(items: readonly IntakeItem[]): Pending[] {
    const context = this.#parts.context();
    const pending: Pending[] = [];
    for (const item of items) {
      const next = this.#prepareOne(item, context);
      if (next !== undefined) pending.push(next);
    }
    return pending;
  }

  #prepareOne(item: IntakeItem, context: AdmissionContext): Pending | undefined {
    const { encoded, source } = item;
    if (encoded.length > LIMITS.transactionBytesMax) {
      this.#refuse(item, { code: "tooLarge", detail: `${encoded.length} bytes, at most ${LIMITS.transactionBytesMax} are allowed` });
      return undefined;
    }
    // A copy: the bytes stay in the pool, and a view would keep the whole request they came in.
    const decoded = decodeTransaction(this.#parts.aad, encoded.slice());
    if (!decoded.ok) {
      this.#refuse(item, { code: decoded.error, detail: "expected one COSE_Sign1 in its canonical encoding (docs/transaction.cddl)" });
      return undefined;
    }
    const transaction = decoded.value;
    const candidate = { transaction, id: toHex(transaction.id), sender: toHex(transaction.sender), source };
    if (this.#isSettledBy(item, candidate, context)) return undefined;
    const digest = toHex(sha256(transaction.encoded));
    return { item, candidate, digest, isVerified: this.#parts.verified.has(digest) };
  }

  async #verify(pending: readonly Pending[], before: Promise<void>): Promise<void> {
    const unverified = pending.filter(({ isVerified }) => !isVerified);
    const { aad, counters } = this.#parts;
    const verdicts = await this.#parts.verifyMany(
      unverified.map(({ candidate: { transaction } }) => ({
        key: transaction.sender,
        message: transactionSignBytes(aad, transaction.payload),
        signature: transaction.signature,
      })),
    );
    assert(verdicts.length === unverified.length, "every claim gets a verdict");
    counters.verified += unverified.length;
    counters.verifiedFromCache += pending.length - unverified.length;
    // A round without signatures to wait for lets other work have its turn all the same.
    if (unverified.length === 0) await new Promise<void>((resolve) => void this.#parts.timers.after(0, resolve));
    await before;
    if (this.#failure !== undefined) return;
    const context = this.#parts.context();
    let next = 0;
    for (const one of pending) this.#admit(one, one.isVerified || verdicts[next++] === true, context);
    this.#parts.onRoundEnd();
  }

  #admit({ item, candidate, digest }: Pending, isGood: boolean, context: AdmissionContext): void {
    const { transaction } = candidate;
    if (!isGood) {
      this.#refuse(
        item,
        { code: "badSignature", detail: "the signature is not the sender's over this transaction on this chain" },
        transaction.id,
      );
      return;
    }
    this.#parts.verified.add(digest);
    if (this.#isSettledBy(item, candidate, context)) return;
    const { pool, tip } = context;
    const account = pool.findAccount(candidate.sender);
    const nextNonce = account?.nextNonce ?? tip.view.findAccount(transaction.sender)?.nonce ?? 0n;
    const entry = pool.add(admittedOf(candidate, tip.view), { hex: candidate.sender, nextNonce });
    entry.decoded = transaction;
    entry.waiters = [waiterOf(item)];
    this.#parts.onAdmitted(entry);
  }

  /** Judges by everything but the signature; whether that gave the outcome, or a place among those that wait for it. */
  #isSettledBy(item: IntakeItem, candidate: Candidate, context: AdmissionContext): boolean {
    const verdict = judge(candidate, context);
    if (!verdict.ok) {
      this.#refuse(item, verdict.error, candidate.transaction.id);
      return true;
    }
    if (verdict.value.kind === "new") return false;
    const { entry } = verdict.value;
    this.#parts.counters.repeated++;
    if (entry.isForeign) {
      // Another's batch holds it; that it is ours to see to its end as well has to be durable before it is said.
      context.pool.adopt(entry);
      entry.waiters = [waiterOf(item)];
      this.#parts.onAdmitted(entry);
    } else if (entry.waiters !== undefined) entry.waiters.push(waiterOf(item));
    else if (entry.record !== undefined) this.settle(item, { status: "accepted", id: candidate.transaction.id });
    else entry.waiters = [waiterOf(item)];
    return true;
  }

  #refuse(item: IntakeItem, refusal: Refusal, id?: Uint8Array): void {
    this.settle(item, id === undefined ? { status: "rejected", ...refusal } : { status: "rejected", id, ...refusal });
  }
}

/** Without the submitted bytes, which are a view into a request. */
function waiterOf({ submission, index }: IntakeItem): Waiter {
  return { submission, index };
}
