import { DOMAIN_TAGS, sha256 } from "../crypto/portable.ts";
import { type CborReader, CborWriter, compareBytes, concatBytes } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** A signing key that takes over at the start of an epoch. */
export type PendingKey = { readonly signingKey: Uint8Array; readonly term: number; readonly effectiveEpoch: number };

/**
 * A validator, keyed by its id: its first signing key, which names it for ever, whatever it signs with later.
 *
 * Stake is held in two pools. A bond owns shares of the first; unstaking moves its part into the second, which waits out
 * the unbonding time and answers for faults as long. A pool without shares is empty.
 */
export type ValidatorEntry = {
  readonly kind: "validator";
  /** Account key, 32 bytes, that may change it and receives its commission. */
  readonly owner: Uint8Array;
  /** Ed25519 key, 32 bytes, that signs in the running epoch. */
  readonly signingKey: Uint8Array;
  /** Number of the signing key, 0 for the first. */
  readonly term: number;
  readonly next?: PendingKey;
  /** Share of its fees that the owner keeps, in 1/10,000. */
  readonly commission: number;
  readonly endpoint: string;
  readonly metadata: string;
  /** Whether it has asked to leave the set. */
  readonly isExiting: boolean;
  /** First epoch in which it may be in the set again; 0 when it is not jailed. */
  readonly jailedUntilEpoch: number;
  /** 0 to 10,000. */
  readonly reputation: number;
  readonly stake: bigint;
  readonly shares: bigint;
  readonly unbondingStake: bigint;
  readonly unbondingShares: bigint;
};

/** Which validator a signing key belongs or belonged to; kept for ever, so that no key signs for two. */
export type SigningKeyEntry = { readonly kind: "signingKey"; readonly validator: Uint8Array };

/** A part of a bond that leaves: shares of the unbonding pool, free once both the epoch and the header time have come. */
export type UnbondingTranche = { readonly shares: bigint; readonly releaseEpoch: number; readonly releaseTimeMs: number };

/** What one account has bonded to one validator. `tranches` in the order they were begun. */
export type BondEntry = {
  readonly kind: "bond";
  readonly validator: Uint8Array;
  readonly staker: Uint8Array;
  readonly shares: bigint;
  readonly tranches: readonly UnbondingTranche[];
};

/** The ids of every validator that is or may come into a set, ascending. */
export type RegistryEntry = { readonly kind: "registry"; readonly validators: readonly Uint8Array[] };

/** A fault that was proven: one a validator and epoch, however often it was committed. */
export type ConvictionEntry = {
  readonly kind: "conviction";
  readonly validator: Uint8Array;
  readonly epoch: number;
  /** Height of the block that convicted. */
  readonly height: number;
};

/** The 32 bytes that name a bond: SHA-256 of tag | validator id | staker. */
export function bondIdOf(validator: Uint8Array, staker: Uint8Array): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.bond, validator, staker));
}

/** The 32 bytes that name a conviction: SHA-256 of tag | validator id | epoch as 8 bytes big-endian. */
export function convictionIdOf(validator: Uint8Array, epoch: number): Uint8Array {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(epoch));
  return sha256(concatBytes(DOMAIN_TAGS.conviction, validator, number));
}

/** Canonical encoding: array of the fields in the order of the type, `next` as an array of none or three. */
export function encodeValidatorEntry(entry: ValidatorEntry): Uint8Array {
  const w = new CborWriter(256).array(14).bytes(entry.owner).bytes(entry.signingKey).uint(entry.term);
  if (entry.next) w.array(3).bytes(entry.next.signingKey).uint(entry.next.term).uint(entry.next.effectiveEpoch);
  else w.array(0);
  w.uint(entry.commission).text(entry.endpoint).text(entry.metadata).bool(entry.isExiting);
  w.uint(entry.jailedUntilEpoch).uint(entry.reputation);
  return w.uint(entry.stake).uint(entry.shares).uint(entry.unbondingStake).uint(entry.unbondingShares).finish();
}

/** Reads what `encodeValidatorEntry` writes. */
export function readValidatorEntry(r: CborReader): ValidatorEntry {
  if (r.array(14) !== 14) r.reject();
  const keys = { owner: r.bytes(32), signingKey: r.bytes(32), term: r.uint() };
  const nextFields = r.array(3);
  if (nextFields !== 0 && nextFields !== 3) r.reject();
  const next = nextFields === 3 ? { next: { signingKey: r.bytes(32), term: r.uint(), effectiveEpoch: r.uint() } } : {};
  const described = {
    commission: r.uint(10_000),
    endpoint: r.text(0, LIMITS.endpointBytesMax),
    metadata: r.text(0, LIMITS.metadataBytesMax),
    isExiting: r.bool(),
    jailedUntilEpoch: r.uint(),
    reputation: r.uint(10_000),
  };
  const pools = { stake: r.uint64(), shares: r.uint64(), unbondingStake: r.uint64(), unbondingShares: r.uint64() };
  return { kind: "validator", ...keys, ...next, ...described, ...pools };
}

/** Canonical encoding: array [validator, staker, shares, [[shares, releaseEpoch, releaseTimeMs]...]]. */
export function encodeBondEntry(entry: BondEntry): Uint8Array {
  const w = new CborWriter(128).array(4).bytes(entry.validator).bytes(entry.staker).uint(entry.shares);
  w.array(entry.tranches.length);
  for (const { shares, releaseEpoch, releaseTimeMs } of entry.tranches) w.array(3).uint(shares).uint(releaseEpoch).uint(releaseTimeMs);
  return w.finish();
}

/** Reads what `encodeBondEntry` writes. */
export function readBondEntry(r: CborReader): BondEntry {
  if (r.array(4) !== 4) r.reject();
  const base = { validator: r.bytes(32), staker: r.bytes(32), shares: r.uint64() };
  const tranches: UnbondingTranche[] = [];
  for (let left = r.array(LIMITS.bondTranchesMax); left > 0 && !r.isBroken; left--) {
    if (r.array(3) !== 3) r.reject();
    tranches.push({ shares: r.uint64(), releaseEpoch: r.uint(), releaseTimeMs: r.uint() });
  }
  return { kind: "bond", ...base, tranches };
}

/** Canonical encoding: array of the ids. */
export function encodeRegistryEntry(entry: RegistryEntry): Uint8Array {
  const w = new CborWriter(16 + 34 * entry.validators.length).array(entry.validators.length);
  for (const id of entry.validators) w.bytes(id);
  return w.finish();
}

/** Reads what `encodeRegistryEntry` writes; ids that do not ascend break the reader. */
export function readRegistryEntry(r: CborReader): RegistryEntry {
  return { kind: "registry", validators: readAscendingKeys(r, LIMITS.registryMax) };
}

/** Reads an array of 32-byte keys that must ascend. */
export function readAscendingKeys(r: CborReader, max: number): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let left = r.array(max); left > 0 && !r.isBroken; left--) {
    const key = r.bytes(32);
    const before = keys.at(-1);
    if (before && compareBytes(before, key) >= 0) r.reject();
    keys.push(key);
  }
  return keys;
}
