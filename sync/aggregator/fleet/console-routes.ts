import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { packedAnswer } from "../../../src/page/index.ts";
import { consoleFiles } from "./console-files.ts";
import { FleetProblem, problemAnswer } from "./problem.ts";

/** Media types of the console's files by path. */
const MEDIA_TYPES = {
  "/": "text/html; charset=utf-8",
  "/console.css": "text/css; charset=utf-8",
  "/console.js": "text/javascript; charset=utf-8",
} as const;

/** The console: a page, its styles and its script, from the binary. */
export function consoleRoutes(): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  const files: Readonly<Record<string, string>> | undefined = consoleFiles;
  for (const [path, mediaType] of Object.entries(MEDIA_TYPES)) {
    routes.get(path, (context) => {
      const packed = files?.[path];
      if (packed === undefined)
        return problemAnswer(
          new FleetProblem("notFound", "the console is part of the compiled binary, and this aggregator runs without it"),
          path,
        );
      return packedAnswer({ mediaType, packed }, context.req.header("accept-encoding"));
    });
  }
  return routes;
}
