import type { KeyObject } from "node:crypto";
import { IMAGE_EPOCH_SECONDS } from "../tools.ts";
import { openPgpKey, openPgpSign, openPgpVerify } from "./openpgp.ts";

/** What a signature's file is called, beside the file's own name: where the boot loader looks for it. */
const ENDING = ".sig";

/** The public key that is put into the boot loader. */
export function loaderKey(key: KeyObject): Uint8Array {
  return openPgpKey(key, IMAGE_EPOCH_SECONDS);
}

/** Files for the boot loader, each with its signature beside it. */
export function signBootFiles(files: ReadonlyMap<string, Uint8Array>, key: KeyObject): ReadonlyMap<string, Uint8Array> {
  const signed = [...files].flatMap(([name, content]): readonly (readonly [string, Uint8Array])[] => [
    [name, content],
    [`${name}${ENDING}`, openPgpSign(key, content, IMAGE_EPOCH_SECONDS)],
  ]);
  return new Map(signed);
}

/**
 * Checks files as the boot loader does.
 *
 * @param names what must be there and signed
 * @param key public half
 * @returns a sentence for each that is missing or not what was signed
 */
export function checkBootFiles(files: ReadonlyMap<string, Uint8Array>, names: readonly string[], key: KeyObject): readonly string[] {
  return names.flatMap((name) => {
    const [content, signature] = [files.get(name), files.get(`${name}${ENDING}`)];
    if (content === undefined) return [`${name} is missing`];
    if (signature === undefined) return [`${name} has no signature`];
    return openPgpVerify(key, content, signature, IMAGE_EPOCH_SECONDS) ? [] : [`${name} is not what the boot key signed`];
  });
}
