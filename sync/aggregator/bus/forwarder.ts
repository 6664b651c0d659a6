import { assert, type CancelTimer, type Clock, type Entropy, type Log, type Timers, toHex } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import { type AggregatorStore, type BusEvent, type EventBus, type ForwardStep, StoreUnavailable, type WaitingLane } from "../types.ts";

/** What a forwarder stands on. */
export type ForwarderParts = {
  readonly store: Pick<AggregatorStore, "lanesToForward" | "moveForwarded" | "leaseForwarding" | "readEvents">;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Told of errors that nothing expected. */
  readonly onDefect: (error: unknown) => void;
};

/** Records of one lane at a time, records and bytes that go out together, lanes in one question. */
const BOUNDS = { laneRecords: 200, records: 500, bytes: 4 * 1024 * 1024, lanes: 200 } as const;
/** Milliseconds: between looks when nobody wakes it, of its right to forward, for one handing on, and between attempts. */
const TIMES = { idleMs: 5_000, leaseMs: 60_000, publishMs: 30_000, retryFirstMs: 1_000, retryMostMs: 60_000 } as const;

/**
 * Hands on to a bus what the store holds, from where the store says that it stopped: at least once, in order for each lane.
 *
 * A lane's place moves only after the bus has the records before it, and only from where it stood, so the first time that a
 * record comes it comes after all before it, whatever dies when. However long the bus is away, what waits is in the store;
 * in memory is one handful. Of several aggregators on one store one forwards at a time.
 */
export class Forwarder implements MetricSource {
  readonly #parts: ForwarderParts;
  readonly #holder: string;
  #cancel: CancelTimer | undefined;
  #running: Promise<void> | undefined;
  #isWoken = false;
  #isStopped = false;
  #failures = 0;
  #forwarded = 0;
  #failed = 0;

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
    this.#holder = toHex(parts.entropy.bytes(16));
  }

  /** Begins to look for what waits. */
  start(): void {
    assert(this.#running === undefined && !this.#isStopped, "a forwarder starts once");
    this.#look();
  }

  /** Something was stored: it looks now, unless it waits for a bus that failed. */
  wake(): void {
    this.#isWoken = true;
    if (this.#running || this.#failures > 0 || this.#isStopped) return;
    this.#cancel?.();
    this.#look();
  }

  /** Ends after what is on its way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#running;
    const { store, bus, clock } = this.#parts;
    const nowMs = clock.nowMs();
    try {
      await store.leaseForwarding(bus.kind, this.#holder, nowMs, nowMs); // the next one need not wait
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error; // then the next one waits until the right is over
    } finally {
      await bus.close();
    }
  }

  collect(): readonly MetricFamily[] {
    const labels = { bus: this.#parts.bus.kind };
    const counter = (name: string, help: string, value: number): MetricFamily => ({
      name,
      help,
      kind: "counter",
      samples: [{ labels, value }],
    });
    return [
      counter("bizra_aggregator_forwarded_total", "Events that the bus took from this process.", this.#forwarded),
      counter("bizra_aggregator_forward_failures_total", "Times that handing on to the bus failed.", this.#failed),
      {
        name: "bizra_aggregator_bus_up",
        help: "Whether the last attempt went through.",
        kind: "gauge",
        samples: [{ labels, value: this.#failures === 0 ? 1 : 0 }],
      },
    ];
  }

  #look(): void {
    this.#isWoken = false;
    this.#running = this.#run().then((isIdle) => {
      this.#running = undefined;
      if (this.#isStopped) return;
      const backOffMs = Math.min(TIMES.retryMostMs, TIMES.retryFirstMs * 2 ** (this.#failures - 1));
      const waitMs = this.#failures > 0 ? backOffMs : isIdle && !this.#isWoken ? TIMES.idleMs : 0;
      this.#cancel = this.#parts.timers.after(waitMs, () => this.#look());
    }, this.#parts.onDefect);
  }

  /** One round over all lanes that wait; whether there was nothing to do. */
  async #run(): Promise<boolean> {
    const { store, bus, clock, log } = this.#parts;
    try {
      const nowMs = clock.nowMs();
      if (!(await store.leaseForwarding(bus.kind, this.#holder, nowMs, nowMs + TIMES.leaseMs))) return true;
      const isIdle = await this.#round();
      if (this.#failures > 0) log.info("aggregator.busBack", { bus: bus.kind, failures: this.#failures });
      this.#failures = 0;
      return isIdle;
    } catch (error) {
      if (!(error instanceof BusFailed || error instanceof StoreUnavailable)) throw error;
      if (this.#failures === 0) log.warn("aggregator.busFailed", { bus: bus.kind, error: error.message });
      this.#failures++;
      this.#failed++;
      return false;
    }
  }

  async #round(): Promise<boolean> {
    const { store, bus, clock } = this.#parts;
    const endMs = clock.monotonicMs() + TIMES.leaseMs / 2; // the right to forward is renewed between rounds
    let after: WaitingLane | undefined;
    let isIdle = true;
    while (!this.#isStopped && clock.monotonicMs() < endMs) {
      const lanes = await store.lanesToForward(bus.kind, after, BOUNDS.lanes);
      let handful = new Handful();
      for (const lane of lanes) {
        const events = await store.readEvents(lane.ref, lane.lane, lane.forwarded, BOUNDS.laneRecords);
        if (events.length > 0) isIdle = false;
        handful.add(
          lane,
          events.map((event) => ({ ...event, ...lane.ref })),
        );
        if (!handful.isFull) continue;
        await this.#handOn(handful);
        handful = new Handful();
        if (this.#isStopped) return false;
      }
      await this.#handOn(handful);
      after = lanes.at(-1);
      if (lanes.length < BOUNDS.lanes) return isIdle;
    }
    return false;
  }

  async #handOn({ events, steps }: Handful): Promise<void> {
    if (events.length === 0) return;
    const { store, bus, timers } = this.#parts;
    const late = Promise.withResolvers<never>();
    const cancel = timers.after(TIMES.publishMs, () => late.reject(new Error(`the bus took longer than ${TIMES.publishMs} ms`)));
    try {
      await Promise.race([bus.publish(events), late.promise]);
    } catch (error) {
      throw new BusFailed(String(error), { cause: error }); // buses have errors of many kinds, and all of them are tried again
    } finally {
      cancel();
    }
    await store.moveForwarded(bus.kind, steps);
    this.#forwarded += events.length;
  }
}

/** The bus did not take what it was given. */
class BusFailed extends Error {
  override readonly name = "BusFailed";
}

/** What goes out together. */
class Handful {
  readonly events: BusEvent[] = [];
  readonly steps: ForwardStep[] = [];
  #bytes = 0;

  add(lane: WaitingLane, events: readonly BusEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    this.events.push(...events);
    this.#bytes += events.reduce((sum, { body }) => sum + body.length, 0);
    this.steps.push({ ...lane, to: { epoch: last.epoch, sequence: last.sequence } });
  }

  get isFull(): boolean {
    return this.events.length >= BOUNDS.records || this.#bytes >= BOUNDS.bytes;
  }
}
