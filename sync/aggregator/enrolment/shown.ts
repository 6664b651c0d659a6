import { toHex } from "../../../src/kernel/index.ts";
import type { Claim, EnrolmentRequest } from "./types.ts";

/** A claim as routes tell it: never the token, which nobody here has. */
export function shownClaim({ id, network, node, site, approval, madeBy, madeAtMs, expiresAtMs, status }: Claim) {
  const times = { madeAt: timeOf(madeAtMs), expiresAt: timeOf(expiresAtMs) };
  return { id, network, ...(node === undefined ? {} : { node }), site, approval, madeBy, ...times, status };
}

/** A node's request as routes tell it. */
export function shownRequest(request: EnrolmentRequest) {
  const { id, claimId, network, node, identityKey, site, address, requestedAtMs, status, decidedBy } = request;
  const whom = { id, claim: claimId, network, node, identityKey: toHex(identityKey), site, address };
  return { ...whom, requestedAt: timeOf(requestedAtMs), status, decidedBy };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
