import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { PUBLIC_KEY_BYTES } from "./ed25519-rule.ts";
import { encodePkcs8 } from "./pkcs8-pem.ts";
import type { Signer } from "./signer.ts";

/** The 32-byte public key of a 32-byte Ed25519 seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return publicKeyOfPrivate(importSeed(seed));
}

/** The 64-byte signature by a 32-byte seed over a message. For more than one signature, `localSigner` imports once. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return signWith(importSeed(seed), message);
}

/** A signer that holds a 32-byte seed in this process. The seed's array may be cleared afterwards. */
export function localSigner(seed: Uint8Array): Signer {
  const privateKey = importSeed(seed);
  return { publicKey: publicKeyOfPrivate(privateKey), sign: (message) => signWith(privateKey, message) };
}

function importSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(encodePkcs8(seed)), format: "der", type: "pkcs8" });
}

function publicKeyOfPrivate(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return Uint8Array.from(spki.subarray(-PUBLIC_KEY_BYTES));
}

/** A copy in a plain array: Buffer's `slice` and `toString` would surprise those who take it for one. */
function signWith(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign(null, message, privateKey));
}
