import type { GenesisParameters, ParameterValue } from "../protocol/index.ts";
import { parametersEntryOf } from "./entries.ts";
import type { EntryReader } from "./view.ts";

/**
 * The parameters in force on a state: those of genesis with what votes changed. They change at epoch ends only, so they
 * are the same for every block of an epoch.
 */
export function parametersOf(entries: EntryReader, genesis: GenesisParameters): GenesisParameters {
  const { values } = parametersEntryOf(entries);
  return values.length === 0 ? genesis : changedBy(genesis, values);
}

/** Whether a feature flag is on, by its name without `feature.`. */
export function isFeatureOn(entries: EntryReader, feature: string): boolean {
  return parametersEntryOf(entries).values.some(({ name, value }) => name === `feature.${feature}` && value === 1n);
}

/** Name of the feature that raises the version of blocks, e.g. `feature.block-2`. */
const BLOCK_FEATURE = /^feature\.block-([1-9][0-9]{0,3})$/;

/** The block version that a parameter raises to, or undefined for any other parameter. */
export function blockVersionNamed(name: string): number | undefined {
  const [, version] = BLOCK_FEATURE.exec(name) ?? [];
  return version === undefined ? undefined : Number(version);
}

/** Version of the blocks that follow on a state: 1, or the highest N whose feature `block-N` is on. The same for a whole epoch. */
export function blockVersionOf(entries: EntryReader): number {
  return parametersEntryOf(entries).values.reduce((version, { name }) => Math.max(version, blockVersionNamed(name) ?? 1), 1);
}

/** The block version that is approved and not in force yet, with its epoch; undefined when there is none. */
export function nextBlockVersionOf(entries: EntryReader): { readonly version: number; readonly epoch: number } | undefined {
  for (const { name, activationEpoch } of parametersEntryOf(entries).pending) {
    const version = blockVersionNamed(name);
    if (version !== undefined) return { version, epoch: activationEpoch };
  }
  return undefined;
}

/** Value of a parameter at genesis, by its name; flags are off. */
export function genesisValueOf(genesis: GenesisParameters, name: string): bigint {
  const value = Object.hasOwn(genesis, name) ? genesis[name as keyof GenesisParameters] : 0;
  return typeof value === "string" ? 0n : BigInt(value);
}

function changedBy(genesis: GenesisParameters, values: readonly ParameterValue[]): GenesisParameters {
  const changed = new Map(values.map(({ name, value }) => [name, value]));
  const wide = (name: keyof GenesisParameters): bigint => changed.get(name) ?? genesisValueOf(genesis, name);
  const count = (name: keyof GenesisParameters): number => Number(wide(name));
  return {
    feePolicy: genesis.feePolicy,
    minimumFee: wide("minimumFee"),
    maxValidity: wide("maxValidity"),
    blockBytesMax: count("blockBytesMax"),
    blockTransactionsMax: count("blockTransactionsMax"),
    epochBlocks: count("epochBlocks"),
    epochMs: count("epochMs"),
    minimumStake: wide("minimumStake"),
    slashPerMyriad: count("slashPerMyriad"),
    jailEpochs: count("jailEpochs"),
    validatorsMax: count("validatorsMax"),
    unbondingMs: count("unbondingMs"),
    reputationEntryMin: count("reputationEntryMin"),
  };
}
