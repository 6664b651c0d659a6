import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** First byte of a state key: what the entry is. */
export const ENTRY_KIND = { supply: 0, account: 1, device: 2 } as const;

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
export type StateEntry = AccountEntry | DeviceEntry | SupplyEntry;

/** State key of an account: kind byte | public key (33 bytes). */
export function accountKey(publicKey: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.account, publicKey);
}

/** State key of a device's sponsorship: kind byte | device key (33 bytes). */
export function deviceKey(publicKey: Uint8Array): Uint8Array {
  return entryKey(ENTRY_KIND.device, publicKey);
}

/** State key of the supply totals: the kind byte alone. */
export const SUPPLY_KEY: Uint8Array = Uint8Array.of(ENTRY_KIND.supply);

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
  }
}

/** Reads an entry's value, its kind given by its key; `malformed` for an unknown kind, key length or shape. */
export function decodeEntry(key: Uint8Array, value: Uint8Array): Result<StateEntry, "malformed"> {
  const kind = key[0];
  const r = new CborReader(value);
  if (key.length !== (kind === ENTRY_KIND.supply ? 1 : 33)) return err("malformed");
  const entry =
    kind === ENTRY_KIND.account
      ? readAccount(r)
      : kind === ENTRY_KIND.device
        ? readDevice(r)
        : kind === ENTRY_KIND.supply
          ? readSupply(r)
          : undefined;
  return entry && r.isComplete ? ok(entry) : err("malformed");
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
  assert(publicKey.length === 32, "an entry of an account or device is keyed by a 32-byte key");
  return concatBytes(Uint8Array.of(kind), publicKey);
}
