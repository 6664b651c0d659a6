import { assert, utf8 } from "../../src/kernel/index.ts";
import type { MetricValues } from "./metrics.ts";
import type { Outlet, OutletMessage } from "./outlet.ts";
import type { Report } from "./report.ts";
import type { KeptReport, SampleQueue } from "./store.ts";
import { type NodeName, nodeTopic } from "./topics.ts";

/** What the `metrics` topic carries, in JSON. */
export type MetricsMessage = {
  /** Names this report: the same however often it comes. One look can give two: what changed, and everything because somebody asked. */
  readonly id: string;
  readonly time: string;
  readonly isHeartbeat: boolean;
  /** Whether it was kept because the broker could not be reached. */
  readonly isHistorical: boolean;
  /** Reports before it that were thinned out while too many waited. */
  readonly omitted: number;
  readonly values: MetricValues;
};

/** Reports told and not acknowledged, at most; more are kept on disk. */
const UNDER_WAY_MAX = 8;
const HISTORICAL_AT_ONCE = 16;

/**
 * Sends every report to one broker with QoS 1, in order. While the broker can be reached a report is on its way from memory;
 * one that was not acknowledged, or could not be sent, is on disk before anything else happens to it.
 */
export class SamplePump {
  readonly #name: NodeName;
  readonly #outlet: Outlet;
  readonly #queue: SampleQueue;
  readonly #underWay = new Set<Report>();
  #isFlushing = false;
  #flushesAgain = false;
  #isClosed = false;

  constructor(name: NodeName, outlet: Outlet, queue: SampleQueue) {
    this.#name = name;
    this.#outlet = outlet;
    this.#queue = queue;
    outlet.onConnectionChange((isConnected) => {
      if (isConnected) void this.flush();
    });
  }

  /** Reports that wait on disk. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Sends a report, or keeps it. */
  async tell(report: Report): Promise<void> {
    if (!this.#outlet.isConnected || this.#queue.length > 0 || this.#isFlushing || this.#underWay.size >= UNDER_WAY_MAX) {
      this.#queue.put([report]);
      void this.flush();
      return;
    }
    this.#underWay.add(report);
    const delivery = await this.#outlet.publish(metricsMessage(this.#name, report, false, 0));
    if (!this.#underWay.delete(report) || delivery !== "lost") return;
    this.#queue.put([report]);
  }

  /** Sends what is kept, oldest first, forgetting each once it is acknowledged. */
  async flush(): Promise<void> {
    this.#flushesAgain = this.#isFlushing;
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.#outlet.isConnected && !this.#isClosed) {
        const kept = this.#queue.peek(HISTORICAL_AT_ONCE);
        if (kept.length === 0) break;
        const deliveries = await Promise.all(kept.map((item) => this.#outlet.publish(historicalMessage(this.#name, item))));
        if (this.#isClosed) break;
        if (!this.#queue.remove(kept.filter((_, i) => deliveries[i] !== "lost"))) break; // told again with the next
      }
    } finally {
      this.#isFlushing = false;
      if (this.#flushesAgain) void this.flush(); // asked for while the end of a connection was awaited
    }
  }

  /** Keeps what is under way and stops: nothing touches the queue afterwards. */
  close(): void {
    assert(!this.#isClosed, "a pump is closed once");
    this.#isClosed = true;
    this.#queue.put([...this.#underWay]);
    this.#underWay.clear();
  }
}

function historicalMessage(name: NodeName, { report, omitted }: KeptReport): OutletMessage {
  return metricsMessage(name, report, true, omitted);
}

/** The message of a report. */
export function metricsMessage(name: NodeName, report: Report, isHistorical: boolean, omitted: number): OutletMessage {
  const message: MetricsMessage = {
    id: `${name.node}-${report.timeMs}${report.isHeartbeat ? "-all" : ""}`,
    time: new Date(report.timeMs).toISOString(),
    isHeartbeat: report.isHeartbeat,
    isHistorical,
    omitted,
    values: report.values,
  };
  return {
    topic: nodeTopic(name, "metrics"),
    payload: utf8(JSON.stringify(message)),
    qos: 1,
    isRetained: false,
    contentType: "application/json",
  };
}
