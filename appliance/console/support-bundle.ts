import { assert } from "../../src/kernel/index.ts";
import { REDACTED, redactField } from "../../src/monitoring/index.ts";

/** Bytes of one file of a bundle; of a longer one the end is kept, where the news is. */
const FILE_CHARACTERS_MAX = 1_000_000;
/** Shorter ones would be found in ordinary words. */
const SECRET_LENGTH_MIN = 8;

/**
 * Masks secrets in a text: those that are known, wherever and however they stand (as they are, in hex, in base64), and
 * what has the form of one, line by line.
 */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text.replace(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, REDACTED);
  for (const form of formsOf(secrets)) masked = masked.replaceAll(form, REDACTED);
  masked = masked.replace(
    /("?(?:pass(?:phrase|word)|secret|token|credential|authorization|cookie)[\w-]*"?\s*[:=]\s*)("[^"\n]*"|(?:Bearer |Basic )?\S+)/gi,
    `$1${REDACTED}`,
  );
  return masked
    .split("\n")
    .map((line) => {
      const isSecret = redactField("line", line.slice(0, 2_000)) === REDACTED;
      return isSecret ? REDACTED : line;
    })
    .join("\n");
}

/**
 * Packs files for support into a compressed tar. It is made of what is listed and of nothing else, and checked once more: a
 * secret in it is a defect, and then there is no bundle.
 *
 * @param files by name
 * @param secrets what must not be in it
 */
export async function packSupport(files: Readonly<Record<string, string>>, secrets: readonly string[]): Promise<Uint8Array> {
  const masked = Object.entries(files).map(([name, text]): [string, string] => [
    name,
    maskSecrets(text.slice(-FILE_CHARACTERS_MAX), secrets),
  ]);
  const forms = formsOf(secrets);
  for (const [name, text] of masked) assert(!forms.some((form) => text.includes(form)), `${name} of a support bundle holds no secret`);
  return new Bun.Archive(Object.fromEntries(masked), { compress: "gzip" }).bytes();
}

/** Longest first, so that no part of one stays. */
function formsOf(secrets: readonly string[]): readonly string[] {
  const known = secrets.map((secret) => secret.trim()).filter((secret) => secret.length >= SECRET_LENGTH_MIN);
  const forms = known.flatMap((secret) => {
    const bytes = Buffer.from(secret);
    return [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      bytes.toString("hex"),
      bytes.toString("base64").replace(/=+$/, ""),
    ];
  });
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}
