/** HTTP status and title of every code that the fleet API refuses with. */
export const FLEET_PROBLEMS = {
  malformed: { status: 400, title: "The request is not well formed" },
  notLoggedIn: { status: 401, title: "Nobody is logged in" },
  wrongCredentials: { status: 401, title: "The name or the password is wrong" },
  forbidden: { status: 403, title: "The role does not allow it" },
  crossSite: { status: 403, title: "The request did not come from the console" },
  notFound: { status: 404, title: "There is nothing here" },
  methodNotAllowed: { status: 405, title: "The route does not take this method" },
  tooLarge: { status: 413, title: "The request is too large" },
  unsupportedMediaType: { status: 415, title: "The body's media type is not taken" },
  slowDown: { status: 429, title: "Too many attempts from this address" },
  busy: { status: 503, title: "Too many logins are being judged" },
  full: { status: 507, title: "There is no room for it" },
  unavailable: { status: 503, title: "The store cannot be reached" },
} as const;

/** A stable code of a refusal. */
export type FleetProblemCode = keyof typeof FLEET_PROBLEMS;

/** Thrown by a handler to answer with a problem; the mount turns it into the response. */
export class FleetProblem extends Error {
  override readonly name = "FleetProblem";
  readonly code: FleetProblemCode;
  readonly retryAfterMs: number | undefined;

  /** @param detail what was expected and what came, for people */
  constructor(code: FleetProblemCode, detail: string, retryAfterMs?: number) {
    super(detail);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The response of a problem.
 *
 * @see RFC 9457
 */
export function problemAnswer({ code, message, retryAfterMs }: FleetProblem, instance: string): Response {
  const { status, title } = FLEET_PROBLEMS[code];
  const retry = retryAfterMs === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
  return new Response(JSON.stringify({ type: `urn:bizra:problem:${code}`, title, status, detail: message, instance, code }), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...retry },
  });
}
