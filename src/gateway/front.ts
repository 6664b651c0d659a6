import type { Server } from "bun";
import { type Application, pathOf } from "./application.ts";
import type { Call } from "./call.ts";
import { Deadline } from "./deadline.ts";
import { URL_LENGTH_MAX } from "./limits.ts";
import { type Problem, problemResponse } from "./problem.ts";
import type { RouteContext } from "./routes/context.ts";
import type { WebSocketStream } from "./streams/web-socket-stream.ts";
import { isLoopback, sourceOf, TokenBuckets } from "./token-bucket.ts";
import { versionHeaders } from "./versions.ts";

/** Policy of an answer that states none: it is no page, so nothing in it may be run or framed. */
const CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Headers of every answer: nothing may be sniffed, nor anybody told where it came from. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Routes that watch over the node: answered whatever the rate, or an overload would look like a death. */
const UNLIMITED: ReadonlySet<string> = new Set(["/livez", "/readyz", "/startupz", "/metrics"]);

/**
 * What stands between the sockets and the routes: refuses what is too long, too much or too late, and gives every answer
 * its headers, its line in the log and its place in the metrics.
 */
export class Front {
  readonly #application: Application;
  readonly #context: RouteContext;
  readonly #buckets: TokenBuckets;
  #inFlight = 0;
  #isDraining = false;

  constructor(application: Application, context: RouteContext) {
    this.#application = application;
    this.#context = context;
    this.#buckets = new TokenBuckets(context.clock);
  }

  /** Requests being answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** From now on new requests are refused. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Answers a request; undefined when its connection became a WebSocket. */
  async answer(request: Request, server: Server<WebSocketStream>): Promise<Response | undefined> {
    const { clock, timers, limits } = this.#context;
    const startedMs = clock.monotonicMs();
    const path = pathOf(request.url);
    const address = server.requestIP(request)?.address ?? "unknown";
    const refusal = this.#findRefusal(request, path, address);
    const deadline = new Deadline(clock, timers, limits.requestDeadlineMs);
    const source = sourceOf(address);
    const call: Call = { server, request, path, source, deadline, route: "unmatched", isReadingBody: false, isUpgraded: false };
    this.#inFlight += 1;
    try {
      const response = refusal ? problemResponse(refusal, path) : await this.#race(call);
      this.#account(call, response.status, clock.monotonicMs() - startedMs);
      return call.isUpgraded ? undefined : withHeaders(response, path);
    } finally {
      deadline.stop();
      this.#inFlight -= 1;
    }
  }

  #findRefusal(request: Request, path: string, address: string): Problem | undefined {
    const { limits } = this.#context;
    if (this.#isDraining) return { code: "shuttingDown", detail: "the node is shutting down", headers: { connection: "close" } };
    if (request.url.length > URL_LENGTH_MAX) {
      return { code: "uriTooLong", detail: `expected an address of at most ${URL_LENGTH_MAX} characters, got ${request.url.length}` };
    }
    if (UNLIMITED.has(path)) return undefined;
    if (this.#inFlight >= limits.requestsInFlightMax) {
      return { code: "overloaded", detail: `${this.#inFlight} requests are being answered, which is all that may be` };
    }
    const perSecond = isLoopback(address) ? limits.rateLoopbackPerSecond : limits.ratePerSecond;
    const burst = isLoopback(address) ? Math.max(limits.rateBurst, perSecond) : limits.rateBurst;
    const waitMs = this.#buckets.take(sourceOf(address), { perSecond, burst });
    if (waitMs === 0) return undefined;
    return { code: "rateLimited", detail: `expected at most ${perSecond} requests a second from one address`, retryAfterMs: waitMs };
  }

  /** The routes' answer, or a problem when the time is up first. */
  async #race(call: Call): Promise<Response> {
    const answer = this.#application(call).catch((error: unknown) => this.#onFailure(call, error));
    const first = await Promise.race([answer, call.deadline.expired]);
    return first === "expired" ? problemResponse(lateness(call), call.path) : first;
  }

  /** Reports what no route expected, also when its request has been answered as late. */
  #onFailure({ route, path }: Call, error: unknown): Response {
    const { log, onDefect } = this.#context;
    log.error("http.failed", { route, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    onDefect(error);
    return problemResponse({ code: "internal", detail: "the node failed to answer; its log says why" }, path);
  }

  #account({ route, request: { method }, source, isUpgraded }: Call, answered: number, elapsedMs: number): void {
    const { log, metrics } = this.#context;
    const status = isUpgraded ? 101 : answered;
    metrics.onAnswered(route, method, status, elapsedMs);
    const write = status >= 500 ? log.info : log.debug;
    write("http.request", { route, method: method.slice(0, 16), status, ms: Math.round(elapsedMs * 10) / 10, source });
  }
}

function lateness({ isReadingBody }: Call): Problem {
  return isReadingBody
    ? { code: "requestTimeout", detail: "the body did not arrive in time", headers: { connection: "close" } }
    : { code: "deadlineExceeded", detail: "the node did not answer in time; a submission may have been accepted all the same" };
}

function withHeaders(response: Response, path: string): Response {
  if (!response.headers.has("content-security-policy")) response.headers.set("content-security-policy", CONTENT_POLICY);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value);
  for (const [name, value] of Object.entries(versionHeaders(path))) response.headers.set(name, value);
  return response;
}
