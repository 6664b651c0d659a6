import { sha256 } from "../../../src/crypto/index.ts";
import { bytesEqual, type Entropy, parseHex, toHex, utf8 } from "../../../src/kernel/index.ts";

/** Cost of an argon2id hash: 19 MiB and two passes, what OWASP asks for at least and a small box can bear. */
const ARGON2 = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
/** Marks a token's hash. A token has 256 random bits, so a fast hash keeps it as well as a slow one. */
const TOKEN_MARK = "sha256:";
const TOKEN_BYTES = 32;
/** Marks a user who is known by certificate alone. */
export const CERTIFICATE_ONLY = "certificate";

/** Characters of a password; fewer are guessed, more cost time to hash. */
export const PASSWORD_LENGTH = { min: 8, max: 1_024 } as const;

/** The hash under which a password is kept: argon2id with its parameters and salt, in the PHC text form. */
export function hashPassword(password: string): Promise<string> {
  return Bun.password.hash(password, ARGON2);
}

/** A new token and the hash under which it is kept. */
export function makeToken(entropy: Entropy): { readonly token: string; readonly secret: string } {
  const token = toHex(entropy.bytes(TOKEN_BYTES));
  return { token, secret: secretOfToken(token) };
}

/** The hash under which a token is kept. */
export function secretOfToken(token: string): string {
  return `${TOKEN_MARK}${toHex(sha256(utf8(token)))}`;
}

/** Whether text is a secret as this module writes them. */
export function isSecret(text: string): boolean {
  if (text === CERTIFICATE_ONLY) return true;
  if (text.startsWith(TOKEN_MARK)) return parseHex(text.slice(TOKEN_MARK.length))?.length === 32;
  return /^\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,3}\$[A-Za-z0-9+/]{11,128}\$[A-Za-z0-9+/]{11,256}$/.test(text);
}

/** Whether judging the secret takes the time and memory of argon2. */
export function isCostly(secret: string): boolean {
  return secret.startsWith("$argon2id$");
}

/** Whether what a client presents is the password or token that was hashed. */
export async function isProvenBy(secret: string, presented: string): Promise<boolean> {
  if (secret === CERTIFICATE_ONLY || presented.length > PASSWORD_LENGTH.max) return false;
  if (isCostly(secret)) return await Bun.password.verify(presented, secret, "argon2id");
  // Hashes are compared, not tokens: what leaks by the time it takes is of no use.
  return bytesEqual(utf8(secret), utf8(secretOfToken(presented)));
}
