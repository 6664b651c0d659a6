import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result } from "../kernel/index.ts";
import { type EpochEntry, encodeEpochEntry, readEpochEntry } from "./epoch-entry.ts";
import {
  encodeParametersEntry,
  encodeProposalEntry,
  type ParametersEntry,
  type ProposalEntry,
  readParametersEntry,
  readProposalEntry,
} from "./governance-entry.ts";
import { LIMITS } from "./limits.ts";
import {
  type BondEntry,
  bondIdOf,
  type ConvictionEntry,
  convictionIdOf,
  encodeBondEntry,
  encodeRegistryEntry,
  encodeValidatorEntry,
  type RegistryEntry,
  readBondEntry,
  readRegistryEntry,
  readValidatorEntry,
  type SigningKeyEntry,
  type ValidatorEntry,
} from "./validator-entry.ts";

/** First byte of a state key: what the entry is. */
export const ENTRY_KIND = {
  supply: 0,
  account: 1,
  device: 2,
  validator: 3,
  signingKey: 4,
  bond: 5,
  registry: 6,
  epoch: 7,
  conviction: 8,
  parameters: 9,
  proposal: 10,
} as const;

/** Bytes of a state key by its kind: the kind alone where there is one entry of it, else kind | 32 bytes. */
const KEY_BYTES: readonly number[] = [1, 33, 33, 33, 33, 33, 1, 1, 33, 1, 33];

/** Bytes of a state key of this kind, or undefined for a kind that does not exist. */
export function findEntryKeyLength(kind: number): number | undefined {
  return KEY_BYTES[kind];
}

/** An account: what its key may spend and the next nonce it must use. */
export type AccountEntry = { readonly kind: "account"; readonly nonce: bigint; readonly balance: bigint };

/** A sponsored device: who pays for its anchors, how much per hour of header time, and what the current hour has used. */
export type DeviceEntry = {
  readonly kind: "device";
  /** Owner's account key, 32 bytes. */
  readonly owner: Uint8Array;
  readonly label: string;
  readonly transactionsPerHour: bigint;
  readonly bytesPerHour: bigint;
  /** floor(header time in ms / 3,600,000) of the hour that the use below counts for. */
  readonly hour: number;
  readonly usedTransactions: bigint;
  readonly usedBytes: bigint;
};

/** Totals that make conservation checkable: sum of all balances + burned = issued at genesis. */
export type SupplyEntry = { readonly kind: "supply"; readonly issued: bigint; readonly burned: bigint };

/** A value of the state. */
export type StateEntry =
  | AccountEntry
  | DeviceEntry
  | SupplyEntry
  | ValidatorEntry
  | SigningKeyEntry
  | BondEntry
  | RegistryEntry
  | EpochEntry
  | ConvictionEntry
  | ParametersEntry
  | ProposalEntry;

/** State key of an account: kind byte | public key (33 bytes). */
export function accountKey(publicKey: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.account, publicKey);
}

/** State key of a device's sponsorship: kind byte | device key (33 bytes). */
export function deviceKey(publicKey: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.device, publicKey);
}

/** State key of a validator: kind byte | its id (33 bytes). */
export function validatorKey(id: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.validator, id);
}

/** State key of a signing key's owner: kind byte | the key (33 bytes). */
export function signingKeyKey(signingKey: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.signingKey, signingKey);
}

/** State key of what an account bonded to a validator: kind byte | hash of both (33 bytes). */
export function bondKey(validator: Uint8Array, staker: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.bond, bondIdOf(validator, staker));
}

/** State key of a validator's conviction in an epoch: kind byte | hash of both (33 bytes). */
export function convictionKey(validator: Uint8Array, epoch: number): Uint8Array {
  return entryKey(ENTRY_KIND.conviction, convictionIdOf(validator, epoch));
}

/** State key under which the conviction for an offence that names no epoch of its own is found: kind byte | offence (33 bytes). */
export function offenceKey(offence: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.conviction, offence);
}

/** State key of a proposed parameter: kind byte | id of the proposing transaction (33 bytes). */
export function proposalKey(id: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.proposal, id);
}

/** State key of the supply totals: the kind byte alone. */
export const SUPPLY_KEY: Uint8Array = Uint8Array.of(ENTRY_KIND.supply);

/** State key of the list of validators. */
export const REGISTRY_KEY: Uint8Array = Uint8Array.of(ENTRY_KIND.registry);

/** State key of what the running epoch counts. */
export const EPOCH_KEY: Uint8Array = Uint8Array.of(ENTRY_KIND.epoch);

/** State key of the parameters that votes changed. */
export const PARAMETERS_KEY: Uint8Array = Uint8Array.of(ENTRY_KIND.parameters);

/** Canonical encoding of an entry's value: array of its fields in the order of the type. */
export function encodeEntry(entry: StateEntry): Uint8Array {
  switch (entry.kind) {
    case "account":
      return new CborWriter(24).array(2).uint(entry.nonce).uint(entry.balance).finish();
    case "device": {
      const w = new CborWriter(160).array(7).bytes(entry.owner).text(entry.label).uint(entry.transactionsPerHour).uint(entry.bytesPerHour);
      return w.uint(entry.hour).uint(entry.usedTransactions).uint(entry.usedBytes).finish();
    }
    case "supply":
      return new CborWriter(24).array(2).uint(entry.issued).uint(entry.burned).finish();
    case "validator":
      return encodeValidatorEntry(entry);
    case "signingKey":
      return new CborWriter(40).array(1).bytes(entry.validator).finish();
    case "bond":
      return encodeBondEntry(entry);
    case "registry":
      return encodeRegistryEntry(entry);
    case "epoch":
      return encodeEpochEntry(entry);
    case "conviction":
      return new CborWriter(64).array(3).bytes(entry.validator).uint(entry.epoch).uint(entry.height).finish();
    case "parameters":
      return encodeParametersEntry(entry);
    case "proposal":
      return encodeProposalEntry(entry);
  }
}

/** Reads an entry's value, its kind given by its key; `malformed` for an unknown kind, key length or shape. */
export function decodeEntry(key: Uint8Array, value: Uint8Array): Result<StateEntry, "malformed"> {
  const kind = key[0];
  if (kind === undefined || key.length !== findEntryKeyLength(kind)) return err("malformed");
  const r = new CborReader(value);
  const entry = READERS[kind]?.(r);
  return entry && r.isComplete ? ok(entry) : err("malformed");
}

/** Readers of values by kind. */
const READERS: readonly ((r: CborReader) => StateEntry)[] = [
  readSupply,
  readAccount,
  readDevice,
  readValidatorEntry,
  readSigningKey,
  readBondEntry,
  readRegistryEntry,
  readEpochEntry,
  readConviction,
  readParametersEntry,
  readProposalEntry,
];

function readSigningKey(r: CborReader): SigningKeyEntry {
  if (r.array(1) !== 1) r.reject();
  return { kind: "signingKey", validator: r.bytes(32) };
}

function readConviction(r: CborReader): ConvictionEntry {
  if (r.array(3) !== 3) r.reject();
  return { kind: "conviction", validator: r.bytes(32), epoch: r.uint(), height: r.uint() };
}

function readAccount(r: CborReader): AccountEntry {
  if (r.array(2) !== 2) r.reject();
  return { kind: "account", nonce: r.uint64(), balance: r.uint64() };
}

function readSupply(r: CborReader): SupplyEntry {
  if (r.array(2) !== 2) r.reject();
  return { kind: "supply", issued: r.uint64(), burned: r.uint64() };
}

function readDevice(r: CborReader): DeviceEntry {
  if (r.array(7) !== 7) r.reject();
  const base = { owner: r.bytes(32), label: r.text(0, LIMITS.labelBytesMax), transactionsPerHour: r.uint64(), bytesPerHour: r.uint64() };
  return { kind: "device", ...base, hour: r.uint(), usedTransactions: r.uint64(), usedBytes: r.uint64() };
}

function entryKey(kind: number, publicKey: Uint8Array): Uint8Array {
  assert(publicKey.length === 32, "an entry of which there are many is keyed by 32 bytes");
  return concatBytes(Uint8Array.of(kind), publicKey);
}
