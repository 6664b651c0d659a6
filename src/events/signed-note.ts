import { type Signer, sha256 } from "../crypto/portable.ts";
import { assert, bytesEqual, concatBytes, err, ok, type Result, toHex, utf8 } from "../kernel/index.ts";

/** Signature type of Ed25519 in the note format. */
const TYPE_ED25519 = 0x01;
const NEWLINE = 0x0a;
const SIGNATURE_MARK = "\u2014 ";
const NOTE_BYTES_MAX = 65_536;

/** Verifies one Ed25519 signature by the project's rule. */
export type VerifyNote = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/**
 * The first four bytes of SHA-256(name | newline | 0x01 | public key): says which key signed a note.
 *
 * @see https://c2sp.org/signed-note
 */
export function noteKeyId(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(concatBytes(utf8(name), Uint8Array.of(NEWLINE, TYPE_ED25519), publicKey)).subarray(0, 4);
}

/** Text form of a key that verifies notes: name+hex key id+base64(0x01 | public key). */
export function formatNoteKey(name: string, publicKey: Uint8Array): string {
  const id = toHex(noteKeyId(name, publicKey));
  return `${name}+${id}+${formatBase64(concatBytes(Uint8Array.of(TYPE_ED25519), publicKey))}`;
}

/**
 * Signs a text as a note: the text, an empty line, and one signature line.
 *
 * @param name of the key: no spaces and no plus
 * @param text lines that each end in a newline; no control characters but the newline, no empty line at the end
 * @see https://c2sp.org/signed-note
 */
export function signNote(signer: Signer, name: string, text: string): string {
  assert(isKeyName(name), "a note key's name has no spaces and no plus");
  assert(isNoteText(text), "a note's text is lines without control characters");
  const signature = concatBytes(noteKeyId(name, signer.publicKey), signer.sign(utf8(text)));
  return `${text}\n${SIGNATURE_MARK}${name} ${formatBase64(signature)}\n`;
}

/** Why a note is not taken. */
export type NoteFault = "malformed" | "unknownKey" | "badSignature";

/**
 * The text of a note that a known key signed. Signature lines of other keys are passed over; a failed signature of the
 * known one refuses the note.
 *
 * Errors: `malformed`, `unknownKey` when the known key has no line, `badSignature`.
 */
export function openNote(note: string, name: string, publicKey: Uint8Array, verify: VerifyNote): Result<string, NoteFault> {
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || note.length > NOTE_BYTES_MAX || !note.endsWith("\n")) return err("malformed");
  const text = note.slice(0, split + 1);
  if (!isNoteText(text)) return err("malformed");
  const wanted = noteKeyId(name, publicKey);
  let isVerified = false;
  for (const line of note.slice(split + 2, -1).split("\n")) {
    const parsed = parseSignatureLine(line);
    if (!parsed) return err("malformed");
    if (parsed.name !== name || !bytesEqual(parsed.keyId, wanted)) continue;
    if (!verify(publicKey, utf8(text), parsed.signature)) return err("badSignature");
    isVerified = true;
  }
  return isVerified ? ok(text) : err("unknownKey");
}

function parseSignatureLine(line: string): { name: string; keyId: Uint8Array; signature: Uint8Array } | undefined {
  if (!line.startsWith(SIGNATURE_MARK)) return undefined;
  const [name, encoded, ...rest] = line.slice(SIGNATURE_MARK.length).split(" ");
  if (name === undefined || encoded === undefined || rest.length > 0 || !isKeyName(name)) return undefined;
  const bytes = parseBase64(encoded);
  if (!bytes || bytes.length < 5) return undefined;
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** Strict base64 of RFC 4648 section 4: what it decodes to must encode to the same text. */
export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return formatBase64(bytes) === text ? bytes : undefined;
}

/** Base64 of RFC 4648 section 4, by what browsers have too. */
export function formatBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function isKeyName(name: string): boolean {
  return name.length > 0 && !/[\s+]/u.test(name);
}

function isNoteText(text: string): boolean {
  if (text.length < 2 || !text.endsWith("\n")) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20 && text.charCodeAt(i) !== NEWLINE) return false;
  return true;
}
