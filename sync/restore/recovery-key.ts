import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { z } from "zod";
import { openSecret, type ScryptCost, sealSecret } from "../../src/crypto/index.ts";
import { type Entropy, err, ok, type Result, utf8 } from "../../src/kernel/index.ts";

/** A recipient of backups: a public X25519 key in age's form. */
export const RECIPIENT_PATTERN = /^age1[02-9ac-hj-np-z]{58}$/;

const IDENTITY_LINE = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/m;
const FORMAT = "bizra-recovery-key/1";
const schema = z.strictObject({
  format: z.literal(FORMAT),
  recipient: z.string().regex(RECIPIENT_PATTERN),
  sealed: z.record(z.string(), z.unknown()),
});

/** A new key that opens backups: its public half in clear, the secret sealed under a passphrase. */
export async function makeRecoveryKey(
  passphrase: string,
  cost: ScryptCost,
  entropy: Entropy,
): Promise<{ readonly text: string; readonly recipient: string }> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const sealed: unknown = JSON.parse(await sealSecret(utf8(identity), passphrase, cost, entropy));
  return { text: `${JSON.stringify({ format: FORMAT, recipient, sealed }, null, 2)}\n`, recipient };
}

/**
 * The secret in a recovery key's file, sealed by us, or of age's own tools (`AGE-SECRET-KEY-1...` on a line).
 *
 * Errors: `malformed` another file; `wrongPassphrase` also when the sealed part is damaged.
 *
 * @param askPassphrase called only for a sealed one
 */
export async function openRecoveryKey(
  text: string,
  askPassphrase: () => Promise<string>,
): Promise<Result<string, "malformed" | "wrongPassphrase">> {
  const plain = IDENTITY_LINE.exec(text);
  if (plain) return ok(plain[0]);
  const parsed = schema.safeParse(parsedOrUndefined(text));
  if (!parsed.success) return err("malformed");
  const secret = await openSecret(JSON.stringify(parsed.data.sealed), await askPassphrase());
  if (!secret.ok) return secret;
  const identity = new TextDecoder().decode(secret.value);
  return IDENTITY_LINE.test(identity) ? ok(identity) : err("malformed");
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // malformed text is what is expected here
    return undefined;
  }
}
