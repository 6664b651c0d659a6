import { buildProofBundle, type BlockQueries as ChainQueries, type ChainReader } from "../blocks/index.ts";
import type { BondView, ParameterQueries, ValidatorQueries, ValidatorView } from "../gateway/index.ts";
import { bytesEqual, present, toHex } from "../kernel/index.ts";
import {
  findBond,
  findProposal,
  findSigningKey,
  findValidator,
  genesisValueOf,
  isReleased,
  type LedgerView,
  parametersEntryOf,
  parametersOf,
  registryOf,
  stakePoolOf,
  unbondingPoolOf,
  worthOf,
} from "../ledger/index.ts";
import {
  type Genesis,
  PARAMETER_BOUNDS,
  type StateProof,
  type ValidatorEntry,
  type ValidatorSet,
  validatorKey,
} from "../protocol/index.ts";

/** What the answers about validators and stake are made from. */
export type StakingParts = {
  readonly genesis: Genesis;
  readonly queries: ChainQueries;
  readonly reader: ChainReader;
  /** The state after the last committed block. */
  readonly view: () => LedgerView;
  /** Proof of an entry of that state. */
  readonly prove: (key: Uint8Array) => StateProof;
  /** Leader of the current view, an index in the set. */
  readonly leader: () => number;
};

/** Validators of the epoch's set and any other, as the state has them. */
export function validatorQueries(parts: StakingParts): ValidatorQueries {
  const { genesis, queries, reader, view, prove, leader } = parts;
  const nameOf = new Map(genesis.validators.map(({ publicKey, name }) => [toHex(publicKey), name]));
  const viewOf = (id: Uint8Array, entry: ValidatorEntry, set: ValidatorSet): ValidatorView => {
    const index = set.validators.findIndex(({ publicKey }) => bytesEqual(publicKey, entry.signingKey));
    const member = set.validators[index];
    const seat = member && { index, weight: member.weight, isLeader: index === leader() };
    const name = nameOf.get(toHex(id));
    const status = entry.jailedUntilEpoch > 0 ? "jailed" : entry.isExiting ? "exiting" : seat ? "active" : "waiting";
    return { id, entry, status, ...(name !== undefined && { name }), ...(seat && { seat }) };
  };
  return {
    current() {
      const { epoch, validatorSet } = reader.currentEpoch();
      const { hash, totalWeight, quorumWeight } = validatorSet;
      const state = view();
      const validators = validatorSet.validators.map(({ publicKey }) => {
        const id = present(findSigningKey(state, publicKey), "a member's key belongs to a validator").validator;
        return viewOf(id, present(findValidator(state, id), "a member is a validator"), validatorSet);
      });
      return { height: queries.tipHeight, epoch, hash, totalWeight, quorumWeight, validators };
    },
    find(key) {
      const { epoch, validatorSet } = reader.currentEpoch();
      const state = view();
      const id = findSigningKey(state, key)?.validator;
      const entry = id && findValidator(state, id);
      return entry && id && { height: queries.tipHeight, epoch, validator: viewOf(id, entry, validatorSet) };
    },
    findProof: (id) => buildProofBundle(reader, queries, queries.tipHeight, { kind: "state", proof: prove(validatorKey(id)) }),
  };
}

/** What votes decide, as the state has it. */
export function parameterQueries({ genesis, queries, reader, view }: StakingParts): ParameterQueries {
  return {
    current() {
      const state = view();
      const inForce = parametersOf(state, genesis.parameters);
      const { values, pending, openProposals } = parametersEntryOf(state);
      const prefix = "feature.";
      return {
        height: queries.tipHeight,
        epoch: reader.currentEpoch().epoch,
        feePolicy: inForce.feePolicy,
        parameters: Object.keys(PARAMETER_BOUNDS).map((name) => {
          return { name, value: genesisValueOf(inForce, name), genesis: genesisValueOf(genesis.parameters, name) };
        }),
        features: values.flatMap(({ name, value }) => (name.startsWith(prefix) && value === 1n ? [name.slice(prefix.length)] : [])),
        approved: pending,
        proposals: openProposals.map((id) => ({ id, entry: present(findProposal(state, id), "an open proposal is there") })),
      };
    },
  };
}

/**
 * What an account has bonded to each validator of the list in the state, and to those of genesis. Bonds are keyed by both
 * names, so any with a validator that a full list let go cannot be found without reading the whole state.
 */
export function bondsOf({ genesis, reader, view, queries }: StakingParts, staker: Uint8Array): readonly BondView[] {
  const state = view();
  const { epoch } = reader.currentEpoch();
  const timeMs = reader.find(queries.tipHeight)?.block.header.timeMs ?? genesis.timeMs;
  const ids = new Map([...registryOf(state), ...genesis.validators.map(({ publicKey }) => publicKey)].map((id) => [toHex(id), id]));
  return [...ids.values()].flatMap((validator) => {
    const bond = findBond(state, validator, staker);
    const entry = bond && findValidator(state, validator);
    if (bond === undefined || entry === undefined) return [];
    const unbonding = bond.tranches.map((tranche) => ({
      amount: worthOf(unbondingPoolOf(entry), tranche.shares),
      releaseEpoch: tranche.releaseEpoch,
      releaseTimeMs: tranche.releaseTimeMs,
      isReleased: isReleased(tranche, epoch, timeMs),
    }));
    return [{ validator, stake: worthOf(stakePoolOf(entry), bond.shares), unbonding }];
  });
}
