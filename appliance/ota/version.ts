import { err, ok, type Result } from "../../src/kernel/index.ts";

/** A release's version, taken apart: 1.2.3, or 1.2.3-word for one before it. */
export type ReleaseVersion = { readonly numbers: readonly [number, number, number]; readonly before: string };

/** Reads a version as images carry it; leading zeros and signs are none. */
export function parseVersion(text: string): Result<ReleaseVersion, "malformed"> {
  const [, major, minor, patch, before = ""] =
    /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(?:-([a-z0-9.]{1,32}))?$/.exec(text) ?? [];
  if (major === undefined) return err("malformed");
  return ok({ numbers: [Number(major), Number(minor), Number(patch)], before });
}

/**
 * Orders two versions: negative when the first is older. One with a word is older than the same without; words are ordered by
 * their code units. What is no version is older than everything.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  if (!left.ok || !right.ok) return Number(left.ok) - Number(right.ok);
  for (const [i, number] of left.value.numbers.entries()) {
    const difference = number - (right.value.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  const [one, other] = [left.value.before, right.value.before];
  if (one === other) return 0;
  if (one === "" || other === "") return one === "" ? 1 : -1;
  return one < other ? -1 : 1;
}
