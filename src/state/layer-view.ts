import { nativeSuite } from "../crypto/index.ts";
import { assert } from "../kernel/index.ts";
import type { LedgerView } from "../ledger/index.ts";
import {
  type AccountEntry,
  type DeviceEntry,
  decodeEntry,
  ENTRY_KIND,
  type StateEntry,
  SUPPLY_KEY,
  type SupplyEntry,
  stateBucketOf,
} from "../protocol/index.ts";
import { readAccount } from "./account-value.ts";
import type { StateLayer } from "./overlay.ts";
import { isKeyAt, lowerBound, SLOT_KEY_BYTES, valueAt, valueStart } from "./packed-bucket.ts";

/** The entry under a state key on a layer, or undefined. */
export function findEntryOn(layer: StateLayer, key: Uint8Array): StateEntry | undefined {
  const bucket = layer.findBucket(stateBucketOf(nativeSuite, key));
  if (bucket === undefined) return undefined;
  const index = lowerBound(bucket, key);
  if (!isKeyAt(bucket, index, key)) return undefined;
  if (key[0] === ENTRY_KIND.account) return readAccount(bucket, valueStart(bucket, index));
  const entry = decodeEntry(key, valueAt(bucket, index));
  assert(entry.ok, "what the state holds was encoded by it or checked against a state root");
  return entry.value;
}

/** A layer as the ledger reads it. Valid until the layer below it changes: for the duration of one block's execution. */
export class LayerView implements LedgerView {
  readonly #layer: StateLayer;
  readonly #key = new Uint8Array(SLOT_KEY_BYTES);

  constructor(layer: StateLayer) {
    this.#layer = layer;
  }

  find(key: Uint8Array): StateEntry | undefined {
    return findEntryOn(this.#layer, key);
  }

  findAccount(publicKey: Uint8Array): AccountEntry | undefined {
    const entry = this.#find(ENTRY_KIND.account, publicKey);
    if (entry === undefined) return undefined;
    assert(entry.kind === "account", "an account's key leads to an account");
    return entry;
  }

  findDevice(publicKey: Uint8Array): DeviceEntry | undefined {
    const entry = this.#find(ENTRY_KIND.device, publicKey);
    if (entry === undefined) return undefined;
    assert(entry.kind === "device", "a device's key leads to a device");
    return entry;
  }

  supply(): SupplyEntry {
    const entry = findEntryOn(this.#layer, SUPPLY_KEY);
    assert(entry?.kind === "supply", "every state has its supply entry");
    return entry;
  }

  #find(kind: number, publicKey: Uint8Array): StateEntry | undefined {
    assert(publicKey.length === SLOT_KEY_BYTES - 1, "accounts and devices are named by 32-byte keys");
    this.#key[0] = kind;
    this.#key.set(publicKey, 1);
    return findEntryOn(this.#layer, this.#key);
  }
}
