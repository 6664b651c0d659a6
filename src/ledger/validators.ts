import { isTorsionFree } from "../crypto/index.ts";
import { assert, bytesEqual } from "../kernel/index.ts";
import {
  type KeyRotateBody,
  LIMITS,
  type ReceiptCode,
  type ValidatorEntry,
  type ValidatorExitBody,
  type ValidatorRegisterBody,
  type ValidatorUpdateBody,
  validatorKeyProofBytes,
} from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import type { Effect } from "./effects.ts";
import { epochOf, findSigningKey, findValidator } from "./entries.ts";
import { isMember } from "./registry.ts";
import type { WorkingSet } from "./working-set.ts";

/** Reputation of a validator that has done nothing yet: above the usual gate to the set, below those who have proven themselves. */
export const REPUTATION_AT_REGISTRATION = 5_000;

/**
 * Makes a validator without stake, named by the key it signs with first. It comes into a set at an epoch end, once it
 * has stake enough.
 */
export function applyValidatorRegister(
  working: WorkingSet,
  context: ExecutionContext,
  owner: Uint8Array,
  body: ValidatorRegisterBody,
  effects: Effect[],
): ReceiptCode {
  const { publicKey, proof, commission, endpoint, metadata } = body;
  const message = validatorKeyProofBytes(context.chainId, owner, publicKey, publicKey, 0);
  const fault = findKeyFault(working, context, publicKey, message, proof);
  if (fault !== undefined) return fault;
  working.claimSigningKey(publicKey, publicKey);
  const key = { owner, signingKey: publicKey, term: 0 };
  const standing = { isExiting: false, jailedUntilEpoch: 0, reputation: REPUTATION_AT_REGISTRATION };
  const pools = { stake: 0n, shares: 0n, unbondingStake: 0n, unbondingShares: 0n };
  working.setValidator(publicKey, { kind: "validator", ...key, commission, endpoint, metadata, ...standing, ...pools });
  effects.push({ kind: "validatorRegistered", validator: publicKey, owner });
  return "applied";
}

/** Changes what is given of a validator's description, at once. */
export function applyValidatorUpdate(working: WorkingSet, owner: Uint8Array, body: ValidatorUpdateBody, effects: Effect[]): ReceiptCode {
  const { type: _type, validator, ...change } = body;
  const entry = ownedBy(working, validator, owner);
  if (typeof entry === "string") return entry;
  working.setValidator(validator, { ...entry, ...change });
  effects.push({ kind: "validatorUpdated", validator, owner });
  return "applied";
}

/** Announces that a validator leaves, for good: it is not chosen for the next set, takes no more stake and keeps its duties until then. */
export function applyValidatorExit(working: WorkingSet, owner: Uint8Array, body: ValidatorExitBody, effects: Effect[]): ReceiptCode {
  const entry = ownedBy(working, body.validator, owner);
  if (typeof entry === "string") return entry;
  if (entry.isExiting) return "validatorExiting";
  working.setValidator(body.validator, { ...entry, isExiting: true });
  effects.push({ kind: "validatorExiting", validator: body.validator, owner });
  return "applied";
}

/**
 * Names the key that signs for a validator from an epoch on. A key named before and not in force yet is replaced, and
 * stays used up. A rotation of a member that is due at the next epoch asks for the end of this one, since a box that is
 * lost or stolen should not count longer than it must.
 *
 * @see consensus R12
 */
export function applyKeyRotate(
  working: WorkingSet,
  context: ExecutionContext,
  owner: Uint8Array,
  body: KeyRotateBody,
  effects: Effect[],
): ReceiptCode {
  const { validator, newKey, proof, term, effectiveEpoch } = body;
  const entry = ownedBy(working, validator, owner);
  if (typeof entry === "string") return entry;
  if (term !== (entry.next?.term ?? entry.term) + 1) return "wrongTerm";
  if (effectiveEpoch <= context.epoch || effectiveEpoch > context.epoch + LIMITS.epochsAheadMax) return "wrongEpoch";
  const message = validatorKeyProofBytes(context.chainId, owner, validator, newKey, term);
  const fault = findKeyFault(working, context, newKey, message, proof);
  if (fault !== undefined) return fault;
  working.claimSigningKey(newKey, validator);
  working.setValidator(validator, { ...entry, next: { signingKey: newKey, term, effectiveEpoch } });
  if (effectiveEpoch === context.epoch + 1 && isMember(context.validatorSet, entry.signingKey)) {
    working.setEpoch({ ...epochOf(working), isEndForced: true });
  }
  effects.push({ kind: "keyRotating", validator, newKey, term, effectiveEpoch });
  return "applied";
}

/** Why a key cannot become a validator's, the cheapest checks first; checks that cost much are bounded for each block. */
function findKeyFault(
  working: WorkingSet,
  context: ExecutionContext,
  key: Uint8Array,
  message: Uint8Array,
  proof: Uint8Array,
): ReceiptCode | undefined {
  if (findSigningKey(working, key) !== undefined) return "keyUsed";
  if (working.keyChecks >= LIMITS.blockKeysMax) return "limitReached";
  working.countKeyCheck();
  assert(working.keyChecks <= LIMITS.blockKeysMax, "a block checks a bounded number of keys");
  if (!isTorsionFree(key)) return "invalidKey";
  return context.verifySignature(key, message, proof) ? undefined : "badProof";
}

function ownedBy(working: WorkingSet, validator: Uint8Array, owner: Uint8Array): ValidatorEntry | "notRegistered" | "notAuthorized" {
  const entry = findValidator(working, validator);
  if (entry === undefined) return "notRegistered";
  return bytesEqual(entry.owner, owner) ? entry : "notAuthorized";
}
