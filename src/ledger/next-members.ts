import { bytesEqual } from "../kernel/index.ts";
import { LIMITS, type Validator, type ValidatorEntry, type ValidatorSet } from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import { findSigningKey, findValidator, registryOf } from "./entries.ts";
import { byStake, type Fate, nextValidatorSet, type SetCandidate, type SetMember } from "./next-set.ts";
import type { EntryReader } from "./view.ts";

/** The parameters that decide who may be in a set. */
type SetParameters = Pick<ExecutionContext["parameters"], "minimumStake" | "validatorsMax" | "reputationEntryMin">;

/** The id of a member of a set: the validator that its signing key belongs to. */
export function idOfMember(entries: EntryReader, { publicKey }: Pick<Validator, "publicKey">): Uint8Array {
  return findSigningKey(entries, publicKey)?.validator ?? publicKey;
}

/**
 * The set of an epoch, on the state that the epoch before leaves, with keys, reputations and sentences already turned:
 * of all validators with stake enough that neither exit nor are jailed, those with the most stake. Who is not in the
 * running set also needs the reputation to enter.
 */
export function chooseNextSet(entries: EntryReader, running: ValidatorSet, epoch: number, parameters: SetParameters): ValidatorSet {
  const mayServe = (entry: ValidatorEntry): boolean =>
    !entry.isExiting && entry.jailedUntilEpoch <= epoch && entry.stake > 0n && entry.stake >= parameters.minimumStake;
  const members = running.validators.map((validator) => memberOf(entries, validator, epoch, mayServe));
  const joiners: SetCandidate[] = [];
  for (const id of registryOf(entries)) {
    const entry = findValidator(entries, id);
    const isSeated = members.some((member) => bytesEqual(member.id, id));
    if (entry === undefined || isSeated || !mayServe(entry) || entry.reputation < parameters.reputationEntryMin) continue;
    joiners.push(candidateOf(id, entry));
  }
  const seats = Math.min(parameters.validatorsMax, LIMITS.validatorsMax);
  const chosen = new Set([...members.filter(({ fate }) => fate === "stays"), ...joiners].sort(byStake).slice(0, seats));
  return nextValidatorSet(
    members.map((member) => (member.fate === "stays" && !chosen.has(member) ? { ...member, fate: "leaves" } : member)),
    joiners.filter((joiner) => chosen.has(joiner)),
    seats,
  );
}

function memberOf(entries: EntryReader, validator: Validator, epoch: number, mayServe: (entry: ValidatorEntry) => boolean): SetMember {
  const id = idOfMember(entries, validator);
  const entry = findValidator(entries, id);
  if (entry === undefined) return { ...validator, id, stake: validator.weight, fate: "stays" };
  const fate: Fate = mayServe(entry) ? "stays" : entry.jailedUntilEpoch > epoch ? "convicted" : "leaves";
  return { ...candidateOf(id, entry), weight: validator.weight, fate };
}

function candidateOf(id: Uint8Array, { signingKey, owner, reputation, stake }: ValidatorEntry): SetCandidate {
  return { id, publicKey: signingKey, owner, reputation, stake };
}
