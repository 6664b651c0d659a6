import { nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";
import type { EntryChange } from "../../../src/ledger/index.ts";
import { accountKey, encodeEntry, stateBucketOf } from "../../../src/protocol/index.ts";

/** Chain of every state test. */
export const CHAIN_ID = sha256(utf8("state tests"));

/** A 32-byte key by its number. */
export function publicKeyOf(number: number): Uint8Array {
  return sha256(utf8(`state key ${number}`));
}

/** An account by its number, as a change. */
export function account(number: number, balance: bigint, nonce = 0n): EntryChange {
  return { key: accountKey(publicKeyOf(number)), entry: { kind: "account", nonce, balance } };
}

/** An account's removal. The ledger removes only devices; the state does not care. */
export function removal(number: number): EntryChange {
  return { key: accountKey(publicKeyOf(number)), entry: undefined };
}

/** Entries in a map, as the slow root takes them. */
export class EntryMap extends Map<string, string> {
  /** Takes over changes. */
  apply(changes: readonly EntryChange[]): this {
    for (const { key, entry } of changes) {
      if (entry === undefined) this.delete(toHex(key));
      else this.set(toHex(key), toHex(encodeEntry(entry)));
    }
    return this;
  }
}

/** State keys that all fall into one bucket, in ascending order; found by trying, about 15 ms for each. */
export function crowd(count: number): { readonly bucket: number; readonly keys: readonly Uint8Array[] } {
  const publicKey = new Uint8Array(32);
  const keys: Uint8Array[] = [];
  let bucket = -1;
  for (let number = 0; keys.length < count; number++) {
    new DataView(publicKey.buffer).setUint32(0, number);
    const key = accountKey(publicKey);
    const at = stateBucketOf(nativeSuite, key);
    if (bucket < 0) bucket = at;
    if (at === bucket) keys.push(key);
  }
  return { bucket, keys };
}
