import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expandImage } from "./disk/compressed.ts";
import { type OpenedDisk, openDisk } from "./disk/opened-disk.ts";
import { hashPart, isEmpty, readPart } from "./disk/raw-image.ts";
import { sha256Hex } from "./hashes.ts";
import { BACKUP_BYTES, PRIMARY_BYTES } from "./layout/gpt.ts";
import { layOut, partitionsOf } from "./layout/partitions.ts";
import { type ImageManifest, parseManifest } from "./manifest.ts";
import { makeProvisionPartition, readGivenFiles } from "./provision.ts";
import { compatibleOf, imageName } from "./rootfs/identity.ts";
import { checkSignature } from "./signing/signature.ts";
import { ImageFailure, requireTools } from "./tools.ts";
import { checkBootChain } from "./verify-boot.ts";
import { buildVerity, VERITY_BLOCK_BYTES } from "./verity.ts";

/** One thing that was looked at. */
export type ImageCheck = { readonly check: string; readonly isOk: boolean; readonly detail: string };

/** What a verification found: good exactly when every check is. */
export type ImageVerdict = { readonly isGood: boolean; readonly checks: readonly ImageCheck[]; readonly manifest?: ImageManifest };

/** What to verify. */
export type VerifyOrder = {
  /** The image, compressed or not; manifest and signature lie beside it. */
  readonly path: string;
  /** Certificate of the authority that is trusted. */
  readonly authority: string;
};

/**
 * Verifies an image: the signature over its manifest, and by the manifest every byte of the disk. Loader, boot files and root
 * are checked as a box would, so that an image that verifies also starts. Only the provisioning partition may differ, and only
 * by the files that provisioning puts there.
 *
 * @throws ImageFailure when something is missing that could be looked at
 */
export async function verifyImage({ path, authority }: VerifyOrder): Promise<ImageVerdict> {
  requireTools("verify an image", ["openssl", "mcopy", "mkfs.vfat", "mmd", "mtype", "sbverify", "unsquashfs"]);
  const base = path.replace(/\.img(\.zst)?$/, "");
  const [manifestPath, signaturePath] = [`${base}.manifest.json`, `${base}.manifest.p7s`];
  for (const needed of [path, manifestPath, signaturePath, authority])
    if (!existsSync(needed)) throw new ImageFailure(`expected ${needed}, which is not there`);
  const checks: ImageCheck[] = [];
  const note = (check: string, fault: string | undefined, detail: string): void =>
    void checks.push({ check, isOk: fault === undefined, detail: fault ?? detail });
  note("signature", await checkSignature(manifestPath, signaturePath, authority), "signed under the trusted authority");
  const manifest = parseManifest(readFileSync(manifestPath, "utf8"));
  note("manifest", manifest.ok ? contradictionOf(manifest.value) : manifest.error, manifest.ok ? manifest.value.name : "");
  const verdict = (): ImageVerdict => ({
    isGood: checks.every(({ isOk }) => isOk),
    checks,
    ...(manifest.ok ? { manifest: manifest.value } : {}),
  });
  if (!manifest.ok || !verdict().isGood) return verdict();
  const work = mkdtempSync(join(tmpdir(), "bizra-verify-"));
  try {
    let raw = path;
    if (path.endsWith(".zst")) {
      raw = join(work, "image");
      await expandImage(path, raw);
    }
    checks.push(...(await checkDisk(raw, manifest.value, work)));
    return verdict();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What in a manifest does not fit together, if anything. */
function contradictionOf(manifest: ImageManifest): string | undefined {
  if (manifest.name !== imageName(manifest)) return `it is named ${manifest.name}, but describes ${imageName(manifest)}`;
  if (manifest.compatible !== compatibleOf(manifest)) return `it says ${manifest.compatible}, but describes ${compatibleOf(manifest)}`;
  const layout = layOut(partitionsOf(manifest.architecture, manifest.board));
  const isSame =
    manifest.diskBytes === layout.diskBytes &&
    manifest.partitions.length === layout.partitions.length &&
    layout.partitions.every(({ label, offsetBytes, sizeBytes }, index) => {
      const listed = manifest.partitions[index];
      return listed?.label === label && listed.offsetBytes === offsetBytes && listed.sizeBytes === sizeBytes;
    });
  return isSame ? undefined : "its partitions are not those of this version's layout";
}

async function checkDisk(path: string, manifest: ImageManifest, work: string): Promise<readonly ImageCheck[]> {
  let disk: OpenedDisk;
  try {
    disk = openDisk(path, "r");
  } catch (error) {
    if (!(error instanceof ImageFailure)) throw error;
    return [{ check: "partition table", isOk: false, detail: error.message }];
  }
  try {
    const checks = [checkTable(disk, manifest)];
    for (const { label, offsetBytes, sizeBytes, sha256 } of manifest.partitions) {
      const isAsBuilt = hashPart(disk.file, offsetBytes, sizeBytes) === sha256;
      if (isAsBuilt || label !== "PROVISION") {
        checks.push({ check: label, isOk: isAsBuilt, detail: isAsBuilt ? "as built" : "it was changed" });
      } else checks.push(await checkProvision(readPart(disk.file, offsetBytes, sizeBytes), work));
    }
    checks.push(checkRoot(disk, manifest), checkGaps(disk, manifest));
    const read = (label: string): Uint8Array => {
      const place = manifest.partitions.find((each) => each.label === label);
      return readPart(disk.file, place?.offsetBytes ?? 0, place?.sizeBytes ?? 0);
    };
    const { loader, bootFiles } = await checkBootChain({ esp: read("esp"), boot: read("boot-A") }, manifest, work);
    checks.push({ check: "loader", isOk: loader.length === 0, detail: loader.join("; ") || "signed for Secure Boot" });
    checks.push({ check: "boot files", isOk: bootFiles.length === 0, detail: bootFiles.join("; ") || "each signed for the loader" });
    return checks;
  } finally {
    closeSync(disk.file);
  }
}

function checkTable({ entries, bytes }: OpenedDisk, manifest: ImageManifest): ImageCheck {
  const expected = layOut(partitionsOf(manifest.architecture, manifest.board)).partitions;
  const isSame =
    bytes === manifest.diskBytes &&
    entries.length === expected.length &&
    expected.every((partition, index) => {
      const entry = entries[index];
      return (["type", "id", "label", "offsetBytes", "sizeBytes"] as const).every((field) => entry?.[field] === partition[field]);
    });
  return { check: "partition table", isOk: isSame, detail: isSame ? `${entries.length} partitions` : "it is not the one of this layout" };
}

/** A provisioned partition is what provisioning makes of the files that are in it, to the byte. */
async function checkProvision(content: Uint8Array, work: string): Promise<ImageCheck> {
  const given = await readGivenFiles(content, work);
  const expected = await makeProvisionPartition(given, content.length, work);
  const isSame = sha256Hex(expected) === sha256Hex(content);
  const names = Object.keys(given).join(", ") || "nothing";
  return {
    check: "PROVISION",
    isOk: isSame,
    detail: isSame ? `provisioned with ${names}` : "it holds what provisioning does not put there",
  };
}

/** The root as a box sees it: its blocks lead to the root hash. */
function checkRoot({ file }: OpenedDisk, { partitions, verity }: ImageManifest): ImageCheck {
  const offset = partitions.find(({ label }) => label === "root-A")?.offsetBytes ?? 0;
  const content = readPart(file, offset, verity.blocks * VERITY_BLOCK_BYTES);
  const { table, tree } = buildVerity(content, Uint8Array.fromHex(verity.salt));
  const onDisk = readPart(file, offset + content.length, tree.length);
  const isSame = table.rootHash === verity.rootHash && sha256Hex(onDisk) === sha256Hex(tree);
  return { check: "root hash", isOk: isSame, detail: isSame ? verity.rootHash : "the root's blocks do not lead to it" };
}

/** Between and behind partitions there is nothing. */
function checkGaps({ file, bytes }: OpenedDisk, { partitions }: ImageManifest): ImageCheck {
  const used = partitions.map(({ offsetBytes, sizeBytes }) => [offsetBytes, offsetBytes + sizeBytes] as const);
  const bounds = [[0, PRIMARY_BYTES] as const, ...used, [bytes - BACKUP_BYTES, bytes] as const];
  const isClean = bounds.every(([, end], index) => isEmpty(readPart(file, end, (bounds[index + 1]?.[0] ?? end) - end)));
  return { check: "gaps", isOk: isClean, detail: isClean ? "empty" : "there is something outside of the partitions" };
}
