import { get } from "sparkplug-payload";
import {
  type Delivery,
  METRIC_NAMES,
  type MetricValues,
  type Outlet,
  type OutletMessage,
  type ReceivedMessage,
  type Report,
  type Sample,
  TELEMETRY_APPLICATION_ID,
  TELEMETRY_MIGRATIONS,
  TelemetryStore,
} from "../../../appliance/telemetry/index.ts";
import { present, silentLog } from "../../../src/kernel/index.ts";
import { type Database, openMemoryDatabase } from "../../../src/storage/index.ts";

/** A node in topics. */
export const NODE = { network: "0123abcd", node: "box-1" } as const;

/** An outlet whose connection a test makes and breaks; publications wait for `acknowledge` where it holds them. */
export class FakeOutlet implements Outlet {
  readonly published: OutletMessage[] = [];
  readonly arrived: OutletMessage[] = [];
  readonly subscriptions: { filter: string; qos: 0 | 1; handler: (message: ReceivedMessage) => void }[] = [];
  readonly calls: string[] = [];
  isConnected = false;
  /** Whether publications wait. */
  isHolding = false;
  /** Topics that the broker refuses. */
  refuses = (_topic: string): boolean => false;
  readonly #listeners: ((isConnected: boolean) => void)[] = [];
  #held: { message: OutletMessage; resolve: (delivery: Delivery) => void }[] = [];
  #settling: ((isSettled: boolean) => void)[] = [];

  publish(message: OutletMessage): Promise<Delivery> {
    if (!this.isConnected) return Promise.resolve("lost");
    this.published.push(message);
    if (this.refuses(message.topic)) return Promise.resolve("refused");
    if (this.isHolding && message.qos === 1) return new Promise((resolve) => this.#held.push({ message, resolve }));
    this.arrived.push(message);
    return Promise.resolve("acknowledged");
  }

  settle(): Promise<boolean> {
    this.calls.push("settle");
    if (!this.isConnected) return Promise.resolve(false);
    return this.isHolding ? new Promise((resolve) => this.#settling.push(resolve)) : Promise.resolve(true);
  }

  subscribe(filter: string, qos: 0 | 1, handler: (message: ReceivedMessage) => void): void {
    this.subscriptions.push({ filter, qos, handler });
  }

  onConnectionChange(listener: (isConnected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  open(): void {
    this.calls.push("open");
  }

  async cycle(): Promise<void> {
    this.calls.push("cycle");
    this.disconnect();
  }

  async close(): Promise<void> {
    this.calls.push("close");
    this.disconnect();
  }

  connect(): void {
    this.isConnected = true;
    for (const listener of this.#listeners) listener(true);
  }

  disconnect(): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    for (const { resolve } of this.#held) resolve("lost");
    for (const resolve of this.#settling) resolve(false);
    this.#held = [];
    this.#settling = [];
    for (const listener of this.#listeners) listener(false);
  }

  /** Acknowledges the oldest of what waits. */
  acknowledge(count = this.#held.length): void {
    for (const { message, resolve } of this.#held.splice(0, count)) {
      this.arrived.push(message);
      resolve("acknowledged");
    }
    for (const resolve of this.#settling.splice(0)) resolve(true);
  }

  /** Something comes in on each subscription of this filter. */
  receive(filter: string, message: ReceivedMessage): void {
    for (const subscription of this.subscriptions) if (subscription.filter === filter) subscription.handler(message);
  }
}

/** Lets every promise that can go on do so. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** A sample with some values; the others are not known. */
export function sampleOf(timeMs: number, values: MetricValues = {}): Sample {
  const all = Object.fromEntries(METRIC_NAMES.map((name) => [name, values[name] ?? null])) as Sample["values"];
  return { timeMs, monotonicMs: timeMs, values: all };
}

/** A report of some values. */
export function reportOf(timeMs: number, values: MetricValues): Report {
  return { timeMs, isHeartbeat: false, values };
}

/** A store in memory, with its database for opening it again. */
export function memoryStore(): { readonly database: Database; readonly store: TelemetryStore } {
  const database = openMemoryDatabase({ applicationId: TELEMETRY_APPLICATION_ID, migrations: TELEMETRY_MIGRATIONS });
  return { database, store: new TelemetryStore(database, silentLog) };
}

/** A Sparkplug payload as the outside decoder reads it. */
export function decodedBy(message: OutletMessage | undefined): DecodedPayload {
  const codec = present(get("spBv1.0"), "the outside decoder knows Sparkplug B");
  return codec.decodePayload(present(message, "there is a message").payload) as unknown as DecodedPayload;
}

/** What the outside decoder makes of a payload; 64-bit numbers are objects with their own text. */
export type DecodedPayload = {
  readonly timestamp?: { toString(): string };
  readonly seq?: { toString(): string };
  readonly metrics: readonly {
    readonly name?: string;
    readonly alias?: { toString(): string };
    readonly timestamp?: { toString(): string };
    readonly type?: string;
    readonly value: unknown;
    readonly isHistorical?: boolean;
    readonly isNull?: boolean;
    readonly properties?: Readonly<Record<string, { readonly value: unknown; readonly type: string }>>;
  }[];
};

/** The JSON in a message. */
export function jsonOf(message: OutletMessage | undefined): Readonly<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(present(message, "there is a message").payload)) as Readonly<Record<string, unknown>>;
}
