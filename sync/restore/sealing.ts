import { zstdCompress, zstdDecompress } from "node:zlib";
import { Decrypter, Encrypter } from "age-encryption";
import { DOMAIN_TAGS, sha256 } from "../../src/crypto/index.ts";
import { assert, bytesEqual, CborReader, CborWriter, err, ok, type Result } from "../../src/kernel/index.ts";
import { SNAPSHOT_LIMITS } from "../../src/protocol/index.ts";
import { BACKUP_LIMITS } from "./limits.ts";

const CIPHER = "AES-GCM";
const KEY_BYTES = 32;
/** The key of a part is used for one message, so its initialization vector may be fixed. */
const IV = new Uint8Array(12);

/**
 * Compresses and encrypts a part, off the calling thread: zstd, then AES-256-GCM under a key of its own, which follows from
 * the content key and the part's hash. Equal parts under one content key give equal bytes, so they are stored once.
 *
 * @param contentKey 32 secret bytes
 * @param hash SHA-256 of the part
 * @see NIST SP 800-38D
 */
export async function sealPart(contentKey: Uint8Array, hash: Uint8Array, part: Uint8Array): Promise<Uint8Array> {
  assert(part.length > 0 && part.length <= SNAPSHOT_LIMITS.manifestBytesMax, "a part fits its bound");
  const packed = await new Promise<Uint8Array>((resolve, reject) =>
    zstdCompress(part, (error, made) => (error ? reject(error) : resolve(made))),
  );
  const key = await partKey(contentKey, hash, "encrypt");
  return new Uint8Array(await crypto.subtle.encrypt({ name: CIPHER, iv: IV }, key, plain(packed)));
}

/**
 * Undoes `sealPart`; what comes out has the hash that was asked for, or it is an error. The output is bounded.
 *
 * @param sizeBytesMax largest size that is believed
 */
export async function openPart(
  contentKey: Uint8Array,
  hash: Uint8Array,
  sealed: Uint8Array,
  sizeBytesMax: number,
): Promise<Result<Uint8Array, "damaged">> {
  const key = await partKey(contentKey, hash, "decrypt");
  let packed: ArrayBuffer;
  try {
    packed = await crypto.subtle.decrypt({ name: CIPHER, iv: IV }, key, plain(sealed));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // how WebCrypto says that the tag is wrong
    return err("damaged");
  }
  const part = await new Promise<Uint8Array | undefined>((resolve) =>
    zstdDecompress(packed, { maxOutputLength: sizeBytesMax }, (error, made) =>
      resolve(error ? undefined : new Uint8Array(made.buffer, made.byteOffset, made.length)),
    ),
  );
  return part !== undefined && bytesEqual(sha256(part), hash) ? ok(part) : err("damaged");
}

/** What only the recipients of a backup can read. */
export type Enclosure = {
  /** Encrypts the parts, 32 bytes. */
  readonly contentKey: Uint8Array;
  /** SHA-256 of the snapshot manifest, which is the first part. */
  readonly anchorHash: Uint8Array;
  /** The node's settings as they lay in its home; no secret is among them, only names of files. */
  readonly configuration: string;
};

/**
 * Encloses for each recipient alike, in the age format.
 *
 * @param recipients public X25519 keys in age's form (`age1...`)
 * @see https://age-encryption.org/v1
 */
export async function enclose(recipients: readonly string[], { contentKey, anchorHash, configuration }: Enclosure): Promise<Uint8Array> {
  assert(recipients.length > 0 && contentKey.length === KEY_BYTES, "a backup has a recipient and a key");
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const inner = new CborWriter(1_024).array(3).bytes(contentKey).bytes(anchorHash).text(configuration).finish();
  return await encrypter.encrypt(inner);
}

/** Opens what `enclose` made. `notForThisKey`: another recipient's, or damaged; `malformed`: it holds something else. */
export async function openEnclosure(identity: string, bytes: Uint8Array): Promise<Result<Enclosure, "notForThisKey" | "malformed">> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  let inner: Uint8Array;
  try {
    inner = await decrypter.decrypt(bytes);
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the library has no classes of its own
    return err("notForThisKey");
  }
  const r = new CborReader(inner);
  if (r.array(3) !== 3) r.reject();
  const enclosure = {
    contentKey: r.bytes(KEY_BYTES),
    anchorHash: r.bytes(32),
    configuration: r.text(0, BACKUP_LIMITS.configurationBytesMax),
  };
  return r.isComplete ? ok(enclosure) : err("malformed");
}

async function partKey(contentKey: Uint8Array, hash: Uint8Array, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  assert(contentKey.length === KEY_BYTES && hash.length === 32, "a part's key follows from a key and a hash");
  // Both inputs have a fixed length, so a plain hash is a sound derivation.
  const bytes = sha256(DOMAIN_TAGS.backupPart, contentKey, hash);
  return await crypto.subtle.importKey("raw", plain(bytes), CIPHER, false, [usage]);
}

/** WebCrypto's types refuse arrays over shared memory, which this project has none of. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
