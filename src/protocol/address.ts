import { bech32m } from "@scure/base";
import { assert, err, ok, type Result } from "../kernel/index.ts";

const PREFIX = "bz";

/** Text form of an account's 32-byte public key: bech32m with prefix `bz` (BIP 350). */
export function formatAddress(publicKey: Uint8Array): string {
  assert(publicKey.length === 32, "an address stands for a 32-byte key");
  return bech32m.encode(PREFIX, bech32m.toWords(publicKey));
}

/** The public key an address stands for; `malformed` unless bech32m, prefix `bz`, 32 bytes, one letter case. */
export function parseAddress(text: string): Result<Uint8Array, "malformed"> {
  const decoded = bech32m.decodeUnsafe(text);
  if (decoded?.prefix !== PREFIX) return err("malformed");
  const key = bech32m.fromWordsUnsafe(decoded.words);
  if (key?.length !== 32) return err("malformed");
  return ok(Uint8Array.from(key));
}
