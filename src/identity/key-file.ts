import { z } from "zod";
import { localSigner, openSecret, type ScryptCost, type Signer, sealSecret } from "../crypto/index.ts";
import { bytesEqual, type Entropy, err, ok, parseHex, type Result, toHex } from "../kernel/index.ts";

/** What a key is for; a key file is refused for any other purpose. */
export type KeyPurpose = "validator" | "identity" | "account" | "witness";

/** A key at rest: its public half in clear, its seed sealed under a passphrase. */
export type KeyFile = {
  readonly purpose: KeyPurpose;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** JSON of the sealed seed. */
  readonly sealed: string;
};

/** Why a key file cannot be used, in words for the person who can mend it. */
export type KeyFault = { readonly code: "malformed" | "wrongPassphrase" | "mismatch"; readonly detail: string };

const FORMAT = "bizra-key/1";
const schema = z.strictObject({
  format: z.literal(FORMAT),
  purpose: z.enum(["validator", "identity", "account", "witness"]),
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  sealed: z.record(z.string(), z.unknown()),
});

/** A new random key, sealed; the seed is known to nobody else. */
export async function makeKeyFile(
  purpose: KeyPurpose,
  passphrase: string,
  cost: ScryptCost,
  entropy: Entropy,
): Promise<{ readonly text: string; readonly signer: Signer }> {
  const seed = entropy.bytes(32);
  const signer = localSigner(seed);
  const sealed: unknown = JSON.parse(await sealSecret(seed, passphrase, cost, entropy));
  seed.fill(0);
  return { text: `${JSON.stringify({ format: FORMAT, purpose, publicKey: toHex(signer.publicKey), sealed }, null, 2)}\n`, signer };
}

/** Reads a key file's text; the seal is not opened. */
export function parseKeyFile(text: string): Result<KeyFile, KeyFault> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a SyntaxError is how JSON.parse reports malformed text
    return err({ code: "malformed", detail: `expected a key file in JSON, got: ${error.message}` });
  }
  const parsed = schema.safeParse(json);
  const publicKey = parsed.success ? parseHex(parsed.data.publicKey) : undefined;
  if (!parsed.success || !publicKey)
    return err({ code: "malformed", detail: `expected a key file of format ${FORMAT}; it is another file, or damaged` });
  return ok({ purpose: parsed.data.purpose, publicKey, sealed: JSON.stringify(parsed.data.sealed) });
}

/** Opens the seal. `mismatch` when the opened seed is not the key that the file names, so the file was altered. */
export async function unlockKeyFile(file: KeyFile, passphrase: string): Promise<Result<Signer, KeyFault>> {
  const seed = await openSecret(file.sealed, passphrase);
  if (!seed.ok) {
    const detail = seed.error === "malformed" ? "the sealed part is damaged" : "the passphrase is wrong, or the file is damaged";
    return err({ code: seed.error, detail });
  }
  if (seed.value.length !== 32) return err({ code: "malformed", detail: "the sealed part holds no Ed25519 seed" });
  const signer = localSigner(seed.value);
  seed.value.fill(0);
  if (!bytesEqual(signer.publicKey, file.publicKey))
    return err({ code: "mismatch", detail: "the sealed key is not the one the file names; the file was altered" });
  return ok(signer);
}
