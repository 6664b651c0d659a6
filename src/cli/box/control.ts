import { rmSync } from "node:fs";
import { controlSocketOf } from "./box-files.ts";

/** Longest body of a request. */
const BODY_BYTES_MAX = 16_384;

/** A command of this machine was refused: a stable code, and a sentence. */
export class ControlRefused extends Error {
  override readonly name = "ControlRefused";
  readonly code: string;

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** What the main process does when it is asked, by method and path. Throws ControlRefused for what it will not do. */
export type ControlRoutes = Readonly<Record<string, (body: Readonly<Record<string, unknown>>) => unknown>>;

/** The main process's door for commands of this machine: HTTP on a unix socket in a folder of its owner alone. */
export class ControlDoor {
  readonly #server: Bun.Server<undefined>;
  readonly #path: string;

  private constructor(server: Bun.Server<undefined>, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /**
   * Opens it; whoever calls holds the box's lock, so that a socket that is there is left over.
   *
   * @throws ControlRefused `homePathTooLong`
   */
  static open(home: string, routes: ControlRoutes): ControlDoor {
    const path = controlSocketOf(home);
    if (path === undefined) throw new ControlRefused("homePathTooLong", `the path of ${home} is too long for a socket's name`);
    rmSync(path, { force: true });
    const server = Bun.serve({ unix: path, maxRequestBodySize: BODY_BYTES_MAX, fetch: (request) => answer(routes, request) });
    return new ControlDoor(server, path);
  }

  /** Closes it. */
  async close(): Promise<void> {
    await this.#server.stop(true);
    rmSync(this.#path, { force: true });
  }
}

async function answer(routes: ControlRoutes, request: Request): Promise<Response> {
  const key = `${request.method} ${new URL(request.url, "http://box").pathname}`;
  const route = Object.hasOwn(routes, key) ? routes[key] : undefined;
  if (!route) return refuse(404, "unknownCommand", `this release knows no ${key}`);
  try {
    const text = await request.text();
    const body: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof body !== "object" || body === null || Array.isArray(body)) return refuse(400, "malformed", "expected a JSON object");
    return Response.json((await route(body as Readonly<Record<string, unknown>>)) ?? {});
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(400, "malformed", "expected JSON");
    if (!(error instanceof ControlRefused)) throw error;
    return refuse(409, error.code, error.message);
  }
}

function refuse(status: number, code: string, detail: string): Response {
  return Response.json({ code, detail }, { status });
}
