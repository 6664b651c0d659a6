import { err, ok, type Result } from "../../src/kernel/index.ts";
import type { BundleWord, UpdateTrouble } from "./types.ts";
import { compareVersions, parseVersion } from "./version.ts";

/** What a box is, as its verified root says: which bundles are meant for it. */
export type BoxStamp = {
  /** The word that image and bundle share: processor, kernel, and whether it is a development build. */
  readonly compatible: string;
  readonly version: string;
};

/** What a bundle is judged against. */
export type BundleBar = {
  readonly stamp: BoxStamp;
  /** Nothing older is installed. */
  readonly floor: string;
  /** Releases that were taken back here. */
  readonly failed: readonly string[];
  readonly isUnattended: boolean;
};

/** Ends the word of what a development key signed. */
const DEVELOPMENT = "-development";

/** Whether a bundle whose signature holds may be installed here. */
export function judgeBundle(bundle: BundleWord, { stamp, floor, failed, isUnattended }: BundleBar): Result<BundleWord, UpdateTrouble> {
  const { version, compatible } = bundle;
  if (compatible !== stamp.compatible) return err(strangerOf(compatible, stamp));
  if (!parseVersion(version).ok)
    return err({ code: "malformed", detail: `expected a version such as 1.2.3, got ${JSON.stringify(version)}` });
  if (version === stamp.version) return err({ code: "sameVersion", detail: `${version} runs already` });
  const bar = compareVersions(floor, stamp.version) > 0 ? floor : stamp.version;
  if (compareVersions(version, bar) < 0)
    return err({ code: "downgrade", detail: `${version} is older than ${bar}, below which this box does not go` });
  if (isUnattended && failed.includes(version))
    return err({ code: "failedBefore", detail: `${version} was taken back here before; only a person orders it again` });
  return ok(bundle);
}

/** What is said of a bundle that is meant for something else. */
export function strangerOf(compatible: string, stamp: BoxStamp): UpdateTrouble {
  if (compatible === `${stamp.compatible}${DEVELOPMENT}`)
    return { code: "developmentSigned", detail: `a development key signed it (${compatible}), and this is a release box` };
  return { code: "wrongBoard", detail: `it is meant for ${JSON.stringify(compatible)}, this box is ${stamp.compatible}` };
}

/**
 * Reads the stamp of a box out of its os-release: IMAGE_ID and IMAGE_VERSION.
 *
 * @see os-release(5)
 */
export function parseBoxStamp(osRelease: string): Result<BoxStamp, string> {
  const field = (name: string): string | undefined => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(osRelease)?.[1] || undefined;
  const [compatible, version] = [field("IMAGE_ID"), field("IMAGE_VERSION")];
  if (compatible === undefined || version === undefined)
    return err("expected IMAGE_ID and IMAGE_VERSION: this system is no image of a box");
  if (!parseVersion(version).ok) return err(`expected IMAGE_VERSION such as 1.2.3, got ${JSON.stringify(version)}`);
  return ok({ compatible, version });
}
