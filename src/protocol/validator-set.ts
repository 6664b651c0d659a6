import { DOMAIN_TAGS, sha256 } from "../crypto/portable.ts";
import { assert, CborReader, CborWriter, compareBytes, err, ok, type Result } from "../kernel/index.ts";
import { LIMITS, U64_MAX } from "./limits.ts";

/** Largest reputation, that of a member who led and voted whenever it could; it counts in 1/10,000. */
export const REPUTATION_MAX = 10_000;

/** A member of a validator set: who signs, with how much weight, and how often it leads. */
export type Validator = {
  /** Ed25519 key, 32 bytes, that signs votes and batches in this epoch. */
  readonly publicKey: Uint8Array;
  /** Account key, 32 bytes, that owns the stake and receives fees. */
  readonly owner: Uint8Array;
  /** Voting weight, at least 1 unit. */
  readonly weight: bigint;
  /** Standing when the set was formed, 0..REPUTATION_MAX; with the weight it decides how often the member leads. */
  readonly reputation: number;
};

/**
 * The validators of one epoch in their canonical order (ascending public key); a validator's index in it is its signer
 * index in votes and its bit in certificate bitmaps.
 *
 * @see consensus rule Types: W = sum, F = floor((W-1)/3), Q = W - F
 */
export type ValidatorSet = {
  readonly validators: readonly Validator[];
  /** W: sum of the weights. */
  readonly totalWeight: bigint;
  /** F: largest faulty weight tolerated. */
  readonly faultyWeightMax: bigint;
  /** Q: weight that makes a certificate. */
  readonly quorumWeight: bigint;
  /** SHA-256 of tag | encoding, 32 bytes. */
  readonly hash: Uint8Array;
};

/** Why a list of validators is no set. */
export type ValidatorSetFault = "empty" | "tooMany" | "duplicateKey" | "zeroWeight" | "weightOverflow" | "singleWeightAboveF";

/**
 * Forms the set of these validators, in any order given.
 *
 * Errors: `empty`, `tooMany`, `duplicateKey`, `zeroWeight`, `weightOverflow` (sum beyond 64 bits) and
 * `singleWeightAboveF` (with more than one member no single weight may exceed F). Key validity is checked by genesis
 * and registration, not here.
 */
export function makeValidatorSet(members: readonly Validator[]): Result<ValidatorSet, ValidatorSetFault> {
  if (members.length === 0) return err("empty");
  if (members.length > LIMITS.validatorsMax) return err("tooMany");
  const validators = [...members].sort((a, b) => compareBytes(a.publicKey, b.publicKey));
  let totalWeight = 0n;
  for (const [index, validator] of validators.entries()) {
    const previous = validators[index - 1];
    if (previous && compareBytes(previous.publicKey, validator.publicKey) === 0) return err("duplicateKey");
    if (validator.weight < 1n) return err("zeroWeight");
    assert(isReputation(validator.reputation), "a reputation is a whole number from 0 to 10,000");
    totalWeight += validator.weight;
  }
  if (totalWeight > U64_MAX) return err("weightOverflow");
  const faultyWeightMax = (totalWeight - 1n) / 3n;
  if (validators.length > 1 && validators.some((v) => v.weight > faultyWeightMax)) return err("singleWeightAboveF");
  const hash = sha256(DOMAIN_TAGS.validatorSet, encodeValidators(validators));
  assert(3n * faultyWeightMax < totalWeight, "F is less than a third of W");
  return ok({ validators, totalWeight, faultyWeightMax, quorumWeight: totalWeight - faultyWeightMax, hash });
}

/** Canonical encoding: array of [publicKey, owner, weight, reputation] in ascending key order. */
export function encodeValidatorSet(set: ValidatorSet): Uint8Array {
  return encodeValidators(set.validators);
}

/** Reads what `encodeValidatorSet` writes; `malformed` also for members out of order or no set. */
export function decodeValidatorSet(bytes: Uint8Array): Result<ValidatorSet, "malformed"> {
  const reader = new CborReader(bytes);
  const count = reader.array(LIMITS.validatorsMax);
  const members: Validator[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) {
    if (reader.array(4) !== 4) reader.reject();
    const member = { publicKey: reader.bytes(32), owner: reader.bytes(32), weight: reader.uint64() };
    members.push({ ...member, reputation: reader.uint(REPUTATION_MAX) });
  }
  if (!reader.isComplete) return err("malformed");
  for (let i = 1; i < members.length; i++) {
    if (compareBytes((members[i - 1] as Validator).publicKey, (members[i] as Validator).publicKey) >= 0) return err("malformed");
  }
  const set = makeValidatorSet(members);
  return set.ok ? set : err("malformed");
}

/** Index of the validator with this key, or undefined. */
export function findValidatorIndex(set: ValidatorSet, publicKey: Uint8Array): number | undefined {
  const index = set.validators.findIndex((v) => compareBytes(v.publicKey, publicKey) === 0);
  return index < 0 ? undefined : index;
}

function encodeValidators(validators: readonly Validator[]): Uint8Array {
  const writer = new CborWriter(16 + 80 * validators.length).array(validators.length);
  for (const v of validators) writer.array(4).bytes(v.publicKey).bytes(v.owner).uint(v.weight).uint(v.reputation);
  return writer.finish();
}

function isReputation(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= REPUTATION_MAX;
}
