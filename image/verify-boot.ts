import { createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BOOT_FILES } from "./boot/grub-config.ts";
import { loaderPath } from "./boot/loader.ts";
import type { ImageManifest } from "./manifest.ts";
import { checkProgram } from "./signing/authenticode.ts";
import { checkBootFiles, loaderKey } from "./signing/boot-files.ts";
import { tryTool } from "./tools.ts";

/** What a disk starts from: the content of its first partition, and of its first boot slot. */
export type BootParts = { readonly esp: Uint8Array; readonly boot: Uint8Array };

/** What is wrong with each part of a start, in sentences; nothing where it is as it should be. */
export type BootFaults = { readonly loader: readonly string[]; readonly bootFiles: readonly string[] };

/**
 * Verifies a start as firmware and boot loader do, by the keys that the signed manifest names: the loader is signed for the
 * firmware and holds the key for the slot, the kernel is signed for the firmware, and each file of the slot by that key.
 *
 * @param work folder for what is in between
 */
export async function checkBootChain(
  { esp, boot }: BootParts,
  { architecture, secureBoot }: Pick<ImageManifest, "architecture" | "secureBoot">,
  work: string,
): Promise<BootFaults> {
  const certificate = new Uint8Array(Buffer.from(secureBoot.certificate, "base64"));
  const key = createPublicKey({ key: Buffer.from(secureBoot.bootKey, "base64"), format: "der", type: "spki" });
  const espPath = join(work, "esp");
  writeFileSync(espPath, esp);
  const program = (await tryTool("mtype", ["-i", espPath, `::${loaderPath(architecture)}`])).out;
  const unsigned = await checkProgram(program, certificate, work);
  const loader = unsigned === undefined ? [] : [unsigned];
  if (!Buffer.from(program).includes(loaderKey(key))) loader.push("it does not hold the key that signed the slot");

  const files = await unpackBootSlot(boot, work);
  const bootFiles = [...checkBootFiles(files, Object.values(BOOT_FILES), key)];
  const kernel = await checkProgram(files.get(BOOT_FILES.kernel) ?? new Uint8Array(), certificate, work);
  if (kernel !== undefined) bootFiles.push(`${BOOT_FILES.kernel}: ${kernel}`);
  return { loader, bootFiles };
}

/** The files of a boot slot; none when it cannot be read. */
async function unpackBootSlot(slot: Uint8Array, work: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const [path, folder] = [join(work, "boot-slot"), join(work, "boot-files")];
  writeFileSync(path, slot);
  await tryTool("unsquashfs", ["-quiet", "-no-progress", "-force", "-dest", folder, path]);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}
