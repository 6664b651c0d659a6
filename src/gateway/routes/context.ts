import type { Clock, Log, Timers } from "../../kernel/index.ts";
import type { MetricRegistry } from "../../monitoring/index.ts";
import type { GatewayMetrics } from "../gateway-metrics.ts";
import type { GatewayLimits } from "../limits.ts";
import type { GatewayPorts } from "../ports.ts";
import type { BodyBudget } from "../request-body.ts";
import type { SettlementWaits } from "../settlement-waits.ts";
import type { EventFeeds } from "../streams/event-feeds.ts";
import type { OpenStreams } from "../streams/open-streams.ts";

/** Name and version of the program, for `/version`, `/api/v2/status` and the OpenAPI document. */
export type Build = { readonly name: string; readonly version: string; readonly runtime: string; readonly commit?: string };

/** What the routes share. */
export type RouteContext = {
  readonly ports: GatewayPorts;
  readonly limits: GatewayLimits;
  readonly build: Build;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly bodies: BodyBudget;
  readonly waits: SettlementWaits;
  readonly feeds: EventFeeds;
  readonly streams: OpenStreams;
  readonly registry: MetricRegistry;
  readonly metrics: GatewayMetrics;
  /** Told of what the program did not expect; the node decides whether to go on. */
  readonly onDefect: (error: unknown) => void;
};
