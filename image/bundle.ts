import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { filesOf, type ImageFiles } from "./build.ts";
import { sha256Hex } from "./hashes.ts";
import { type ImageManifest, parseManifest } from "./manifest.ts";
import type { SigningKeys } from "./signing/keys.ts";
import { checkSignature } from "./signing/signature.ts";
import { ImageFailure, requireTools, runTool, tryTool } from "./tools.ts";
import type { ImageCheck } from "./verify.ts";

/** Names of the images within a bundle. */
const BUNDLE_IMAGES = { root: "root.img", boot: "boot.img" } as const;

/** A squashfs begins with its superblock of 96 bytes (kernel documentation, "Squashfs"); this file fills up its first block. */
const ALIGNMENT = { name: "align", bytes: 4_096 - 96 } as const;

/**
 * The payload keeps the images as they are, each at a multiple of 4 KiB, so that the blocks that the signed hash tree names are
 * blocks of the slots: a box that has them need not fetch them (docs/adr/block-updates.md). Both images are compressed inside.
 */
const STORED = ["-comp zstd", "-noD", "-no-fragments", "-no-sparse", "-no-duplicates", "-sort order"].join(" ");

/** The updater's manifest of a bundle: both images of a slot (RAUC's reference, "Manifest"). */
export function bundleManifest({ compatible, version }: Pick<ImageManifest, "compatible" | "version">): string {
  return `[update]
compatible=${compatible}
version=${version}

[bundle]
format=verity

[image.rootfs]
filename=${BUNDLE_IMAGES.root}

[image.boot]
filename=${BUNDLE_IMAGES.boot}
`;
}

/** What to make a bundle of. */
export type BundleOrder = {
  /** Folder that a build of an image left its files in. */
  readonly folder: string;
  /** Name of the image, as its manifest says. */
  readonly name: string;
  readonly keys: SigningKeys;
};

/**
 * Makes a signed update bundle of the slot of a built image.
 *
 * @returns its path
 * @throws ImageFailure when the image's files are missing or are not what their manifest says
 */
export async function buildBundle({ folder, name, keys }: BundleOrder): Promise<string> {
  requireTools("build a bundle", ["mksquashfs", "openssl", "rauc"]);
  const files = filesOf(folder, name);
  const manifest = await readSigned(files, keys);
  const work = mkdtempSync(join(folder, ".bundling-"));
  try {
    const content = join(work, "content");
    mkdirSync(content);
    copyFileSync(files.rootSlot, join(content, BUNDLE_IMAGES.root));
    copyFileSync(files.bootSlot, join(content, BUNDLE_IMAGES.boot));
    writeFileSync(join(content, "manifest.raucm"), bundleManifest(manifest));
    writeFileSync(join(content, ALIGNMENT.name), new Uint8Array(ALIGNMENT.bytes));
    writeFileSync(join(work, "order"), `${ALIGNMENT.name} 3\n${BUNDLE_IMAGES.root} 2\n${BUNDLE_IMAGES.boot} 1\n`);
    const path = join(folder, `${name}.raucb`);
    rmSync(path, { force: true });
    const signing = [`--cert=${keys.certificate}`, `--key=${keys.key}`, `--keyring=${keys.authority}`];
    await runTool("rauc", ["bundle", ...signing, `--mksquashfs-args=${STORED}`, content, path], { cwd: work });
    return path;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The manifest of a built image, after its signature and the slot's files were checked against it. */
async function readSigned(files: ImageFiles, keys: SigningKeys): Promise<ImageManifest> {
  for (const path of [files.manifest, files.signature, files.rootSlot, files.bootSlot])
    if (!existsSync(path)) throw new ImageFailure(`expected ${path}, which \`bizra image build\` leaves`);
  const fault = await checkSignature(files.manifest, files.signature, keys.authority);
  if (fault !== undefined) throw new ImageFailure(`expected an image signed with these keys: ${fault}`);
  const manifest = parseManifest(readFileSync(files.manifest, "utf8"));
  if (!manifest.ok) throw new ImageFailure(`expected the manifest of an image at ${files.manifest}: ${manifest.error}`);
  const { slot } = manifest.value;
  for (const [path, hash] of [
    [files.rootSlot, slot.rootSha256],
    [files.bootSlot, slot.bootSha256],
  ] as const) {
    if (sha256Hex(readFileSync(path)) !== hash) throw new ImageFailure(`expected the slot's file as built at ${path}, but it was changed`);
  }
  return manifest.value;
}

/** The part that counts here of what the updater says of a bundle. */
const infoSchema = z.object({
  compatible: z.string(),
  version: z.string(),
  images: z.array(z.record(z.string(), z.object({ filename: z.string() }))),
});

/** What a bundle is to be checked against. */
export type BundleExpectation = {
  readonly path: string;
  /** Certificate of the authority that is trusted. */
  readonly authority: string;
  /** The kind of box it is for; absent: any. */
  readonly compatible?: string;
};

/** What a verification of a bundle found: good exactly when every check is. */
export type BundleVerdict = {
  readonly isGood: boolean;
  readonly checks: readonly ImageCheck[];
  readonly version?: string;
  readonly compatible?: string;
};

/**
 * Verifies a bundle's word: who signed it, the kind of box it is for, and which images it holds. The payload is left to
 * whoever checks every block of it.
 *
 * @throws ImageFailure when there is no such file
 */
export async function verifyBundle({ path, authority, compatible }: BundleExpectation): Promise<BundleVerdict> {
  requireTools("verify a bundle", ["rauc"]);
  for (const needed of [path, authority]) if (!existsSync(needed)) throw new ImageFailure(`expected ${needed}, which is not there`);
  const { code, out, said } = await tryTool("rauc", ["info", `--keyring=${authority}`, "--output-format=json", path]);
  const signature: ImageCheck = {
    check: "signature",
    isOk: code === 0,
    detail: code === 0 ? "signed under the trusted authority" : (said.split("\n").at(-1) ?? "it does not hold"),
  };
  if (code !== 0) return { isGood: false, checks: [signature] };
  const info = infoSchema.safeParse(JSON.parse(new TextDecoder().decode(out)));
  if (!info.success)
    return {
      isGood: false,
      checks: [signature, { check: "form", isOk: false, detail: "the updater describes it in another way than expected" }],
    };
  const { data } = info;
  const names = data.images.flatMap((image) => Object.keys(image)).sort();
  const isFor = compatible === undefined || compatible === data.compatible;
  const checks: readonly ImageCheck[] = [
    signature,
    { check: "kind of box", isOk: isFor, detail: isFor ? data.compatible : `it is for ${data.compatible}, not for ${compatible}` },
    { check: "contents", isOk: names.join(" ") === "boot rootfs", detail: names.join(" ") },
  ];
  return { isGood: checks.every(({ isOk }) => isOk), checks, version: data.version, compatible: data.compatible };
}
