import { scrypt } from "node:crypto";
import { assert, type Entropy, err, ok, parseHex, type Result, toHex, utf8 } from "../kernel/index.ts";
import { canonicalJson } from "./canonical-json.ts";

/** Cost of turning a passphrase into a key: memory is 128 * n * r bytes, work n * r * p. */
export interface ScryptCost {
  /** Power of two, 2^10..2^18. */
  readonly n: number;
  /** 1..16. */
  readonly r: number;
  /** 1..16. */
  readonly p: number;
}

/** 32 MiB for about 0.15 s: bearable for a box of 1 GB. */
export const SCRYPT_COST_DEFAULT: ScryptCost = { n: 2 ** 15, r: 8, p: 3 };

/** Longest secret that can be sealed. */
export const SECRET_BYTES_MAX = 4096;

const SCRYPT_MEMORY_BYTES_MAX = 256 * 2 ** 20;
const SCRYPT_WORK_MAX = 2 ** 23;
const SALT_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const SEALED_TEXT_LENGTH_MAX = 16 * 1024;
const CIPHER = "AES-GCM";

/** The fields that name how a secret is sealed. All are authenticated, so a changed one is a failure to open. */
interface SealHeader {
  readonly format: "bizra-sealed-secret";
  readonly version: 1;
  readonly kdf: { readonly name: "scrypt"; readonly n: number; readonly r: number; readonly p: number; readonly salt: string };
  readonly cipher: { readonly name: "aes-256-gcm"; readonly iv: string };
}

/**
 * Seals a secret under a passphrase for keeping at rest: scrypt, then AES-256-GCM over the secret with the header as
 * additional data. The passphrase is taken in Unicode form NFKC, so that keyboards agree.
 *
 * @param entropy gives a fresh salt and initialization vector, so equal secrets seal differently
 * @returns one line of JSON
 * @see RFC 7914 (scrypt), NIST SP 800-38D (GCM)
 */
export async function sealSecret(secret: Uint8Array, passphrase: string, cost: ScryptCost, entropy: Entropy): Promise<string> {
  assert(secret.length > 0 && secret.length <= SECRET_BYTES_MAX, "a sealed secret has 1..4096 bytes");
  assert(isBearableCost(cost), "the cost of sealing lies within what opening accepts");
  const salt = entropy.bytes(SALT_BYTES);
  const iv = entropy.bytes(IV_BYTES);
  const header: SealHeader = {
    format: "bizra-sealed-secret",
    version: 1,
    kdf: { name: "scrypt", n: cost.n, r: cost.r, p: cost.p, salt: toHex(salt) },
    cipher: { name: "aes-256-gcm", iv: toHex(iv) },
  };
  const key = await deriveKey(passphrase, salt, cost, "encrypt");
  const sealed = await crypto.subtle.encrypt({ name: CIPHER, iv: plain(iv), additionalData: headerBytes(header) }, key, plain(secret));
  return `${JSON.stringify({ ...header, sealed: toHex(new Uint8Array(sealed)) })}\n`;
}

/**
 * Opens what `sealSecret` made.
 *
 * Errors: `malformed` when the text is not a sealed secret of this version or asks for a cost outside the bounds (checked
 * before any work is done for it); `wrongPassphrase` when the passphrase is wrong or the text was damaged, which cannot be
 * told apart.
 */
export async function openSecret(text: string, passphrase: string): Promise<Result<Uint8Array, "malformed" | "wrongPassphrase">> {
  const parsed = parseSealed(text);
  if (parsed === undefined) return err("malformed");
  const { header, salt, iv, sealed } = parsed;
  const key = await deriveKey(passphrase, salt, header.kdf, "decrypt");
  try {
    const secret = await crypto.subtle.decrypt({ name: CIPHER, iv: plain(iv), additionalData: headerBytes(header) }, key, plain(sealed));
    return ok(new Uint8Array(secret));
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== "OperationError") throw error; // how WebCrypto says the tag is wrong
    return err("wrongPassphrase");
  }
}

function isBearableCost({ n, r, p }: ScryptCost): boolean {
  if (![n, r, p].every(Number.isSafeInteger)) return false;
  if (n < 2 ** 10 || n > 2 ** 18 || !Number.isInteger(Math.log2(n))) return false;
  if (r < 1 || r > 16 || p < 1 || p > 16) return false;
  return 128 * n * r <= SCRYPT_MEMORY_BYTES_MAX && n * r * p <= SCRYPT_WORK_MAX;
}

function parseSealed(text: string): { header: SealHeader; salt: Uint8Array; iv: Uint8Array; sealed: Uint8Array } | undefined {
  const fields = fieldsOf(parseJson(text), "format,version,kdf,cipher,sealed");
  const kdf = fieldsOf(fields?.["kdf"], "name,n,r,p,salt");
  const cipher = fieldsOf(fields?.["cipher"], "name,iv");
  if (fields?.["format"] !== "bizra-sealed-secret" || fields["version"] !== 1) return undefined;
  if (kdf?.["name"] !== "scrypt" || cipher?.["name"] !== "aes-256-gcm") return undefined;
  const { n, r, p } = kdf;
  if (typeof n !== "number" || typeof r !== "number" || typeof p !== "number" || !isBearableCost({ n, r, p })) return undefined;
  const salt = hexField(kdf["salt"], SALT_BYTES, SALT_BYTES);
  const iv = hexField(cipher["iv"], IV_BYTES, IV_BYTES);
  const sealed = hexField(fields["sealed"], TAG_BYTES + 1, TAG_BYTES + SECRET_BYTES_MAX);
  if (salt === undefined || iv === undefined || sealed === undefined) return undefined;
  const header: SealHeader = {
    format: "bizra-sealed-secret",
    version: 1,
    kdf: { name: "scrypt", n, r, p, salt: toHex(salt) },
    cipher: { name: "aes-256-gcm", iv: toHex(iv) },
  };
  return { header, salt, iv, sealed };
}

function parseJson(text: string): unknown {
  if (text.length > SEALED_TEXT_LENGTH_MAX) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** The object as a record when it has exactly these fields. */
function fieldsOf(value: unknown, names: string): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (Object.keys(value).sort().join() !== names.split(",").sort().join()) return undefined;
  return Object.fromEntries(Object.entries(value));
}

function hexField(value: unknown, bytesMin: number, bytesMax: number): Uint8Array | undefined {
  const bytes = typeof value === "string" && value === value.toLowerCase() ? parseHex(value) : undefined; // one spelling
  return bytes !== undefined && bytes.length >= bytesMin && bytes.length <= bytesMax ? bytes : undefined;
}

/** The header in its RFC 8785 form, so that the order and spacing of the file do not matter. */
function headerBytes(header: SealHeader): Uint8Array<ArrayBuffer> {
  const text = canonicalJson(header);
  assert(text.ok, "a seal header is JSON");
  return plain(utf8(text.value));
}

async function deriveKey(passphrase: string, salt: Uint8Array, cost: ScryptCost, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  const { n, r, p } = cost;
  const options = { N: n, r, p, maxmem: 2 * SCRYPT_MEMORY_BYTES_MAX };
  const derived = await new Promise<Uint8Array>((resolve, reject) => {
    scrypt(utf8(passphrase.normalize("NFKC")), salt, KEY_BYTES, options, (error, key) =>
      error instanceof Error ? reject(error) : resolve(key),
    );
  });
  return crypto.subtle.importKey("raw", plain(derived), CIPHER, false, [usage]);
}

/** WebCrypto's types refuse arrays over shared memory, which this project has none of. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
