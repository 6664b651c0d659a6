import { ed25519 } from "@noble/curves/ed25519.js";
import { assert } from "../kernel/index.ts";
import { SEED_BYTES } from "./pkcs8-pem.ts";
import type { Signer } from "./signer.ts";

/** A signer for browsers that holds a copy of a 32-byte seed; its signatures are those of `localSigner`, for RFC 8032 leaves no choice. */
export function nobleSigner(seed: Uint8Array): Signer {
  assert(seed.length === SEED_BYTES, "an Ed25519 seed has 32 bytes");
  const own = Uint8Array.from(seed);
  return { publicKey: ed25519.getPublicKey(own), sign: (message) => ed25519.sign(message, own) };
}
