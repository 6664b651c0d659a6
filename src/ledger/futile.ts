import { checkPublicKey } from "../crypto/index.ts";
import { bytesEqual, toHex } from "../kernel/index.ts";
import {
  decodeEvidence,
  findParameterBounds,
  formatAddress,
  type Rejection,
  type RejectionCode,
  type Transaction,
} from "../protocol/index.ts";
import { findSigningKey, findValidator } from "./entries.ts";
import type { LedgerView } from "./view.ts";

/**
 * Why a transaction would fail whenever it executed, so that its sender is told instead of charged; undefined when it may
 * succeed. Only what can never change is judged: an owner, a key that was used, a name that is no parameter. Whether a
 * validator exists or has stake enough may be different once what is pending before it is done.
 */
export function findFutility(view: LedgerView, { sender, body }: Transaction): Rejection | undefined {
  switch (body.type) {
    case 5:
      return findKeyFutility(view, body.publicKey);
    case 6:
    case 7:
      return findOwnerFutility(view, body.validator, sender);
    case 11:
      return findOwnerFutility(view, body.validator, sender) ?? findKeyFutility(view, body.newKey);
    case 12:
      return findEvidenceFutility(body.evidence);
    case 13:
      return findParameterFutility(body.key, body.value);
    default:
      return undefined;
  }
}

function findKeyFutility(view: LedgerView, key: Uint8Array): Rejection | undefined {
  if (!checkPublicKey(key))
    return futile("badSignature", `expected a signing key that is canonical and not of small order, got ${toHex(key)}`);
  if (findSigningKey(view, key) === undefined) return undefined;
  return futile("notAuthorized", `expected a signing key that no validator ever had, got ${toHex(key)}; make a new one`);
}

function findOwnerFutility(view: LedgerView, id: Uint8Array, sender: Uint8Array): Rejection | undefined {
  const validator = findValidator(view, id);
  if (validator === undefined || bytesEqual(validator.owner, sender)) return undefined;
  return futile("notAuthorized", `expected the validator's owner ${formatAddress(validator.owner)}, got ${formatAddress(sender)}`);
}

function findEvidenceFutility(evidence: Uint8Array): Rejection | undefined {
  if (decodeEvidence(evidence).ok) return undefined;
  return futile("notAuthorized", `expected evidence of a fault, got ${evidence.length} bytes that are none by its grammar`);
}

function findParameterFutility(name: string, value: bigint): Rejection | undefined {
  const bounds = findParameterBounds(name);
  if (bounds === undefined) return futile("notAuthorized", `expected the name of a parameter or feature.NAME, got ${JSON.stringify(name)}`);
  if (value >= bounds.min && value <= bounds.max) return undefined;
  return futile("notAuthorized", `expected ${name} from ${bounds.min} to ${bounds.max}, got ${value}`);
}

function futile(code: RejectionCode, detail: string): Rejection {
  return { code, detail };
}
