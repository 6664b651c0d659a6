import { assert } from "../kernel/index.ts";
import {
  type BondEntry,
  bondKey,
  type ConvictionEntry,
  convictionKey,
  EPOCH_KEY,
  type EpochEntry,
  offenceKey,
  PARAMETERS_KEY,
  type ParametersEntry,
  type ProposalEntry,
  proposalKey,
  REGISTRY_KEY,
  type SigningKeyEntry,
  type StateEntry,
  signingKeyKey,
  type ValidatorEntry,
  validatorKey,
} from "../protocol/index.ts";
import type { EntryReader } from "./view.ts";

/** A registry without validators: what a state reads as that has none yet. */
const NO_VALIDATORS: readonly Uint8Array[] = [];
/** An epoch that has counted nothing. */
const NEW_EPOCH: EpochEntry = { kind: "epoch", feePot: 0n, isEndForced: false, lastForcedTimeMs: 0, certificates: 0, tallies: [] };
/** Parameters that no vote has changed. */
const NO_PARAMETERS: ParametersEntry = { kind: "parameters", values: [], pending: [], openProposals: [] };

/** The validator of an id (its first signing key, 32 bytes), or undefined. */
export function findValidator(entries: EntryReader, id: Uint8Array): ValidatorEntry | undefined {
  return entryOf(entries, validatorKey(id), "validator");
}

/** Which validator a signing key belongs or belonged to, or undefined for a key never used. */
export function findSigningKey(entries: EntryReader, signingKey: Uint8Array): SigningKeyEntry | undefined {
  return entryOf(entries, signingKeyKey(signingKey), "signingKey");
}

/** What an account has bonded to a validator, or undefined. */
export function findBond(entries: EntryReader, validator: Uint8Array, staker: Uint8Array): BondEntry | undefined {
  return entryOf(entries, bondKey(validator, staker), "bond");
}

/** The conviction of a validator for an epoch, or undefined. */
export function findConviction(entries: EntryReader, validator: Uint8Array, epoch: number): ConvictionEntry | undefined {
  return entryOf(entries, convictionKey(validator, epoch), "conviction");
}

/** The conviction for an offence that names no epoch of its own, or undefined. */
export function findOffence(entries: EntryReader, offence: Uint8Array): ConvictionEntry | undefined {
  return entryOf(entries, offenceKey(offence), "conviction");
}

/** The proposal of a proposing transaction's id, or undefined. */
export function findProposal(entries: EntryReader, id: Uint8Array): ProposalEntry | undefined {
  return entryOf(entries, proposalKey(id), "proposal");
}

/** Ids, ascending, of every validator that is or may come into a set. */
export function registryOf(entries: EntryReader): readonly Uint8Array[] {
  return entryOf(entries, REGISTRY_KEY, "registry")?.validators ?? NO_VALIDATORS;
}

/** What the running epoch has counted; nothing on a state that has not counted yet. */
export function epochOf(entries: EntryReader): EpochEntry {
  return entryOf(entries, EPOCH_KEY, "epoch") ?? NEW_EPOCH;
}

/** What votes have changed, not the parameters in force themselves: those are `parametersOf`. */
export function parametersEntryOf(entries: EntryReader): ParametersEntry {
  return entryOf(entries, PARAMETERS_KEY, "parameters") ?? NO_PARAMETERS;
}

function entryOf<K extends StateEntry["kind"]>(
  entries: EntryReader,
  key: Uint8Array,
  kind: K,
): Extract<StateEntry, { kind: K }> | undefined {
  const entry = entries.find(key);
  assert(entry === undefined || isOfKind(entry, kind), "a state key leads to an entry of its kind");
  return entry;
}

function isOfKind<K extends StateEntry["kind"]>(entry: StateEntry, kind: K): entry is Extract<StateEntry, { kind: K }> {
  return entry.kind === kind;
}
