import { gunzipSync } from "node:zlib";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { consoleFiles } from "./console-files.ts";
import { FleetProblem, problemAnswer } from "./problem.ts";

/** Media types of the console's files by path. */
const MEDIA_TYPES = {
  "/": "text/html; charset=utf-8",
  "/console.css": "text/css; charset=utf-8",
  "/console.js": "text/javascript; charset=utf-8",
} as const;

/** What the console may do: run its own script, use its own styles, ask this aggregator. Nothing inline, nothing from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** The console: a page, its styles and its script, from the binary. */
export function consoleRoutes(): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  const files: Readonly<Record<string, string>> | undefined = consoleFiles;
  for (const [path, type] of Object.entries(MEDIA_TYPES)) {
    routes.get(path, (context) => {
      const packed = files?.[path];
      if (packed === undefined)
        return problemAnswer(
          new FleetProblem("notFound", "the console is part of the compiled binary, and this aggregator runs without it"),
          path,
        );
      const isPacked = /(^|,)\s*gzip\s*(,|$|;\s*q=(1|0\.[0-9]*[1-9]))/i.test(context.req.header("accept-encoding") ?? "");
      const bytes = Uint8Array.from(Buffer.from(packed, "base64"));
      return new Response(isPacked ? bytes : Uint8Array.from(gunzipSync(bytes)), {
        headers: {
          "content-type": type,
          "content-security-policy": POLICY,
          "cache-control": "no-store",
          "referrer-policy": "no-referrer",
          "x-content-type-options": "nosniff",
          vary: "accept-encoding",
          ...(isPacked ? { "content-encoding": "gzip" } : {}),
        },
      });
    });
  }
  return routes;
}
