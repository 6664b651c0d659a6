import type { AccountEntry, DeviceEntry, StateEntry, SupplyEntry } from "../protocol/index.ts";

/**
 * The state as the ledger reads it: at the finalized tip, or after an unfinalized block. Synchronous, and constant while
 * a block executes on it. Keys are 32-byte public keys; the caller may reuse the array afterwards.
 */
export interface LedgerView {
  /** The account of a key, or undefined when there is none. */
  findAccount(publicKey: Uint8Array): AccountEntry | undefined;
  /** The sponsorship of a device key, or undefined when nobody sponsors it. */
  findDevice(publicKey: Uint8Array): DeviceEntry | undefined;
  /** The supply totals, which every state has. */
  supply(): SupplyEntry;
}

/** What a block leaves under one state key: a new entry, or undefined when the entry is gone. */
export type EntryChange = {
  /** State key: kind byte and public key (33 bytes), or the supply key. */
  readonly key: Uint8Array;
  readonly entry: StateEntry | undefined;
};
