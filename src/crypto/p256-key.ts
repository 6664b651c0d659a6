import { createECDH, createPrivateKey } from "node:crypto";
import { base64urlnopad } from "@scure/base";
import { assert, type Entropy, toHex } from "../kernel/index.ts";

/** Order of the curve's group (FIPS 186-5, P-256). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Draws before the source of randomness is taken for broken; one in 2^32 is expected to be out of range. */
const DRAWS_MAX = 8;

/** A new P-256 key for certificates, as unencrypted PKCS #8 in PEM. */
export function makeP256Key(entropy: Entropy): string {
  const secret = drawScalar(entropy);
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(secret);
  const point = new Uint8Array(curve.getPublicKey());
  const part = (bytes: Uint8Array): string => base64urlnopad.encode(bytes);
  const key = { kty: "EC", crv: "P-256", d: part(secret), x: part(point.slice(1, 33)), y: part(point.slice(33)) };
  secret.fill(0);
  return String(createPrivateKey({ format: "jwk", key }).export({ type: "pkcs8", format: "pem" }));
}

/** A scalar from 1 to the order less one, each as likely as any other. */
function drawScalar(entropy: Entropy): Uint8Array {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const bytes = Uint8Array.from(entropy.bytes(32));
    const value = BigInt(`0x${toHex(bytes)}`);
    if (value > 0n && value < ORDER) return bytes;
  }
  assert(false, "a source of randomness gives scalars in range");
}
