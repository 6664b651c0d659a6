import type { AccountEntry, DeviceEntry, StateEntry, SupplyEntry } from "../protocol/index.ts";

/** Entries by their state key. */
export interface EntryReader {
  /** The entry under a state key, or undefined. The caller may reuse the array afterwards. */
  find(key: Uint8Array): StateEntry | undefined;
}

/**
 * The state as the ledger reads it: at the finalized tip, or after an unfinalized block. Synchronous, and constant while
 * a block executes on it. Keys are 32-byte public keys; the caller may reuse the array afterwards.
 *
 * Accounts and devices, which nearly every transaction reads, have finders of their own; everything else is read by key
 * through the functions of `entries.ts`.
 */
export interface LedgerView extends EntryReader {
  /** The account of a key, or undefined when there is none. */
  findAccount(publicKey: Uint8Array): AccountEntry | undefined;
  /** The sponsorship of a device key, or undefined when nobody sponsors it. */
  findDevice(publicKey: Uint8Array): DeviceEntry | undefined;
  /** The supply totals, which every state has. */
  supply(): SupplyEntry;
}

/** What a block leaves under one state key: a new entry, or undefined when the entry is gone. */
export type EntryChange = {
  /** State key: kind byte and 32 bytes, or the kind byte alone where there is one entry of the kind. */
  readonly key: Uint8Array;
  readonly entry: StateEntry | undefined;
};
