import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  chooseExposition,
  EventLoopLag,
  type MetricFamily,
  MetricRegistry,
  processMetrics,
  readProcessFigures,
  renderExposition,
} from "../../../src/monitoring/index.ts";

const REQUESTS = { name: "bizra_http_requests_total", help: "Requests answered.", labels: ["route", "status"] };

test("metrics: one registry rendered in both formats in turn, counters keep their names", async () => {
  const registry = new MetricRegistry();
  const requests = registry.counter(REQUESTS);
  requests.add({ route: "/livez", status: "200" });
  requests.add({ route: "/livez", status: "200" }, 2);
  registry.gauge({ name: "bizra_http_streams", help: "Streams open." }).set(4);
  const openMetrics = await registry.render("openmetrics");
  expect(openMetrics.contentType).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  expect(openMetrics.body).toBe(
    [
      "# HELP bizra_http_requests Requests answered.",
      "# TYPE bizra_http_requests counter",
      'bizra_http_requests_total{route="/livez",status="200"} 3',
      "# HELP bizra_http_streams Streams open.",
      "# TYPE bizra_http_streams gauge",
      "bizra_http_streams 4",
      "# EOF",
      "",
    ].join("\n"),
  );
  const prometheus = await registry.render("prometheus");
  expect(prometheus.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(prometheus.body).toContain("# TYPE bizra_http_requests_total counter\nbizra_http_requests_total{route=");
  expect(prometheus.body).not.toContain("# EOF");
  expect(await registry.render("openmetrics")).toEqual(openMetrics);
});

test("metrics: a histogram, cumulative buckets with sum and count for each label set", async () => {
  const registry = new MetricRegistry();
  const seconds = registry.histogram({ name: "bizra_http_request_seconds", help: "Time to answer.", labels: ["route"] }, [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) seconds.observe(value, { route: "/a" });
  seconds.observe(0.5, { route: "/b" });
  const { body } = await registry.render("prometheus");
  expect(body.split("\n").slice(2, 7)).toEqual([
    'bizra_http_request_seconds_bucket{route="/a",le="0.1"} 1',
    'bizra_http_request_seconds_bucket{route="/a",le="1.0"} 2',
    'bizra_http_request_seconds_bucket{route="/a",le="+Inf"} 3',
    'bizra_http_request_seconds_sum{route="/a"} 5.55',
    'bizra_http_request_seconds_count{route="/a"} 3',
  ]);
  expect(body).toContain('bizra_http_request_seconds_count{route="/b"} 1');
});

test("metrics: a source, pulled at each scrape and never before", async () => {
  const registry = new MetricRegistry();
  let pulls = 0;
  registry.addSource({
    collect: () => {
      pulls++;
      return [{ name: "bizra_mempool_admitted_total", help: "Transactions admitted.", kind: "counter", samples: [{ value: 2n ** 60n }] }];
    },
  });
  expect(pulls).toBe(0);
  expect((await registry.render("prometheus")).body).toContain("bizra_mempool_admitted_total 1152921504606846976\n");
  await registry.render("prometheus");
  expect(pulls).toBe(2);
});

test("metrics: a name without prefix, unit rule or uniqueness, a broken invariant", () => {
  const family = (name: string, kind: MetricFamily["kind"]): MetricFamily => ({ name, help: "x", kind, samples: [] });
  for (const bad of [
    [family("http_requests_total", "counter")],
    [family("bizra_requests", "counter")],
    [family("bizra_x_total", "gauge")],
    [family("bizra_x", "gauge"), family("bizra_x", "gauge")],
  ]) {
    expect(() => renderExposition(bad, "prometheus")).toThrow(/metric|counters/);
  }
});

test("metrics: label values and help with quotes, backslashes and line breaks, escaped", () => {
  const family: MetricFamily = {
    name: "bizra_x",
    help: 'a "b"\nc\\',
    kind: "gauge",
    samples: [{ labels: { what: 'q"\\\n' }, value: Number.NaN }],
  };
  expect(renderExposition([family], "prometheus")).toBe(
    '# HELP bizra_x a "b"\\nc\\\\\n# TYPE bizra_x gauge\nbizra_x{what="q\\"\\\\\\n"} NaN\n',
  );
  expect(renderExposition([family], "openmetrics")).toContain('# HELP bizra_x a \\"b\\"\\nc\\\\\n');
});

test("metrics: the Accept header, OpenMetrics only when it is named and not refused", () => {
  expect(chooseExposition(undefined)).toBe("prometheus");
  expect(chooseExposition("text/plain, */*")).toBe("prometheus");
  expect(chooseExposition("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5")).toBe("openmetrics");
  expect(chooseExposition("application/openmetrics-text;q=0")).toBe("prometheus");
});

test("process metrics: figures of a known process, in base units", () => {
  const directory = mkdtempSync(join(tmpdir(), "bizra-proc-"));
  try {
    writeFileSync(join(directory, "status"), "Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t7\n");
    writeFileSync(join(directory, "io"), "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 5\n");
    writeFileSync(join(directory, "stat"), "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 7 0 100\n");
    mkdirSync(join(directory, "fd"));
    writeFileSync(join(directory, "fd", "0"), "");
    expect(readProcessFigures(directory)).toEqual({
      residentBytes: 2048 * 1024,
      cpuUserSeconds: 2.5,
      cpuSystemSeconds: 0.5,
      writtenBytes: 8192,
      readBytes: 4096,
      openFiles: 1,
      threads: 7,
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("process metrics: a system without /proc, the figures are left out and nothing is invented", () => {
  expect(readProcessFigures(join(tmpdir(), "bizra-no-such-directory"))).toEqual({});
  const families = processMetrics({ version: "1.2.3", runtime: "bun 1" }, 1_500, () => ({})).collect();
  expect(families.map((family) => family.name)).toEqual(["bizra_build_info", "bizra_process_start_time_seconds"]);
  expect(families[1]?.samples).toEqual([{ value: 1.5 }]);
});

test("process metrics: this very process, plausible and renderable", () => {
  const families = processMetrics({ version: "0", runtime: "bun" }, 0).collect();
  const resident = families.find((family) => family.name === "bizra_process_resident_memory_bytes")?.samples[0];
  if (resident && "value" in resident) expect(Number(resident.value)).toBeGreaterThan(8 * 1024 * 1024);
  expect(renderExposition(families, "openmetrics")).toEndWith("# EOF\n");
});

test("event loop lag: timers that fire late, counted by bound with a recent quantile", () => {
  let nowMs = 0;
  let fire: (() => void) | undefined;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const timers = {
    after: (_delayMs: number, action: () => void) => {
      fire = action;
      return () => {
        fire = undefined;
      };
    },
  };
  const lag = new EventLoopLag(clock, timers, 100);
  expect(lag.recentQuantileMs(0.99)).toBeUndefined();
  lag.start();
  for (const lateMs of [0, 3, 30, 300]) {
    nowMs += 100 + lateMs;
    fire?.();
  }
  expect(lag.recentQuantileMs(0.5)).toBe(30);
  expect(lag.recentQuantileMs(0.99)).toBe(300);
  const text = renderExposition(lag.collect(), "prometheus");
  expect(text).toContain('bizra_event_loop_lag_seconds_bucket{le="0.005"} 2');
  expect(text).toContain("bizra_event_loop_lag_seconds_sum 0.333\nbizra_event_loop_lag_seconds_count 4");
  lag.stop();
  expect(fire).toBeUndefined();
});
