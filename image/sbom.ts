import lock from "../bun.lock";
import type { DebianPackage } from "./debian/control.ts";
import type { ImageIdentity } from "./rootfs/identity.ts";
import { imageName } from "./rootfs/identity.ts";

/** A component of a CycloneDX document. */
type Component = {
  readonly type: "library" | "application";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: "SHA-256" | "SHA-512"; readonly content: string }[];
};

/** Debian's number of the release that images are made of, for package URLs. */
const DISTRIBUTION = "debian-13";

/**
 * The bill of materials of an image as CycloneDX 1.6: every Debian package by the hash of the file it came from, every npm
 * package that the node was built from by bun.lock, and the runtime. No time and no random number in it: equal images have
 * equal bills.
 *
 * @param program the node's version and the hash of its program
 * @see https://cyclonedx.org/docs/1.6/json/
 */
export function describeMaterials(
  identity: ImageIdentity,
  packages: readonly DebianPackage[],
  program: { readonly version: string; readonly sha256: string },
): string {
  const components = [
    ...packages.map(debianComponent),
    ...npmComponents(),
    { type: "library", name: "bun", version: Bun.version, purl: `pkg:npm/bun@${Bun.version}` } satisfies Component,
  ].sort((a, b) => (a.purl < b.purl ? -1 : a.purl > b.purl ? 1 : 0));
  const node = {
    type: "application",
    name: "bizra",
    version: program.version,
    hashes: [{ alg: "SHA-256", content: program.sha256 }],
    purl: `pkg:generic/bizra@${program.version}`,
  } satisfies Component;
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "operating-system", name: imageName(identity), version: identity.version } },
    components: [node, ...components],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage): Component {
  const encoded = encodeURIComponent(version);
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encoded}?arch=${architecture}&distro=${DISTRIBUTION}`;
  return { type: "library", name, version, purl, hashes: [{ alg: "SHA-256", content: sha256 }] };
}

/** The packages of bun.lock: each a name with its version, and the hash by which it was installed. */
function npmComponents(): readonly Component[] {
  const found = new Map<string, Component>();
  for (const entry of Object.values(lock.packages)) {
    const [resolved, ...rest] = entry;
    const at = resolved.lastIndexOf("@");
    const [name, version] = [resolved.slice(0, at), resolved.slice(at + 1)];
    const purl = `pkg:npm/${name.replace(/^@/, "%40")}@${encodeURIComponent(version)}`;
    const integrity = rest.find((word) => typeof word === "string" && word.startsWith("sha512-"));
    const hash = typeof integrity === "string" ? Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") : undefined;
    found.set(purl, {
      type: "library",
      name,
      version,
      purl,
      ...(hash === undefined ? {} : { hashes: [{ alg: "SHA-512", content: hash }] }),
    });
  }
  return [...found.values()];
}
