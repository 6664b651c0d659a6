import { assert } from "../../src/kernel/index.ts";
import { SYNC_LIMITS, type SyncCursor, type SyncLane } from "../protocol/index.ts";
import { type CursorVerdict, isAfter, type Place } from "./types.ts";

/** Records on their way. */
type Flight = { readonly epoch: number; readonly to: number; readonly bytes: number; readonly sentAtMs: number };

const START: Place = { epoch: 0, sequence: 0 };

/** How far one lane has come with one aggregator. */
export class LaneProgress {
  readonly lane: SyncLane;
  /** The node's last record, as told. */
  #tip: Place = START;
  /** The last record that was acknowledged in this session. */
  #acked: Place = START;
  /** The last record that was sent. */
  #sent: Place = START;
  #flights: Flight[] = [];
  /** When the first record that is not sent yet became known. */
  #growthAtMs = Infinity;
  #notBeforeMs = 0;
  #intervalMs = 0;
  #flightsMax = 1;
  #isReading = false;
  /** Whether it was refused for want of room or time: then one small batch asks whether that has passed. */
  #isProbing = false;
  /** What the aggregator holds beyond or beside this lane; nothing is sent while it stands. */
  #held: { readonly cursor: SyncCursor; readonly verdict: CursorVerdict } | undefined;

  constructor(lane: SyncLane) {
    this.lane = lane;
  }

  /** Whether the lane may not be sent. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Whether the last answer was that there is no room or time for it. */
  get isProbing(): boolean {
    return this.#isProbing;
  }

  /** Whether a batch is being read and has not gone out yet. */
  get isReading(): boolean {
    return this.#isReading;
  }

  get bytesInFlight(): number {
    return this.#flights.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** When the oldest batch on its way was sent; Infinity when none is. */
  get oldestSentAtMs(): number {
    return this.#flights[0]?.sentAtMs ?? Infinity;
  }

  /** When the next batch is due: at once when a full one waits, else after the linger. Infinity while nothing may be sent. */
  dueAtMs(lingerMs: number | undefined): number {
    const flightsMax = this.#isProbing ? 1 : this.#flightsMax;
    if (this.#held || this.#isReading || this.#flights.length >= flightsMax || !isAfter(this.#tip, this.#sent)) return Infinity;
    const isFull = this.#tip.epoch !== this.#sent.epoch || this.#tip.sequence - this.#sent.sequence >= SYNC_LIMITS.batchRecordsMax;
    if (lingerMs === undefined) return Infinity;
    return Math.max(this.#notBeforeMs, isFull ? 0 : this.#growthAtMs + lingerMs);
  }

  onGrown(tip: Place, nowMs: number): void {
    if (!isAfter(tip, this.#tip)) return;
    if (!isAfter(this.#tip, this.#sent)) this.#growthAtMs = nowMs;
    this.#tip = tip;
    // A lane that is a function of the chain grows back to what the aggregator holds: the next refusal or hello compares.
    if (this.#held?.verdict === "ahead" && !isAfter(this.#held.cursor, tip)) this.#rewind(this.#held.cursor, nowMs);
  }

  /** A session begins where the aggregator stands. */
  onSession(
    cursor: SyncCursor | undefined,
    verdict: CursorVerdict,
    { intervalMs, isOrdered }: { readonly intervalMs: number; readonly isOrdered: boolean },
    nowMs: number,
  ): void {
    this.#intervalMs = intervalMs;
    this.#flightsMax = isOrdered ? SYNC_LIMITS.inFlightMax : 1;
    this.#isProbing = false;
    this.#notBeforeMs = 0;
    if (cursor) this.onRewound(cursor, verdict, nowMs);
    else this.#rewind(START, nowMs);
  }

  /** The aggregator says where it stands: everything after that is sent again. */
  onRewound(cursor: SyncCursor, verdict: CursorVerdict, nowMs: number): void {
    this.#rewind(cursor, nowMs);
    if (verdict !== "same") this.#held = { cursor, verdict };
  }

  /** A batch is being read; the next waits for it. */
  beginReading(): Place {
    assert(!this.#held && !this.#isReading, "a lane is read once at a time, and not while it is held");
    this.#isReading = true;
    return this.#sent;
  }

  onNothing(): void {
    this.#isReading = false;
    this.#sent = this.#tip;
  }

  onSent(
    { epoch, from, to, bytes }: { readonly epoch: number; readonly from: number; readonly to: number; readonly bytes: number },
    nowMs: number,
  ): void {
    assert(this.#isReading && to >= from, "what is sent was read");
    assert(isAfter({ epoch, sequence: from }, this.#sent), "records are sent in order");
    this.#isReading = false;
    this.#sent = { epoch, sequence: to };
    this.#flights.push({ epoch, to, bytes, sentAtMs: nowMs });
    this.#notBeforeMs = nowMs + this.#intervalMs;
    if (!isAfter(this.#tip, this.#sent)) {
      this.#growthAtMs = Infinity;
      this.#tip = this.#sent;
    } // else what is left has waited since then: it goes as soon as there is room
  }

  /** @returns whether it says more than was known, and the last batch that it answers */
  onAck(
    cursor: SyncCursor,
    intervalMs: number,
    nowMs: number,
  ): { readonly isNews: boolean; readonly landed: { readonly bytes: number; readonly sentAtMs: number } | undefined } {
    this.#intervalMs = intervalMs;
    this.#isProbing = false;
    const landed = this.#flights.findLast(({ epoch, to }) => !isAfter({ epoch, sequence: to }, cursor));
    this.#flights = this.#flights.filter(({ epoch, to }) => isAfter({ epoch, sequence: to }, cursor));
    const isNews = isAfter(cursor, this.#acked);
    if (isNews) this.#acked = cursor;
    if (isAfter(cursor, this.#sent)) this.#rewind(cursor, nowMs); // another link of ours had sent more
    return { isNews, landed };
  }

  /** Whether a batch that ends here is on its way: answers to what was rewound since are passed over. */
  isOnItsWay({ epoch, sequence }: Place): boolean {
    return this.#flights.some((flight) => flight.epoch === epoch && flight.to === sequence);
  }

  /** Everything on its way was refused for now: what comes next is one batch, and the rest once that was taken. */
  onPaused(untilMs: number): void {
    this.#isProbing = true;
    this.#flights = [];
    this.#sent = this.#acked;
    this.#isReading = false;
    this.#growthAtMs = untilMs;
    this.#notBeforeMs = untilMs;
  }

  onLinkLost(): void {
    this.#flights = [];
    this.#isReading = false;
    this.#held = undefined;
    this.#sent = this.#acked;
  }

  /** A new incarnation begins: what came before stays as the aggregator has it. */
  release(): void {
    if (!this.#held) return;
    const { epoch } = this.#tip;
    this.#held = undefined;
    this.#sent = { epoch, sequence: 0 };
  }

  #rewind(place: Place, nowMs: number): void {
    this.#held = undefined;
    this.#flights = [];
    this.#isReading = false;
    this.#acked = { epoch: place.epoch, sequence: place.sequence };
    this.#sent = this.#acked;
    this.#growthAtMs = isAfter(this.#tip, this.#sent) ? nowMs : Infinity;
  }
}
