import type { CancelTimer, Clock, Timers } from "../../src/kernel/index.ts";
import { utf8 } from "../../src/kernel/index.ts";
import type { Counters } from "./counters.ts";
import type { Router } from "./routing/router.ts";
import type { BrokerFigures } from "./types.ts";

/** What `$SYS` needs. */
export interface SysTopicsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly router: Router;
  readonly counters: Counters;
  readonly figures: () => BrokerFigures;
  readonly version: string;
  /** Between two rounds; 0: none at all. */
  readonly intervalMs: number;
}

/**
 * What the broker says of itself under `$SYS/broker/`, in the names that monitoring tools know: a fixed list, one round an
 * interval, only what changed. Who may read it is for the access rules; a new reader gets the last round at once.
 */
export class SysTopics {
  readonly #options: SysTopicsOptions;
  readonly #startedAtMs: number;
  readonly #said = new Map<string, string>();
  #cancel: CancelTimer | undefined;

  constructor(options: SysTopicsOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonicMs();
    if (options.intervalMs > 0) this.#round();
  }

  stop(): void {
    this.#cancel?.();
  }

  #round(): void {
    for (const [name, value] of Object.entries(this.#values())) this.#say(`$SYS/broker/${name}`, String(value));
    this.#cancel = this.#options.timers.after(this.#options.intervalMs, () => this.#round());
  }

  #say(topic: string, value: string): void {
    if (this.#said.get(topic) === value) return;
    this.#said.set(topic, value);
    const { router } = this.#options;
    const content = { topic, payload: utf8(value), properties: {}, qos: 0 as const };
    router.retained.show(router.compose({ ...content, isRetain: true }, undefined));
    router.route(router.compose({ ...content, isRetain: false }, undefined), undefined);
  }

  #values(): Readonly<Record<string, string | number>> {
    const { clock, counters, version } = this.#options;
    const figures = this.#options.figures();
    return {
      version,
      uptime: `${Math.floor((clock.monotonicMs() - this.#startedAtMs) / 1000)} seconds`,
      "clients/connected": figures.connectionCount,
      "clients/total": figures.sessionCount,
      "subscriptions/count": figures.subscriptionCount,
      "retained messages/count": figures.retainedCount,
      "store/messages/count": figures.queuedCount,
      "store/messages/bytes": figures.queuedBytes,
      "messages/received": counters.packetsReceived,
      "messages/sent": counters.packetsSent,
      "publish/messages/received": counters.publishesReceived,
      "publish/messages/sent": counters.publishesSent,
      "publish/messages/dropped": counters.droppedQueueFull + counters.droppedTooLarge,
      "bytes/received": counters.bytesReceived,
      "bytes/sent": counters.bytesSent,
    };
  }
}
