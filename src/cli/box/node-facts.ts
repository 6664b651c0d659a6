import type { GateFacts, MoveFacts, UpdateNode } from "../../../appliance/ota/index.ts";
import type { Supervisor } from "../../../appliance/supervisor/index.ts";
import { systemTimers } from "../../node/index.ts";
import { isJson } from "../client.ts";

/** So long the node may take to answer. */
const ANSWER_LIMIT_MS = 3_000;

/** What is known of a box beside its node. */
export type BoxSigns = {
  /** Where the node answers, while it does. */
  readonly findHttp: () => string | undefined;
  /** Whether there is a node to run. */
  readonly hasNode: () => boolean;
  /** Whether the data partition could not be used at this start. */
  readonly isDataLost: () => boolean;
};

/** What the box's node tells an update: by supervision, and over its HTTP interface. */
export class NodeFacts implements UpdateNode {
  readonly #supervisor: Supervisor;
  readonly #signs: BoxSigns;

  constructor(supervisor: Supervisor, signs: BoxSigns) {
    this.#supervisor = supervisor;
    this.#signs = signs;
  }

  async gate(): Promise<GateFacts> {
    const metrics = await this.#ask("/metrics");
    const { phase, healthyLooks, verdict } = this.#supervisor.status;
    const isWorking = verdict?.isWorking ?? false;
    const { hasNode, isDataLost } = this.#signs;
    const box = { hasNode: hasNode(), isDataLost: isDataLost() };
    return { ...box, isRunning: phase === "running", healthyLooks, isWorking, isAggregatorUp: findAggregatorUp(metrics ?? "") };
  }

  async move(): Promise<MoveFacts> {
    const [status, peers] = await Promise.all([this.#askJson("/api/v2/status"), this.#askJson("/api/v2/peers")]);
    const missing = peers["missingValidators"];
    const syncState = status["syncState"];
    return {
      isRunning: this.#supervisor.status.phase === "running",
      syncState: typeof syncState === "string" ? syncState : undefined,
      isValidator: status["role"] === "validator",
      missingValidators: Array.isArray(missing) ? missing.length : undefined,
    };
  }

  failure(): string | undefined {
    const { phase, detail } = this.#supervisor.status;
    return phase === "failed" ? detail : undefined;
  }

  async #askJson(path: string): Promise<Readonly<Record<string, unknown>>> {
    try {
      const value: unknown = JSON.parse((await this.#ask(path)) ?? "{}");
      return isJson(value) ? value : {};
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return {};
    }
  }

  async #ask(path: string): Promise<string | undefined> {
    const http = this.#signs.findHttp();
    if (http === undefined) return undefined;
    const ended = new AbortController();
    const cancel = systemTimers.after(ANSWER_LIMIT_MS, () => ended.abort());
    try {
      const response = await fetch(`${http}${path}`, { signal: ended.signal });
      return response.ok ? await response.text() : undefined;
    } catch (error) {
      if (!(error instanceof Error)) throw error; // refused, cut off, too late: silence
      return undefined;
    } finally {
      cancel();
    }
  }
}

/** Whether one of the aggregators that a node's metrics name is connected; undefined when they name none. */
export function findAggregatorUp(metrics: string): boolean | undefined {
  const values = [...metrics.matchAll(/^bizra_sync_up(?:\{[^}]*\})? (\S+)$/gm)].map(([, value]) => Number(value));
  return values.length === 0 ? undefined : values.some((value) => value > 0);
}
