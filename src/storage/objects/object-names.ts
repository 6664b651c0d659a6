/** A name's bounds: what every kind of store can keep. */
const NAME_BYTES_MAX = 512;

/** An object's name or a prefix broke the rule of `ObjectStore`: a mistake of the caller. */
export class WrongObjectName extends Error {
  override readonly name = "WrongObjectName";
}

/**
 * Checks a name: 1-512 of a-z 0-9 . _ - in parts between slashes, none of them empty or made of dots alone, so that no name
 * leads out of its store.
 *
 * @throws WrongObjectName
 */
export function checkObjectName(name: string): string {
  const parts = name.split("/");
  if (name.length <= NAME_BYTES_MAX && parts.every((part) => /^[a-z0-9._-]+$/.test(part) && !/^\.+$/.test(part))) return name;
  throw new WrongObjectName(`expected 1-${NAME_BYTES_MAX} of a-z 0-9 . _ - in parts between slashes, got ${JSON.stringify(name)}`);
}

/** Checks what names may begin with: a part of a name, or nothing. */
export function checkObjectPrefix(prefix: string): string {
  if (/^[a-z0-9._/-]{0,512}$/.test(prefix) && !/(^|\/)\.*\//.test(prefix)) return prefix;
  throw new WrongObjectName(`expected the beginning of an object's name, got ${JSON.stringify(prefix)}`);
}
