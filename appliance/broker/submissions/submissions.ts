import { assert, err, type Log, ok, present, type Result, splitCborSequence, type Timers } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import type { RejectionCode } from "../../../src/protocol/index.ts";
import { receiptTopicOf, submitTopicOf, type TopicScope } from "../access/index.ts";
import type { Access, Intake, Publication, Submission, SubmissionAnswer } from "../types.ts";
import { DeskQueue } from "./desk-queue.ts";
import { OwedReceipts, type ReceiptAddress } from "./owed-receipts.ts";
import type { Ending, ItemOutcome, TransactionDesk } from "./ports.ts";
import { REASONS, RETRY_AFTER_MS, SUCCESS } from "./reasons.ts";
import { CONTENT_TYPES, encodeReceipt, type Receipt } from "./receipts.ts";
import { responseTopicOf } from "./response-topic.ts";

/** Bounds of submissions; docs/mqtt.md says what happens at each. */
export type SubmissionLimits = {
  /** Transactions in one submission. */
  readonly itemsMax: number;
  /** Transactions whose last receipt is owed. */
  readonly receiptsMax: number;
};

/** What submissions are made of. */
export type SubmissionOptions = {
  readonly scope: TopicScope;
  readonly desk: TransactionDesk;
  readonly access: Pick<Access, "mayPublish" | "maySubscribe">;
  readonly publish: (publication: Publication) => void;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: SubmissionLimits;
};

/** Bytes of submissions that wait for their answer, of all connections. */
const OPEN_BYTES_MAX = 32 * 1024 * 1024;
/** How long an acknowledgement waits for the node; after it, the device is told to come again. */
const ANSWER_MS = 30_000;
/** How long a receipt waits for a device that is away: the longest life of a session. */
const RECEIPT_SECONDS = 7 * 86_400;

type Refusal = Extract<ItemOutcome, { status: "rejected" }>;

/**
 * Takes what devices publish to their submit topic, hands it to the node, and answers when it is durable: PUBACK or PUBREC
 * with the reason, then receipts. Every refusal that stands has a receipt; one that may pass is told by the
 * acknowledgement, or by cutting a client off that could not read it.
 */
export class Submissions implements Intake, MetricSource {
  readonly #options: SubmissionOptions;
  readonly #queue: DeskQueue;
  readonly #owed: OwedReceipts;
  readonly #outcomes = new Map<string, number>();
  readonly #receipts = new Map<string, number>();
  readonly #unsubscribe: () => void;
  #openBytes = 0;

  constructor(options: SubmissionOptions) {
    this.#options = options;
    this.#queue = new DeskQueue(options.desk, options.timers);
    this.#owed = new OwedReceipts(options.limits.receiptsMax);
    this.#unsubscribe = options.desk.subscribeEndings((endings) => this.#onEndings(endings));
  }

  claims(topic: string): boolean {
    const [root, , , kind, device = "", verb, ...more] = topic.split("/");
    if (root !== "bizra" || kind !== "tx" || verb !== "submit" || more.length > 0) return false;
    return topic === submitTopicOf(this.#options.scope, device);
  }

  async take(submission: Submission): Promise<SubmissionAnswer> {
    const addressed = this.#addressOf(submission);
    if (!addressed.ok) return this.#refuse(submission, addressed.error, this.#defaultAddress(submission));
    const address = addressed.value;
    const cut = this.#cut(submission.payload);
    if (!cut.ok) return this.#refuse(submission, cut.error, address);
    const { items, damage } = cut.value;
    if (items.length === 0 && damage) return this.#refuse(submission, damage, address);
    const bytes = submission.payload.length;
    if (this.#openBytes + bytes > OPEN_BYTES_MAX || !this.#owed.reserve(items.length)) {
      return this.#refuse(submission, { status: "rejected", ...NO_ROOM }, address);
    }
    this.#openBytes += bytes;
    const answered = this.#queue
      .submit({ items, source: `mqtt/${submission.principal.name}` })
      .then((outcomes) => this.#onOutcomes(submission, damage ? [...outcomes, damage] : outcomes, address))
      .finally(() => {
        this.#openBytes -= bytes;
        this.#owed.release(items.length);
      });
    return await this.#withinTime(submission, answered);
  }

  /** Stops telling endings. */
  stop(): void {
    this.#unsubscribe();
  }

  collect(): MetricFamily[] {
    const samplesOf = (counts: ReadonlyMap<string, number>, label: string) =>
      [...counts].map(([key, value]) => ({ labels: { [label]: key }, value }));
    const families: MetricFamily[] = [
      {
        name: "bizra_mqtt_transactions_total",
        help: "Transactions submitted over MQTT by outcome: accepted, or the code of the refusal.",
        kind: "counter",
        samples: samplesOf(this.#outcomes, "outcome"),
      },
      {
        name: "bizra_mqtt_receipts_total",
        help: "Receipts sent to devices, by status.",
        kind: "counter",
        samples: samplesOf(this.#receipts, "status"),
      },
      {
        name: "bizra_mqtt_receipts_owed",
        help: "Transactions submitted over MQTT whose last receipt is owed.",
        kind: "gauge",
        samples: [{ value: this.#owed.count }],
      },
      {
        name: "bizra_mqtt_submission_open_bytes",
        help: "Bytes of submissions that wait for their answer.",
        kind: "gauge",
        samples: [{ value: this.#openBytes }],
      },
    ];
    return families.filter(({ samples }) => samples.length > 0);
  }

  /** Where this submission's receipts go, or why it may not name that place. */
  #addressOf(submission: Submission): Result<ReceiptAddress, Refusal> {
    const { scope, access } = this.#options;
    const base = this.#defaultAddress(submission);
    const topic = responseTopicOf(submission, base.topic, access);
    if (topic === undefined) {
      const detail = `expected a Response Topic below ${receiptTopicOf(scope, submission.principal.name)}`;
      return err({ status: "rejected", code: "notAuthorized", detail });
    }
    const { correlationData } = submission.properties;
    return ok({ ...base, topic, ...(correlationData ? { correlationData } : {}) });
  }

  #defaultAddress({ principal, properties }: Submission): ReceiptAddress {
    const mediaType = (properties.contentType ?? "").split(";")[0]?.trim().toLowerCase();
    return {
      topic: receiptTopicOf(this.#options.scope, principal.name),
      form: mediaType === CONTENT_TYPES.cbor ? "cbor" : "json",
    };
  }

  /** The transactions of a payload; `damage` stands for the rest of a sequence that cannot be told apart. */
  #cut(payload: Uint8Array): Result<{ readonly items: readonly Uint8Array[]; readonly damage?: Refusal }, Refusal> {
    const { itemsMax } = this.#options.limits;
    if (payload.length === 0) return err({ status: "rejected", code: "malformed", detail: "expected a transaction, got an empty payload" });
    const { items, damageAt, isTooLong } = splitCborSequence(payload, itemsMax);
    if (isTooLong)
      return err({ status: "rejected", code: "tooLarge", detail: `expected at most ${itemsMax} transactions in one submission` });
    if (damageAt === undefined) return ok({ items });
    const detail = `from byte ${damageAt} on the payload is no sequence of well-formed CBOR items`;
    return ok({ items, damage: { status: "rejected", code: "malformed", detail } });
  }

  #onOutcomes(submission: Submission, outcomes: readonly ItemOutcome[], address: ReceiptAddress): SubmissionAnswer {
    const first = present(outcomes[0], "a submission has an outcome");
    const isTaken = (outcome: ItemOutcome): boolean => outcome.status === "accepted" || outcome.code === "duplicate";
    const isAnyTaken = outcomes.some(isTaken);
    for (const [place, outcome] of outcomes.entries()) {
      const target = outcomes.length > 1 ? { ...address, position: place } : address;
      this.#count(this.#outcomes, outcome.status === "accepted" ? "accepted" : outcome.code);
      if (isTaken(outcome) && outcome.id) this.#owed.add(outcome.id, target);
      if (outcome.status === "accepted") this.#send(outcome, target);
      // A duplicate's receipt is its ending. What may pass is told by the acknowledgement, where that can say it.
      else if (outcome.code !== "duplicate" && (!REASONS[outcome.code].isRetryable || isAnyTaken || submission.qos === 0)) {
        this.#send(outcome, target);
      }
    }
    if (isAnyTaken) return { reasonCode: SUCCESS };
    assert(first.status === "rejected", "a submission of which nothing is taken begins with a refusal");
    return this.#answerOf(submission, first);
  }

  /** Refuses a whole submission before the node is asked. */
  #refuse(submission: Submission, refusal: Refusal, address: ReceiptAddress): SubmissionAnswer {
    this.#count(this.#outcomes, refusal.code);
    if (!REASONS[refusal.code].isRetryable || submission.qos === 0) this.#send(refusal, address);
    return this.#answerOf(submission, refusal);
  }

  #answerOf({ protocolVersion, qos }: Submission, { code, retryAfterMs }: Refusal): SubmissionAnswer {
    const reason = REASONS[code];
    if (qos === 0) return { reasonCode: reason.code };
    if (protocolVersion === 4) return reason.isRetryable ? "close" : { reasonCode: SUCCESS };
    const retry = reason.isRetryable ? { retryAfterMs: retryAfterMs ?? RETRY_AFTER_MS } : {};
    return { reasonCode: reason.code, reasonString: code satisfies RejectionCode, ...retry };
  }

  /** An answer that does not come in time becomes "come again": the same bytes handed in twice execute once. */
  #withinTime(submission: Submission, answered: Promise<SubmissionAnswer>): Promise<SubmissionAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<SubmissionAnswer>();
    const cancel = this.#options.timers.after(ANSWER_MS, () => {
      this.#options.log.warn("mqtt.submissionLate", { device: submission.principal.name, waitedMs: ANSWER_MS });
      resolve(this.#answerOf(submission, { status: "rejected", ...NO_ROOM }));
    });
    answered.then(resolve, reject).finally(cancel);
    return promise;
  }

  #onEndings(endings: readonly Ending[]): void {
    for (const ending of endings) for (const address of this.#owed.take(ending.id)) this.#send(ending, address);
  }

  #send(receipt: Receipt, { topic, form, correlationData, position }: ReceiptAddress): void {
    this.#count(this.#receipts, receipt.status);
    this.#options.publish({
      topic,
      payload: encodeReceipt(receipt, form, position),
      qos: 1,
      properties: { contentType: CONTENT_TYPES[form], isPayloadUtf8: form === "json", ...(correlationData ? { correlationData } : {}) },
      expirySeconds: RECEIPT_SECONDS,
    });
  }

  #count(counts: Map<string, number>, key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
}

const NO_ROOM = {
  code: "quotaExceeded",
  detail: "too many transactions wait for their receipts; come again later",
  retryAfterMs: RETRY_AFTER_MS,
} as const;
