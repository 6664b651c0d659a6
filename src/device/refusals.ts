import type { RejectionCode } from "../protocol/index.ts";

/**
 * What helps against a refusal. `again`: the same bytes later. `renew`: the same nonce with fresh terms, so that only one of
 * the two can ever execute. `nonce`: the nonce is somebody else's or lies too far ahead. `never`: nothing.
 */
export type Remedy = "again" | "renew" | "nonce" | "never";

const REMEDIES = {
  malformed: "never",
  tooLarge: "never",
  badSignature: "never",
  unknownSender: "never",
  insufficientFunds: "never",
  feeTooLow: "renew",
  expired: "renew",
  validityTooLong: "renew",
  nonceTooLow: "nonce",
  nonceTooHigh: "nonce",
  duplicate: "again",
  notAuthorized: "never",
  quotaExceeded: "again",
  mempoolFull: "again",
  syncing: "again",
} as const satisfies Record<RejectionCode, Remedy>;

/** Refusals that say something of the node or of the way to it, not of the transaction. */
const PASSING = new Set([
  "requestTimeout",
  "rateLimited",
  "internal",
  "notReady",
  "overloaded",
  "deadlineExceeded",
  "shuttingDown",
  "notFound",
]);

/** What an owner, not the device, can put right while the device waits. */
const UP_TO_THE_OWNER = new Set(["unknownSender", "insufficientFunds"]);

/** What helps against a refusal with this code; a code of a later release is final. */
export function remedyOf(code: string, isSponsored: boolean): Remedy {
  if (PASSING.has(code) || (isSponsored && UP_TO_THE_OWNER.has(code))) return "again";
  return isRejection(code) ? REMEDIES[code] : "never";
}

function isRejection(code: string): code is RejectionCode {
  return Object.hasOwn(REMEDIES, code);
}
