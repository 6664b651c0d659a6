import { assert, bytesEqual, compareBytes, present } from "../kernel/index.ts";
import { LIMITS, type ValidatorSet } from "../protocol/index.ts";
import { findSigningKey, findValidator, registryOf } from "./entries.ts";
import type { EntryReader } from "./view.ts";
import type { WorkingSet } from "./working-set.ts";

/** Whether a signing key belongs to a member of the set. */
export function isMember(set: ValidatorSet, signingKey: Uint8Array): boolean {
  return set.validators.some(({ publicKey }) => bytesEqual(publicKey, signingKey));
}

/** Ids of the members of a set that an account owns, ascending. */
export function membersOwnedBy(entries: EntryReader, set: ValidatorSet, owner: Uint8Array): readonly Uint8Array[] {
  const ids = set.validators.flatMap((member) =>
    bytesEqual(member.owner, owner) ? (findSigningKey(entries, member.publicKey) ?? []) : [],
  );
  return ids.map(({ validator }) => validator).sort(compareBytes);
}

/**
 * Puts a validator that has stake on the list of those that may come into a set. A full list lets go of one that leaves for
 * good, or else of the validator with the least stake, when that has less than the new one: it could not come into a set
 * before all others. Members of the current set stay. Its bonds stay what they are, and more stake brings it back.
 *
 * @returns false when the list is full of validators with as much stake
 */
export function enterRegistry(working: WorkingSet, set: ValidatorSet, id: Uint8Array, stake: bigint): boolean {
  const ids = registryOf(working);
  const place = lowerBound(ids, id);
  const found = ids[place];
  if (found !== undefined && bytesEqual(found, id)) return true;
  const left = ids.length < LIMITS.registryMax ? undefined : leastOf(working, set, ids, stake);
  if (ids.length >= LIMITS.registryMax && left === undefined) return false;
  const entered = [...ids.slice(0, place), id, ...ids.slice(place)].filter((other) => left === undefined || other !== left);
  assert(entered.length <= LIMITS.registryMax, "the list of validators stays within its bound");
  working.setRegistry(entered);
  return true;
}

/** Who would be let go for this much stake: who exits, or the least stake below it; of equals the last by id. */
function leastOf(entries: EntryReader, set: ValidatorSet, ids: readonly Uint8Array[], below: bigint): Uint8Array | undefined {
  let least: Uint8Array | undefined;
  let leastStake = below;
  for (const id of ids) {
    const { stake, isExiting, signingKey } = present(findValidator(entries, id), "the list of validators names such as there are");
    const rank = isExiting ? -1n : stake;
    if (rank >= below || rank > leastStake || isMember(set, signingKey)) continue;
    least = id;
    leastStake = rank;
  }
  return least;
}

function lowerBound(ids: readonly Uint8Array[], id: Uint8Array): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(present(ids[middle], "the middle lies within"), id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
