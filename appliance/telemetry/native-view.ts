import { type CancelTimer, type Clock, type Timers, utf8 } from "../../src/kernel/index.ts";
import type { HealthReport } from "../../src/monitoring/index.ts";
import { type DeviceIdentity, homeAssistantDiscovery, showableIn } from "./home-assistant.ts";
import type { MetricName } from "./metrics.ts";
import type { Outlet, OutletMessage } from "./outlet.ts";
import { BANDWIDTH_PROFILES, type BandwidthProfile } from "./profiles.ts";
import { namesOf, type Sample } from "./report.ts";
import { type NodeName, nodeTopic } from "./topics.ts";

/** A value of a JSON object that is published. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** The last final block. */
export type Head = {
  readonly height: number;
  readonly hash: string;
  readonly epoch: number;
  readonly view: number;
  readonly timeMs: number;
};

/** What the node says of itself beside its figures. */
export interface NodeFacts {
  /** What it is; more of it once the hardware has been looked at. */
  info(): { readonly [name: string]: Json | undefined };
  head(): Head;
  /** Whether it may serve, and each check. */
  readiness(): HealthReport;
  /** Calls whenever a block became final. */
  onHead(listener: () => void): () => void;
}

/** What the native topics of one broker take. */
export type NativeViewParts = {
  readonly name: NodeName;
  readonly outlet: Outlet;
  readonly facts: NodeFacts;
  readonly identity: DeviceIdentity;
  readonly profile: BandwidthProfile;
  /** Empty: Home Assistant is told nothing. */
  readonly homeAssistantPrefix: string;
  readonly sample: () => Sample;
  readonly clock: Clock;
  readonly timers: Timers;
};

/** `status`, retained; the will of the native session is the one that says offline. */
export function statusMessage(name: NodeName, status: "online" | "offline", timeMs?: number): OutletMessage {
  return retained(name, "status", { status, ...(timeMs !== undefined && { since: new Date(timeMs).toISOString() }) });
}

/** The retained topics of a node: what is true now. Nothing here is queued: a new connection is told all of it again. */
export class NativeView {
  readonly #parts: NativeViewParts;
  readonly #stopListening: () => void;
  #cancelHead: CancelTimer | undefined;
  #headAtMs = Number.NEGATIVE_INFINITY;
  #toldHeight = -1;
  /** Figures that Home Assistant has been told of: some are known only a while after the start. */
  #discovered: readonly MetricName[] = [];

  constructor(parts: NativeViewParts) {
    this.#parts = parts;
    this.#stopListening = parts.facts.onHead(() => this.#onHead());
    parts.outlet.onConnectionChange((isConnected) => {
      if (isConnected) this.tellAll();
    });
  }

  /** Tells what the node is, which changes once: when the hardware has been looked at. */
  tellInfo(): void {
    this.#publish(retained(this.#parts.name, "info", this.#parts.facts.info()));
  }

  /** Tells everything. */
  tellAll(): void {
    const { name, clock, sample } = this.#parts;
    this.tellInfo();
    this.#toldHeight = -1;
    this.#tellHead();
    this.#discovered = [];
    this.tellHealth(sample());
    this.#publish(statusMessage(name, "online", clock.nowMs()));
  }

  /** Tells `health`: readiness with each check, and the figures of a sample that the profile lets through. */
  tellHealth(sample: Sample): void {
    const { name, facts, profile } = this.#parts;
    const { isOk, checks } = facts.readiness();
    const values = Object.fromEntries(namesOf(profile).map((metric) => [metric, sample.values[metric]]));
    const failing = checks
      .filter((check) => !check.isOk)
      .map(({ name: check, reason }) => ({ check, ...(reason !== undefined && { reason }) }));
    this.#publish(retained(name, "health", { isReady: isOk, failing, time: new Date(sample.timeMs).toISOString(), values }));
    this.#tellDiscovery(sample);
  }

  /** Says goodbye; resolves when the broker has it, or the connection is gone. */
  async farewell(): Promise<void> {
    this.#stopListening();
    this.#cancelHead?.();
    await this.#parts.outlet.publish(statusMessage(this.#parts.name, "offline", this.#parts.clock.nowMs()));
  }

  /** Tells Home Assistant of figures that it does not know yet, together with those that it does. */
  #tellDiscovery(sample: Sample): void {
    const { name, identity, homeAssistantPrefix } = this.#parts;
    const known = showableIn(sample);
    if (homeAssistantPrefix === "" || known.every((metric) => this.#discovered.includes(metric))) return;
    this.#discovered = [...new Set([...this.#discovered, ...known])];
    this.#publish(homeAssistantDiscovery(homeAssistantPrefix, name, identity, this.#discovered));
  }

  /** At most as often as the profile says, and never more than once a second; the last block is told in the end. */
  #onHead(): void {
    if (this.#cancelHead !== undefined) return;
    const { profile, timers, clock } = this.#parts;
    const intervalMs = Math.max(BANDWIDTH_PROFILES.unmetered.headMs, profile.headMs);
    const waitMs = Math.max(0, this.#headAtMs + intervalMs - clock.monotonicMs());
    this.#cancelHead = timers.after(waitMs, () => {
      this.#cancelHead = undefined;
      this.#tellHead();
    });
  }

  #tellHead(): void {
    const { name, facts, clock, outlet } = this.#parts;
    const { height, hash, epoch, view, timeMs } = facts.head();
    if (!outlet.isConnected || height === this.#toldHeight) return;
    this.#headAtMs = clock.monotonicMs();
    this.#toldHeight = height;
    this.#publish(retained(name, "head", { height, hash, epoch, view, time: new Date(timeMs).toISOString() }));
  }

  #publish(message: OutletMessage): void {
    if (this.#parts.outlet.isConnected) void this.#parts.outlet.publish(message);
  }
}

function retained(name: NodeName, word: string, content: { readonly [name: string]: Json | undefined }): OutletMessage {
  return {
    topic: nodeTopic(name, word),
    payload: utf8(JSON.stringify(content)),
    qos: 1,
    isRetained: true,
    contentType: "application/json",
  };
}
