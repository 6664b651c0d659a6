import type { MetricFamily, MetricRegistry, MetricSource } from "../monitoring/index.ts";

/** Figures of now that the gateway's parts keep. */
export type GatewayGauges = { readonly inFlight: number; readonly waits: number; readonly streams: number };

const SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** What the gateway counts: requests by route template, method and status, their time, and what was submitted. */
export class GatewayMetrics {
  readonly #requests;
  readonly #seconds;
  readonly #transactions;

  constructor(registry: MetricRegistry, gauges: () => GatewayGauges) {
    this.#requests = registry.counter({
      name: "bizra_http_requests_total",
      help: "Requests answered.",
      labels: ["route", "method", "status"],
    });
    this.#seconds = registry.histogram(
      { name: "bizra_http_request_seconds", help: "Time from a request's head to the answer's head.", labels: ["route"] },
      SECONDS_BOUNDS,
    );
    this.#transactions = registry.counter({
      name: "bizra_http_transactions_total",
      help: "Submitted transactions by outcome: accepted, or the code of the refusal.",
      labels: ["outcome"],
    });
    registry.addSource(gaugeSource(gauges));
  }

  /** Counts an answered request. `route` is a template, so labels stay few. */
  onAnswered(route: string, method: string, status: number, elapsedMs: number): void {
    this.#requests.add({ route, method: METHODS.has(method) ? method : "other", status: String(status) });
    this.#seconds.observe(elapsedMs / 1_000, { route });
  }

  /** Counts one submitted transaction. */
  onSubmitted(outcome: string): void {
    this.#transactions.add({ outcome });
  }
}

function gaugeSource(gauges: () => GatewayGauges): MetricSource {
  const family = (name: string, help: string, value: number): MetricFamily => ({ name, help, kind: "gauge", samples: [{ value }] });
  return {
    collect: () => {
      const { inFlight, waits, streams } = gauges();
      return [
        family("bizra_http_requests_in_flight", "Requests being answered.", inFlight),
        family("bizra_http_finality_waits", "Requests waiting for finality.", waits),
        family("bizra_http_event_streams", "Event streams open.", streams),
      ];
    },
  };
}
