import { assert } from "../../../src/kernel/index.ts";
import { isExpired, type Message, weightOf } from "../message.ts";
import type { DeliveryState } from "../rows.ts";
import type { QoS } from "../types.ts";
import { Fifo } from "./fifo.ts";
import type { QueueBudget, Yielding } from "./queue-budget.ts";

/** A message on its way to one session. */
export interface Delivery {
  /** Place in the session's order; of two deliveries the older has the smaller. */
  readonly position: number;
  readonly message: Message;
  readonly qos: QoS;
  readonly isRetain: boolean;
  readonly subscriptionIds: readonly number[];
  /** 0 until it is sent, and always with QoS 0. */
  packetId: number;
  state: DeliveryState;
}

/** Bounds of one outbox. */
export interface OutboxBounds {
  readonly queuedCountMax: number;
  readonly queuedBytesMax: number;
}

/** Keeps deliveries of QoS 1 and 2 for a session that survives. */
export interface DeliveryRecord {
  /** `isNew` when the delivery was not kept before. */
  save(delivery: Delivery, isNew: boolean): void;
  drop(delivery: Delivery): void;
}

const PACKET_ID_MAX = 65_535;

/**
 * What waits for one session and what it has not acknowledged, in order, within a count and bytes: a message too many is
 * refused, those that wait stay (the newest is dropped), but for those of QoS 0, which make room for others. Where all sessions
 * together hold too much, the longest outbox gives way. Knows nothing of packets, clocks or disks.
 *
 * Invariant: of QoS 1 and 2, at most `window` deliveries are open on a connection (MQTT-3.3.4-9).
 */
export class Outbox implements Yielding {
  readonly #bounds: OutboxBounds;
  readonly #budget: QueueBudget;
  readonly #record: DeliveryRecord;
  readonly #fleeting = new Fifo<Delivery>();
  readonly #lasting = new Fifo<Delivery>();
  readonly #inflight = new Map<number, Delivery>();
  #resend = new Fifo<Delivery>();
  readonly #open = new Set<number>();
  #window = 0;
  #position = 0;
  #packetId = 0;
  #bytes = 0;
  #waitingBytes = 0;

  constructor(bounds: OutboxBounds, budget: QueueBudget, record: DeliveryRecord) {
    this.#bounds = bounds;
    this.#budget = budget;
    this.#record = record;
  }

  /** Deliveries that wait or are open. */
  get length(): number {
    return this.#fleeting.length + this.#lasting.length + this.#inflight.size;
  }

  /** Whether another delivery of QoS 1 or 2 could leave at once. */
  get hasRoomInWindow(): boolean {
    return this.#lasting.length === 0 && this.#open.size < this.#window;
  }

  /** Bytes of what waits and was not sent. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Puts a message at the end; false when there is no room, for it, for all sessions, or for so large a message. */
  offer(message: Message, qos: QoS, isRetain: boolean, subscriptionIds: readonly number[], nowMs: number): boolean {
    const weight = weightOf(message);
    if (!this.#hasRoom(weight) || !this.#budget.hasRoom(weight)) this.#dropExpired(nowMs);
    while (!this.#hasRoom(weight) || !this.#budget.makeRoom(weight, this.#bytes)) {
      const yielding = qos > 0 ? this.#fleeting.shift() : undefined;
      if (yielding === undefined) return false;
      this.#account(yielding, -1);
    }
    const delivery: Delivery = { position: ++this.#position, message, qos, isRetain, subscriptionIds, packetId: 0, state: "queued" };
    this.#account(delivery, 1);
    if (qos === 0) this.#fleeting.push(delivery);
    else {
      this.#lasting.push(delivery);
      this.#record.save(delivery, true);
    }
    return true;
  }

  /** Takes in a delivery that was kept; called in order of position, before anything else. */
  restore(delivery: Delivery): void {
    assert(delivery.position > this.#position && delivery.qos > 0, "kept deliveries come back in their order");
    this.#position = delivery.position;
    this.#account(delivery, 1);
    if (delivery.state === "queued") this.#lasting.push(delivery);
    else {
      this.#inflight.set(delivery.packetId, delivery);
      this.#packetId = delivery.packetId;
    }
  }

  /** A connection begins that allows this many open deliveries: what was open on the one before is sent again. */
  begin(window: number): void {
    assert(window >= 1, "a connection allows at least one delivery");
    this.#window = window;
    this.#open.clear();
    this.#resend = new Fifo();
    for (const delivery of this.#inflight.values()) this.#resend.push(delivery);
  }

  /** The connection ended: what is of QoS 0 goes, and nothing is given out until the next. */
  end(): void {
    this.#window = 0;
    this.#open.clear();
    for (const delivery of this.#fleeting.drain()) this.#account(delivery, -1);
  }

  /**
   * The next to send, marked as sent; undefined when nothing waits or the window is full. One with a packet identifier and
   * `isAgain` was sent on an earlier connection. What has expired is dropped on the way, unless it was sent before.
   */
  next(nowMs: number): { readonly delivery: Delivery; readonly isAgain: boolean } | undefined {
    const again = this.#resend.peek();
    if (again !== undefined && this.#open.size < this.#window) {
      this.#resend.shift();
      if (this.#inflight.get(again.packetId) !== again) return this.next(nowMs);
      this.#open.add(again.packetId);
      return { delivery: again, isAgain: true };
    }
    this.#dropExpired(nowMs);
    const lasting = again === undefined && this.#open.size < this.#window ? this.#lasting.peek() : undefined;
    const fleeting = this.#fleeting.peek();
    if (fleeting !== undefined && (lasting === undefined || fleeting.position < lasting.position)) {
      this.#fleeting.shift();
      this.#account(fleeting, -1);
      return { delivery: fleeting, isAgain: false };
    }
    if (lasting === undefined) return undefined;
    this.#lasting.shift();
    this.#countWaiting(-weightOf(lasting.message));
    lasting.packetId = this.#freePacketId();
    lasting.state = "sent";
    this.#inflight.set(lasting.packetId, lasting);
    this.#open.add(lasting.packetId);
    this.#record.save(lasting, false);
    return { delivery: lasting, isAgain: false };
  }

  /** For the budget, where all together hold too much: the newest that was not sent is dropped, of QoS 0 first. */
  yieldNewest(): void {
    const fleeting = this.#fleeting.pop();
    const yielded = fleeting ?? this.#lasting.pop();
    assert(yielded !== undefined, "an outbox yields only what waits");
    this.#account(yielded, -1);
    if (fleeting === undefined) this.#record.drop(yielded);
  }

  /** PUBACK: the delivery is done. False when none of QoS 1 has this packet identifier. */
  acknowledge(packetId: number): boolean {
    return this.#finish(packetId, (delivery) => delivery.qos === 1);
  }

  /** PUBREC: the receiver has it, or with an error never will. False when none of QoS 2 has this packet identifier. */
  receive(packetId: number, isError: boolean): boolean {
    const delivery = this.#inflight.get(packetId);
    if (delivery === undefined || delivery.qos !== 2) return false;
    if (isError) return this.#finish(packetId, () => true);
    if (delivery.state !== "released") {
      delivery.state = "released";
      this.#record.save(delivery, false);
    }
    return true;
  }

  /** PUBCOMP: the delivery is done. False when none was released under this packet identifier. */
  complete(packetId: number): boolean {
    return this.#finish(packetId, (delivery) => delivery.state === "released");
  }

  /** Ends a delivery that cannot be sent, as if it were done. @see MQTT-3.1.2-25 */
  discard(delivery: Delivery): void {
    if (delivery.qos > 0) this.#finish(delivery.packetId, () => true);
  }

  /** Everything goes; the session ends. */
  clear(): void {
    const lasting = [...this.#lasting.drain(), ...this.#inflight.values()];
    for (const delivery of [...lasting, ...this.#fleeting.drain()]) this.#account(delivery, -1);
    for (const delivery of lasting) this.#record.drop(delivery);
    this.#inflight.clear();
    this.#open.clear();
    this.#resend = new Fifo();
  }

  /** All of QoS 1 and 2, in no order: to keep them when the session comes to survive, or to forget them. */
  *lasting(): Generator<Delivery> {
    yield* this.#inflight.values();
    const waiting = this.#lasting.drain();
    for (const delivery of waiting) this.#lasting.push(delivery);
    yield* waiting;
  }

  #hasRoom(weight: number): boolean {
    return this.length < this.#bounds.queuedCountMax && this.#bytes + weight <= this.#bounds.queuedBytesMax;
  }

  #finish(packetId: number, isRight: (delivery: Delivery) => boolean): boolean {
    const delivery = this.#inflight.get(packetId);
    if (delivery === undefined || !isRight(delivery)) return false;
    this.#inflight.delete(packetId);
    this.#open.delete(packetId);
    this.#account(delivery, -1);
    this.#record.drop(delivery);
    return true;
  }

  #dropExpired(nowMs: number): void {
    for (const queue of [this.#fleeting, this.#lasting]) {
      for (let head = queue.peek(); head !== undefined && isExpired(head.message, nowMs); head = queue.peek()) {
        queue.shift();
        this.#account(head, -1);
        if (head.qos > 0) this.#record.drop(head);
      }
    }
  }

  /** Packet identifiers go round; those in use are passed over. @see MQTT-2.2.1-4 */
  #freePacketId(): number {
    assert(this.#inflight.size < PACKET_ID_MAX, "a packet identifier is free");
    do this.#packetId = this.#packetId >= PACKET_ID_MAX ? 1 : this.#packetId + 1;
    while (this.#inflight.has(this.#packetId));
    return this.#packetId;
  }

  #countWaiting(change: number): void {
    const before = this.#waitingBytes;
    this.#waitingBytes += change;
    this.#budget.onWaiting(this, before);
  }

  #account(delivery: Delivery, sign: 1 | -1): void {
    const weight = sign * weightOf(delivery.message);
    this.#bytes += weight;
    this.#budget.usedBytes += weight;
    this.#budget.usedCount += sign;
    if (delivery.state === "queued") this.#countWaiting(weight);
    assert(this.#bytes >= 0 && this.#budget.usedBytes >= 0, "what leaves a queue was counted in");
  }
}
