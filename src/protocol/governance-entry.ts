import { type CborReader, CborWriter } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";
import { readAscendingKeys } from "./validator-entry.ts";

/** A parameter's name and its value. */
export type ParameterValue = { readonly name: string; readonly value: bigint };

/** An approved value that takes effect at the start of an epoch. */
export type PendingParameter = ParameterValue & { readonly activationEpoch: number };

/** Parameters that votes have changed or will change. Names not listed have their value of genesis. */
export type ParametersEntry = {
  readonly kind: "parameters";
  /** In force, ascending by name (compared as UTF-8), each once. */
  readonly values: readonly ParameterValue[];
  /** In the order of their approval. */
  readonly pending: readonly PendingParameter[];
  /** Ids of the proposals that are open, ascending. */
  readonly openProposals: readonly Uint8Array[];
};

/** A proposed value of a parameter, keyed by the id of the transaction that proposed it. */
export type ProposalEntry = {
  readonly kind: "proposal";
  readonly name: string;
  readonly value: bigint;
  readonly activationEpoch: number;
  /** Id of the validator whose owner proposed it. */
  readonly proposer: Uint8Array;
  /** Ids of the validators whose owners approve, ascending. */
  readonly approvals: readonly Uint8Array[];
  /** Ids of the validators whose owners reject, ascending. */
  readonly rejections: readonly Uint8Array[];
};

/** Canonical encoding: array [[[name, value]...], [[name, value, activationEpoch]...], [id...]]. */
export function encodeParametersEntry(entry: ParametersEntry): Uint8Array {
  const w = new CborWriter(128).array(3).array(entry.values.length);
  for (const { name, value } of entry.values) w.array(2).text(name).uint(value);
  w.array(entry.pending.length);
  for (const { name, value, activationEpoch } of entry.pending) w.array(3).text(name).uint(value).uint(activationEpoch);
  w.array(entry.openProposals.length);
  for (const id of entry.openProposals) w.bytes(id);
  return w.finish();
}

/** Reads what `encodeParametersEntry` writes; names that do not ascend break the reader. */
export function readParametersEntry(r: CborReader): ParametersEntry {
  if (r.array(3) !== 3) r.reject();
  const values: ParameterValue[] = [];
  for (let left = r.array(LIMITS.parametersMax); left > 0 && !r.isBroken; left--) {
    if (r.array(2) !== 2) r.reject();
    const name = r.text(1, LIMITS.parameterNameBytesMax);
    const before = values.at(-1);
    if (before && before.name >= name) r.reject();
    values.push({ name, value: r.uint64() });
  }
  const pending: PendingParameter[] = [];
  for (let left = r.array(LIMITS.parametersMax); left > 0 && !r.isBroken; left--) {
    if (r.array(3) !== 3) r.reject();
    pending.push({ name: r.text(1, LIMITS.parameterNameBytesMax), value: r.uint64(), activationEpoch: r.uint() });
  }
  return { kind: "parameters", values, pending, openProposals: readAscendingKeys(r, LIMITS.openProposalsMax) };
}

/** Canonical encoding: array of the fields in the order of the type. */
export function encodeProposalEntry(entry: ProposalEntry): Uint8Array {
  const w = new CborWriter(192).array(6).text(entry.name).uint(entry.value).uint(entry.activationEpoch).bytes(entry.proposer);
  for (const ids of [entry.approvals, entry.rejections]) {
    w.array(ids.length);
    for (const id of ids) w.bytes(id);
  }
  return w.finish();
}

/** Reads what `encodeProposalEntry` writes. */
export function readProposalEntry(r: CborReader): ProposalEntry {
  if (r.array(6) !== 6) r.reject();
  const base = {
    name: r.text(1, LIMITS.parameterNameBytesMax),
    value: r.uint64(),
    activationEpoch: r.uint(),
    proposer: r.bytes(32),
  };
  const approvals = readAscendingKeys(r, LIMITS.validatorsMax);
  return { kind: "proposal", ...base, approvals, rejections: readAscendingKeys(r, LIMITS.validatorsMax) };
}
