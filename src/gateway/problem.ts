import type { RejectionCode } from "../protocol/index.ts";

/** Codes of refusals that come from the interface itself, beside those of transactions. */
type InterfaceCode =
  | "notFound"
  | "pruned"
  | "methodNotAllowed"
  | "notAcceptable"
  | "requestTimeout"
  | "uriTooLong"
  | "unsupportedMediaType"
  | "upgradeRequired"
  | "rateLimited"
  | "internal"
  | "notReady"
  | "overloaded"
  | "deadlineExceeded"
  | "shuttingDown";

/** Every `code` that a problem may carry. */
export type ProblemCode = RejectionCode | InterfaceCode;

/** HTTP status and title of a code; `isRetryable` ones carry Retry-After. */
type ProblemKind = { readonly status: number; readonly title: string; readonly isRetryable?: true };

/**
 * HTTP status of every code.
 *
 * @see interface: codes with their HTTP status
 */
export const PROBLEM_KINDS = {
  malformed: { status: 400, title: "The request or transaction is not well formed" },
  tooLarge: { status: 413, title: "The request or transaction is too large" },
  badSignature: { status: 422, title: "The signature does not verify" },
  unknownSender: { status: 422, title: "The sender has no account" },
  insufficientFunds: { status: 422, title: "The balance does not cover it" },
  feeTooLow: { status: 422, title: "The fee is below the minimum" },
  expired: { status: 422, title: "The transaction's validity has ended" },
  validityTooLong: { status: 422, title: "The transaction's validity reaches too far" },
  nonceTooLow: { status: 422, title: "The nonce has been used" },
  nonceTooHigh: { status: 422, title: "The nonce lies too far ahead" },
  duplicate: { status: 409, title: "The transaction has been executed already" },
  notAuthorized: { status: 403, title: "The sender may not do this" },
  quotaExceeded: { status: 429, title: "A quota is used up", isRetryable: true },
  mempoolFull: { status: 503, title: "The node takes no transactions for the moment", isRetryable: true },
  syncing: { status: 503, title: "The node is behind the chain", isRetryable: true },
  notFound: { status: 404, title: "There is nothing here" },
  pruned: { status: 410, title: "It is no longer kept here" },
  methodNotAllowed: { status: 405, title: "The route does not take this method" },
  notAcceptable: { status: 406, title: "None of the accepted media types can be given" },
  requestTimeout: { status: 408, title: "The request did not arrive in time" },
  uriTooLong: { status: 414, title: "The request's address is too long" },
  unsupportedMediaType: { status: 415, title: "The body's media type is not taken" },
  upgradeRequired: { status: 426, title: "The route speaks WebSocket" },
  rateLimited: { status: 429, title: "Too many requests from this address", isRetryable: true },
  internal: { status: 500, title: "The node failed to answer" },
  notReady: { status: 503, title: "The node is not ready", isRetryable: true },
  overloaded: { status: 503, title: "The node answers too many requests already", isRetryable: true },
  deadlineExceeded: { status: 503, title: "The answer took too long", isRetryable: true },
  shuttingDown: { status: 503, title: "The node is shutting down", isRetryable: true },
} as const satisfies Record<ProblemCode, ProblemKind>;

/** A refusal to be told as `application/problem+json`. */
export type Problem = {
  readonly code: ProblemCode;
  /** What was expected and what came, in one sentence. */
  readonly detail: string;
  /** Members beside those of RFC 9457, e.g. the list of outcomes. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** When to come back, for retryable codes; a second unless given. */
  readonly retryAfterMs?: number;
};

/** `type` of a code's problem: a name, not an address; docs/http.md explains each. */
function problemTypeOf(code: ProblemCode): string {
  return `urn:bizra:problem:${code}`;
}

/**
 * The response of a problem.
 *
 * @param instance path of the request
 * @see RFC 9457
 */
export function problemResponse({ code, detail, members = {}, headers = {}, retryAfterMs = 1_000 }: Problem, instance: string): Response {
  const kind: ProblemKind = PROBLEM_KINDS[code];
  const body = { type: problemTypeOf(code), title: kind.title, status: kind.status, detail, instance, code, ...members };
  const retry = kind.isRetryable ? { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } : {};
  return new Response(JSON.stringify(body), {
    status: kind.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...retry, ...headers },
  });
}

/** Thrown by a handler to answer with a problem; the mount turns it into the response. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}
