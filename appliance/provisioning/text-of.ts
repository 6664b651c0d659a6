import { err, ok, type Result } from "../../src/kernel/index.ts";

/**
 * The text of a file that somebody saved with any editor: UTF-8, with or without the mark that Windows puts before it.
 * Errors: a sentence that says what to do.
 */
export function textOf(bytes: Uint8Array): Result<string, string> {
  const [first, second, third] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return err("provision.json: expected UTF-8, got UTF-16; save it again with the encoding UTF-8.");
  const hasMark = first === 0xef && second === 0xbb && third === 0xbf;
  const body = hasMark ? bytes.subarray(3) : bytes;
  if (body.every((byte) => byte <= 0x20)) return err("provision.json: expected an object in { }, got an empty file.");
  try {
    return ok(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // how a decoder reports bytes that are not UTF-8
    return err("provision.json: expected UTF-8, got bytes that are none; save it again with the encoding UTF-8.");
  }
}
