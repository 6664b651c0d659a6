import { type Gateway, type GatewayLimits, startGateway } from "../../../src/gateway/index.ts";
import type { Log, LogFields } from "../../../src/kernel/index.ts";
import { MetricRegistry } from "../../../src/monitoring/index.ts";
import { ManualTime } from "./manual-time.ts";
import { MemoryNode } from "./memory-node.ts";

/** A line that the gateway logged. */
type LoggedLine = { readonly level: string; readonly event: string; readonly fields: LogFields };

/** A gateway that really listens on loopback, before a node in memory and a clock that stands still. */
export type TestGateway = {
  readonly gateway: Gateway;
  readonly url: string;
  readonly node: MemoryNode;
  readonly time: ManualTime;
  readonly registry: MetricRegistry;
  readonly lines: LoggedLine[];
  readonly defects: unknown[];
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  readonly post: (body: Uint8Array | ReadableStream<Uint8Array>, contentType: string, query?: string) => Promise<Response>;
};

/** Limits small enough to be reached. */
export const TEST_LIMITS: GatewayLimits = {
  bodyBytesMax: 64 * 1024,
  transactionsPerRequestMax: 16,
  requestsInFlightMax: 64,
  requestDeadlineMs: 10_000,
  waitsMax: 4,
  waitMsMax: 60_000,
  streamsMax: 4,
  streamHeartbeatMs: 15_000,
  streamStallMs: 30_000,
  ratePerSecond: 5,
  rateBurst: 10,
  rateLoopbackPerSecond: 0,
  shutdownDeadlineMs: 5_000,
};

/** Starts one; the caller stops it. */
export function startTestGateway(limits: Partial<GatewayLimits> = {}): TestGateway {
  const node = new MemoryNode();
  const time = new ManualTime();
  const registry = new MetricRegistry();
  const lines: LoggedLine[] = [];
  const defects: unknown[] = [];
  const write =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void lines.push({ level, event, fields });
  const log: Log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const started = startGateway({
    ports: node.ports,
    limits: { ...TEST_LIMITS, ...limits },
    listen: { host: "127.0.0.1", port: 0 },
    build: { name: "bizra", version: "0.1.0", runtime: "bun" },
    clock: time,
    timers: time,
    log,
    registry,
    onDefect: (error) => defects.push(error),
  });
  if (!started.ok) throw new Error(started.error.detail);
  const { url } = started.value;
  const get = (path: string, headers: Record<string, string> = {}) => fetch(url + path, { headers });
  const post = (body: Uint8Array | ReadableStream<Uint8Array>, contentType: string, query = "") =>
    fetch(`${url}/api/v2/transactions${query}`, {
      method: "POST",
      body: body instanceof Uint8Array ? Uint8Array.from(body) : body,
      headers: { "content-type": contentType },
    });
  return { gateway: started.value, url, node, time, registry, lines, defects, get, post };
}

/** Stops it; nothing may be left subscribed or armed. */
export async function stopTestGateway({ gateway, node, time, defects }: TestGateway): Promise<void> {
  await gateway.stop();
  if (node.subscriptions > 0 || time.pending > 0)
    throw new Error(`left behind: ${node.subscriptions} subscriptions, ${time.pending} timers`);
  if (defects.length > 0) throw defects[0];
}
