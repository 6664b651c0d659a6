/** What stands where a secret was. */
export const REDACTED = "[redacted]";

const SECRET_NAMES = /pass(phrase|word)|secret|token|private_?key|seed|mnemonic|credential|authorization|cookie/i;
const SECRET_FORMS = /-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1|\bBearer\s+\S|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\./;
const TEXT_MAX = 2_048;

/**
 * A log field's value with secrets masked: by its name (passphrase, token ...) or by its form (PEM private key, age
 * identity, bearer token, JSON web token). A net under the rule that nobody logs a secret, not a licence to. Long text
 * is cut at 2,048 characters.
 */
export function redactField<T extends string | number | boolean>(name: string, value: T): T | string {
  if (typeof value !== "string") return value;
  if (SECRET_NAMES.test(name) || SECRET_FORMS.test(value)) return REDACTED;
  return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}...` : value;
}
