import { assert, compareBytes } from "../kernel/index.ts";
import {
  accountKey,
  bondKey,
  EPOCH_KEY,
  type Genesis,
  type GenesisValidator,
  PARAMETERS_KEY,
  REGISTRY_KEY,
  REPUTATION_MAX,
  SUPPLY_KEY,
  signingKeyKey,
  U64_MAX,
  validatorKey,
} from "../protocol/index.ts";
import type { EntryChange } from "./view.ts";

/** The part of a genesis that the first state is made of. */
export type GenesisHoldings = Pick<Genesis, "accounts" | "validators">;

/**
 * The entries that a validated genesis starts with: its accounts; its validators, each with its owner's bond of one share
 * a unit of stake; and the totals, to which balances and stakes both belong.
 */
export function genesisEntries({ accounts, validators }: GenesisHoldings): EntryChange[] {
  let issued = 0n;
  const entries: EntryChange[] = [];
  for (const { publicKey, balance } of accounts) {
    issued += balance;
    entries.push({ key: accountKey(publicKey), entry: { kind: "account", nonce: 0n, balance } });
  }
  for (const validator of validators) {
    issued += validator.stake;
    entries.push(...validatorEntries(validator));
  }
  assert(issued <= U64_MAX, "the balances and stakes of a validated genesis add up to at most 64 bits");
  const ids = validators.map(({ publicKey }) => publicKey).sort(compareBytes);
  const tallies = ids.map(() => ({ proposed: 0, missed: 0, votes: 0 }));
  entries.push(
    { key: REGISTRY_KEY, entry: { kind: "registry", validators: ids } },
    { key: EPOCH_KEY, entry: { kind: "epoch", feePot: 0n, isEndForced: false, lastForcedTimeMs: 0, certificates: 0, tallies } },
    { key: PARAMETERS_KEY, entry: { kind: "parameters", values: [], pending: [], openProposals: [] } },
    { key: SUPPLY_KEY, entry: { kind: "supply", issued, burned: 0n } },
  );
  return entries;
}

/** A genesis names no commission, so its validators share all their fees with those who stake; owners may change it. */
function validatorEntries({ publicKey, owner, name, stake }: GenesisValidator): EntryChange[] {
  const key = { owner, signingKey: publicKey, term: 0 };
  const described = { commission: 0, endpoint: "", metadata: name, isExiting: false, jailedUntilEpoch: 0, reputation: REPUTATION_MAX };
  const pools = { stake, shares: stake, unbondingStake: 0n, unbondingShares: 0n };
  return [
    { key: validatorKey(publicKey), entry: { kind: "validator", ...key, ...described, ...pools } },
    { key: signingKeyKey(publicKey), entry: { kind: "signingKey", validator: publicKey } },
    { key: bondKey(publicKey, owner), entry: { kind: "bond", validator: publicKey, staker: owner, shares: stake, tranches: [] } },
  ];
}
