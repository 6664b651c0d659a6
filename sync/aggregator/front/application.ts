import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import type { Log } from "../../../src/kernel/index.ts";
import { chooseExposition, type HealthGate, type HealthModel, type MetricRegistry } from "../../../src/monitoring/index.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { syncRoutes } from "./sync-routes.ts";

/** What the application answers from. */
export type ApplicationParts = {
  readonly ingest: Ingest;
  readonly health: HealthModel;
  readonly registry: MetricRegistry;
  readonly build: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly onDefect: (error: unknown) => void;
  /** Further routes, by their path. */
  readonly routes?: Readonly<Record<string, Hono<{ Bindings: HttpBindings }>>>;
};

const GATES = { livez: "live", readyz: "ready", startupz: "startup" } as const satisfies Readonly<Record<string, HealthGate>>;

/** The aggregator's HTTP interface: sync, operations, and whatever routes it is given. */
export function makeApplication({
  ingest,
  health,
  registry,
  build,
  log,
  onDefect,
  routes = {},
}: ApplicationParts): Hono<{ Bindings: HttpBindings }> {
  const application = new Hono<{ Bindings: HttpBindings }>();
  application.route("/sync/v1", syncRoutes(ingest));
  for (const [path, gate] of Object.entries(GATES)) {
    application.get(`/${path}`, (context) => {
      const report = health.report(gate);
      return context.json(report, report.isOk ? 200 : 503);
    });
  }
  application.get("/version", (context) => context.json(build));
  application.get("/metrics", async (context) => {
    const { body, contentType } = await registry.render(chooseExposition(context.req.header("accept")));
    return new Response(body, { headers: { "content-type": contentType } });
  });
  for (const [path, route] of Object.entries(routes)) application.route(path, route);
  application.notFound((context) =>
    context.json({ type: "about:blank", title: "There is nothing here", status: 404, code: "notFound" }, 404, PROBLEM),
  );
  application.onError((error, context) => {
    log.error("aggregator.defect", { path: context.req.path, error: String(error) });
    onDefect(error);
    return context.json({ type: "about:blank", title: "The aggregator failed to answer", status: 500, code: "internal" }, 500, PROBLEM);
  });
  return application;
}

const PROBLEM = { "content-type": "application/problem+json" } as const;
