import type { Stream } from "@libp2p/interface";
import { assert, BoundedQueue, type CancelTimer, type Clock, type Timers } from "../kernel/index.ts";
import { Budget } from "./budget.ts";
import { BodyReader, type Frame, type FrameFault, frameOf } from "./frames.ts";
import { LANE_TRAITS, type Lane, type LaneRates, scaled } from "./lanes.ts";
import { Outbox } from "./outbox.ts";
import type { Traffic } from "./traffic.ts";

const URGENT_BOUNDS = { bytesMax: 1024 * 1024, messagesMax: 4_096, policy: "dropOldest" } as const;

/** Frames read and not yet taken: as many of the smallest as the window of a stream holds, for a held stream is not read. */
const INBOX_MAX = 512 * 1024;

/** What a channel tells its link. */
export type ChannelEvents = {
  /** A frame came. A promise holds further frames back until it settles: what the receiver cannot take, the sender keeps. */
  readonly onFrame: (lane: Lane, frame: Frame) => void | Promise<void>;
  /** The bytes are no frames. */
  readonly onFault: (lane: Lane, fault: FrameFault) => void;
  /** The stream ended while its link stands. */
  readonly onEnded: (lane: Lane, error: Error | undefined) => void;
  /** There is room again after an offer was refused. */
  readonly onRoom: (lane: Lane) => void;
};

/** What a channel runs on. */
export type ChannelParts = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly traffic: Traffic;
  /** What a validator may send. */
  readonly rates: LaneRates;
  readonly events: ChannelEvents;
};

/**
 * One lane of a link: cuts what comes into frames, at most as fast as the peer's budget allows, and sends what is
 * offered, no more than one message ahead of what the peer's window takes. Offers before the stream is there wait in the outbox like others.
 */
export class Channel {
  readonly lane: Lane;
  readonly #parts: ChannelParts;
  readonly #outbox: Outbox;
  /** What goes ahead of the rest of the lane: few bytes that others wait for. */
  readonly #urgent = new Outbox(URGENT_BOUNDS);
  readonly #reader: BodyReader;
  readonly #inbox = new BoundedQueue<Uint8Array>(INBOX_MAX);
  #bytes: Budget;
  #messages: Budget;
  #stream: Stream | undefined;
  #isHeld = false;
  #isClosed = false;
  #isOwedRoom = false;
  #cancelHold: CancelTimer | undefined;

  constructor(lane: Lane, parts: ChannelParts) {
    const traits = LANE_TRAITS[lane];
    this.lane = lane;
    this.#parts = parts;
    this.#outbox = new Outbox(traits.outbox);
    this.#reader = new BodyReader(traits.frameBytesMax);
    [this.#bytes, this.#messages] = budgetsOf(lane, parts, false);
  }

  /** Bytes that wait to be sent, those within the stream aside. */
  get queuedBytes(): number {
    return this.#outbox.bytes + this.#urgent.bytes;
  }

  /** Gives the peer the budget of a validator. Before the hello it has an observer's. */
  grantValidator(): void {
    [this.#bytes, this.#messages] = budgetsOf(this.lane, this.#parts, true);
  }

  /** Takes the stream; to be called in the turn in which it appears, before its first bytes are told. */
  attach(stream: Stream): void {
    assert(this.#stream === undefined, "a lane has one stream");
    this.#stream = stream;
    stream.addEventListener("message", ({ data }) => this.#onBytes(data instanceof Uint8Array ? [data] : data));
    // Not "drain": it also comes while the peer's window is shut, and each would let one more message into the stream.
    // Not within "idle" itself: the stream is still sending then, and would forget what is given to it.
    stream.addEventListener("idle", () => queueMicrotask(() => this.#flush()));
    stream.addEventListener("remoteCloseWrite", () => this.#onEnded(undefined));
    stream.addEventListener("close", ({ error }) => this.#onEnded(error));
    this.#flush();
  }

  /** Whether its stream is there. */
  get isAttached(): boolean {
    return this.#stream !== undefined;
  }

  /**
   * Queues an encoded frame; false when the lane's policy refuses it, and `onRoom` follows when it may be offered again.
   * An urgent one goes ahead of those that are not; of too many urgent ones the oldest are dropped, on any lane.
   */
  offer(label: string, bytes: Uint8Array, isUrgent = false): boolean {
    if (this.#isClosed) return false;
    const { isQueued, dropped } = (isUrgent ? this.#urgent : this.#outbox).offer({ label, bytes });
    for (const lost of dropped) this.#parts.traffic.count("dropped", `${this.lane}/${lost.label}`, lost.bytes.length);
    if (!isQueued) {
      this.#parts.traffic.count("dropped", `${this.lane}/${label}`, bytes.length);
      this.#isOwedRoom = true;
    }
    this.#flush();
    return isQueued;
  }

  /** Ends it: nothing is sent, read or told any more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelHold?.();
  }

  #flush(): void {
    const stream = this.#stream;
    while (stream?.writeStatus === "writable" && stream.writeBufferLength === 0 && !this.#isClosed) {
      const next = this.#urgent.poll() ?? this.#outbox.poll();
      if (!next) break;
      this.#parts.traffic.count("sent", `${this.lane}/${next.label}`, next.bytes.length);
      stream.send(next.bytes);
    }
    if (this.#isOwedRoom && this.#outbox.isRoomy && !this.#isClosed) {
      this.#isOwedRoom = false;
      this.#parts.events.onRoom(this.lane);
    }
  }

  #onBytes(chunks: Iterable<Uint8Array>): void {
    for (const chunk of chunks) {
      if (this.#isClosed) return;
      const bodies = this.#reader.push(chunk);
      if (!bodies.ok) {
        this.#parts.events.onFault(this.lane, bodies.error);
        return;
      }
      if (!bodies.value.every((body) => this.#inbox.offer(body))) {
        this.#parts.events.onFault(this.lane, "tooLarge");
        return;
      }
    }
    this.#work();
  }

  #work(): void {
    while (!this.#isHeld && !this.#isClosed) {
      const body = this.#inbox.poll();
      if (!body) return;
      const nowMs = this.#parts.clock.monotonicMs();
      const waitMs = Math.max(this.#bytes.spend(body.length, nowMs), this.#messages.spend(1, nowMs));
      const taking = this.#parts.events.onFrame(this.lane, frameOf(body));
      if (waitMs > 0) this.#holdFor(waitMs);
      if (taking) this.#holdUntil(taking);
    }
  }

  #holdFor(waitMs: number): void {
    if (!this.#hold()) return;
    this.#cancelHold = this.#parts.timers.after(waitMs, () => this.#release());
  }

  #holdUntil(taking: Promise<void>): void {
    this.#cancelHold?.();
    this.#hold();
    taking
      .finally(() => this.#release())
      .catch((error: unknown) => this.#onEnded(error instanceof Error ? error : new Error(String(error))));
  }

  #hold(): boolean {
    if (this.#isClosed) return false;
    this.#isHeld = true;
    if (this.#stream?.readStatus === "readable") this.#stream.pause();
    return true;
  }

  #release(): void {
    this.#isHeld = false;
    if (this.#isClosed) return;
    this.#work();
    if (!this.#isHeld && this.#stream?.readStatus === "paused") this.#stream.resume();
  }

  #onEnded(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.close();
    this.#parts.events.onEnded(this.lane, error);
  }
}

/** The budgets of a peer on a lane, in bytes and in messages. What may come at once stays in proportion to the rate. */
function budgetsOf(lane: Lane, { clock, rates }: ChannelParts, isValidator: boolean): [Budget, Budget] {
  const { bytes, messages } = LANE_TRAITS[lane];
  const perSecond = rates[lane];
  const rate = { perSecond, burst: (bytes.burst * perSecond) / bytes.perSecond };
  const nowMs = clock.monotonicMs();
  return [new Budget(scaled(rate, isValidator), nowMs), new Budget(scaled(messages, isValidator), nowMs)];
}
