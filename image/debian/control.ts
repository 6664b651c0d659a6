import { z } from "zod";
import { err, ok, type Result } from "../../src/kernel/index.ts";

/** A Debian package that an image is made of, as its own control file describes it. */
export type DebianPackage = {
  readonly name: string;
  readonly version: string;
  /** "amd64", "arm64" or "all". */
  readonly architecture: string;
  /** The source package and its version where they differ from the binary's. */
  readonly source: string;
  /** SHA-256 of the .deb file in hexadecimal. */
  readonly sha256: string;
};

/**
 * Reads the control file of a package (Debian policy, chapter 5: fields with continuation lines).
 *
 * @param text one paragraph
 * @param sha256 of the .deb it came from
 * @returns undefined when a field that every package has is absent
 */
export function parseControl(text: string, sha256: string): DebianPackage | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const found = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined) fields.set(found[1], found[2].trim());
  }
  const [name, version, architecture] = [fields.get("Package"), fields.get("Version"), fields.get("Architecture")];
  if (name === undefined || version === undefined || architecture === undefined) return undefined;
  const [sourceName = name, sourceVersion] = (fields.get("Source") ?? name).split(/[ ()]+/);
  return { name, version, architecture, source: `${sourceName} ${sourceVersion || version}`, sha256 };
}

/** A list of packages with their exact versions, as a build writes it and as `--lock` reads it. */
export type PackageLock = { readonly suite: string; readonly packages: readonly DebianPackage[] };

const word = z.string().regex(/^[\x21-\x7e]{1,200}$/);
const lockSchema = z.strictObject({
  suite: word,
  packages: z
    .array(
      z.strictObject({
        name: word,
        version: word,
        architecture: word,
        source: z.string().max(400),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1)
    .max(10_000),
});

/** Reads a lock; the fault is a sentence. */
export function parseLock(text: string): Result<PackageLock, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return err("it is no JSON");
  }
  const parsed = lockSchema.safeParse(value);
  return parsed.success ? ok(parsed.data) : err(`${parsed.error.issues[0]?.path.join(".")}: ${parsed.error.issues[0]?.message}`);
}

/** What keeps a list of packages from being the locked one, a sentence for each package; empty when nothing does. */
export function compareWithLock(packages: readonly DebianPackage[], lock: PackageLock): readonly string[] {
  const locked = new Map(lock.packages.map((entry) => [entry.name, entry]));
  const faults = packages.flatMap(({ name, version, sha256 }) => {
    const expected = locked.get(name);
    locked.delete(name);
    if (expected === undefined) return [`${name} ${version} is not in the lock`];
    if (expected.version !== version) return [`${name} is ${version}, the lock says ${expected.version}`];
    return expected.sha256 === sha256 ? [] : [`${name} ${version} has other bytes than the lock says`];
  });
  return [...faults, ...[...locked.keys()].map((name) => `${name} of the lock is missing`)];
}
