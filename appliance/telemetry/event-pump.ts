import type { EventLog, Lane, LaneCursor } from "../../src/events/index.ts";
import type { CancelTimer, Clock, Log, Timers } from "../../src/kernel/index.ts";
import { cloudEvent, skippedEvent } from "./cloud-event.ts";
import type { Outlet } from "./outlet.ts";
import type { BandwidthProfile } from "./profiles.ts";
import type { TelemetryStore } from "./store.ts";
import type { NodeName } from "./topics.ts";

/** The event log, as far as it is read here. */
export type EventReader = Pick<EventLog, "read" | "tip" | "subscribe">;

/** What sending events to one broker takes. */
export type EventPumpParts = {
  readonly name: NodeName;
  /** The broker's name: the key of its cursors. */
  readonly broker: string;
  readonly outlet: Outlet;
  readonly events: EventReader;
  readonly store: TelemetryStore;
  readonly profile: BandwidthProfile;
  /** Records of a lane that may wait for a broker; older ones are skipped, and an event says which. */
  readonly waitingMax: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Records read and under way at a time. */
const PAGE_RECORDS = 16;
/** How far a broker has the events is kept at the latest this long after it moved: what a crash may have told twice. */
const KEEP_AFTER_MS = 10_000;

/**
 * Sends the event log to one broker as CloudEvents, in order within a lane. The log itself is the outbox: a record counts as
 * told when the broker has acknowledged it, and the durable cursor says how far that is.
 */
export class EventPump {
  readonly #parts: EventPumpParts;
  readonly #cursors = new Map<Lane, LaneCursor>();
  readonly #moved = new Map<Lane, LaneCursor>();
  readonly #broken = new Set<Lane>();
  #unsubscribe: () => void = () => {};
  #cancelPump: CancelTimer | undefined;
  #cancelKeep: CancelTimer | undefined;
  #isPumping = false;
  #isClosed = false;

  constructor(parts: EventPumpParts) {
    this.#parts = parts;
    parts.outlet.onConnectionChange((isConnected) => {
      if (isConnected) this.#schedule();
    });
  }

  /** Begins with what the broker does not have; a broker that is new begins with what happens from now on. */
  start(): void {
    const { broker, events, store, profile } = this.#parts;
    for (const lane of profile.lanes) {
      const known = store.cursor(broker, lane);
      const { epoch, sequence } = known ?? events.tip(lane);
      this.#cursors.set(lane, { epoch, sequence });
      if (known === undefined) this.#note(lane, { epoch, sequence });
    }
    this.#unsubscribe = events.subscribe((lane) => {
      if (this.#cursors.has(lane)) this.#schedule();
    });
    this.#schedule();
  }

  /** Records that the broker does not have; across incarnations of a lane, those of the last. */
  get waiting(): number {
    let count = 0;
    for (const [lane, cursor] of this.#cursors) {
      const tip = this.#parts.events.tip(lane);
      count += tip.epoch === cursor.epoch ? tip.sequence - cursor.sequence : tip.sequence;
    }
    return count;
  }

  /** Stops, keeping how far it came. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelPump?.();
    this.#keep();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#cancelPump ??= this.#parts.timers.after(this.#parts.profile.eventLingerMs, () => {
      this.#cancelPump = undefined;
      void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) {
      this.#schedule(); // what grew meanwhile, or the connection that replaced this one, has its turn
      return;
    }
    this.#isPumping = true;
    try {
      while (!this.#isClosed && (await this.#sendPages())) {}
    } finally {
      this.#isPumping = false;
    }
  }

  /** Sends a page of each lane; whether there may be more to send now. */
  async #sendPages(): Promise<boolean> {
    let hasMore = false;
    for (const [lane, cursor] of this.#cursors) {
      if (!this.#parts.outlet.isConnected || this.#isClosed) return false;
      if (!this.#broken.has(lane) && (await this.#sendPage(lane, cursor))) hasMore = true;
    }
    return hasMore && this.#parts.outlet.isConnected;
  }

  async #sendPage(lane: Lane, cursor: LaneCursor): Promise<boolean> {
    const { events, outlet, name, log } = this.#parts;
    if (await this.#skipTooMany(lane, cursor)) return true;
    const read = events.read(lane, cursor, PAGE_RECORDS);
    if (!read.ok) {
      log.error("telemetry.laneDamaged", { lane, detail: read.error.detail });
      this.#broken.add(lane);
      return false;
    }
    const last = read.value.at(-1);
    if (last === undefined) return false;
    const deliveries = await Promise.all(read.value.map((record) => outlet.publish(cloudEvent(name, record))));
    const refused = deliveries.filter((delivery) => delivery === "refused").length;
    if (refused > 0) log.warn("telemetry.eventsRefused", { broker: this.#parts.broker, lane, count: refused });
    if (deliveries.includes("lost")) return false;
    this.#move(lane, last);
    return read.value.length === PAGE_RECORDS;
  }

  /** Leaves out the oldest of too many, saying which first; whether it did. */
  async #skipTooMany(lane: Lane, cursor: LaneCursor): Promise<boolean> {
    const { events, outlet, name, waitingMax, clock } = this.#parts;
    const tip = events.tip(lane);
    const begin = tip.epoch === cursor.epoch ? cursor.sequence : 0;
    if (tip.sequence - begin <= waitingMax) return false;
    const to = tip.sequence - waitingMax;
    const told = await outlet.publish(skippedEvent(name, lane, tip.epoch, begin + 1, to, clock.nowMs()));
    if (told === "lost") return false;
    this.#move(lane, { epoch: tip.epoch, sequence: to });
    return true;
  }

  #move(lane: Lane, { epoch, sequence }: LaneCursor): void {
    this.#cursors.set(lane, { epoch, sequence });
    this.#note(lane, { epoch, sequence });
  }

  #note(lane: Lane, cursor: LaneCursor): void {
    this.#moved.set(lane, cursor);
    if (!this.#isClosed) this.#cancelKeep ??= this.#parts.timers.after(KEEP_AFTER_MS, () => this.#keep());
  }

  #keep(): void {
    this.#cancelKeep?.();
    this.#cancelKeep = undefined;
    if (this.#parts.store.putCursors(this.#parts.broker, this.#moved)) this.#moved.clear();
  }
}
