import { assert } from "../kernel/index.ts";
import type { Genesis, StateEntry } from "../protocol/index.ts";
import { accountKey, SUPPLY_KEY } from "../protocol/index.ts";
import type { EntryChange } from "./view.ts";

/** The entries that a validated genesis starts with: its accounts, and the supply they add up to. */
export function genesisEntries(genesis: Pick<Genesis, "accounts">): EntryChange[] {
  let issued = 0n;
  const entries: EntryChange[] = [];
  for (const { publicKey, balance } of genesis.accounts) {
    issued += balance;
    entries.push({ key: accountKey(publicKey), entry: { kind: "account", nonce: 0n, balance } });
  }
  assert(issued < 1n << 64n, "the balances of a validated genesis add up to at most 64 bits");
  entries.push({ key: SUPPLY_KEY, entry: { kind: "supply", issued, burned: 0n } });
  return entries;
}

/** Totals of a whole state. The supply is conserved exactly when `balances + burned = issued`. */
export type SupplyAudit = { readonly accounts: number; readonly balances: bigint; readonly issued: bigint; readonly burned: bigint };

/** Adds up every entry of a state; for tests and offline checks, since a block's own check costs nothing extra. */
export function auditSupply(entries: Iterable<StateEntry>): SupplyAudit {
  let accounts = 0;
  let balances = 0n;
  let issued = 0n;
  let burned = 0n;
  for (const entry of entries) {
    if (entry.kind === "account") {
      accounts += 1;
      balances += entry.balance;
    } else if (entry.kind === "supply") {
      issued += entry.issued;
      burned += entry.burned;
    }
  }
  return { accounts, balances, issued, burned };
}
