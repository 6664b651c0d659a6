import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Architecture } from "../layout/partitions.ts";
import { signProgram } from "../signing/authenticode.ts";
import { loaderKey } from "../signing/boot-files.ts";
import type { BootKeys } from "../signing/boot-keys.ts";
import { runTool } from "../tools.ts";
import { grubConfig } from "./grub-config.ts";

/** What GRUB must be able to do before it has read anything but itself; it loads nothing later. */
const GRUB_MODULES = [
  "boot",
  "configfile",
  "datehook",
  "echo",
  "ext2",
  "gcry_rsa",
  "gcry_sha256",
  "linux",
  "loadenv",
  "memdisk",
  "minicmd",
  "normal",
  "part_gpt",
  "pgp",
  "reboot",
  "regexp",
  "search",
  "search_fs_uuid",
  "sleep",
  "squash4",
  "tar",
  "terminal",
  "test",
  "zstd",
] as const;

/** Where the loader finds its configuration within itself; in a folder, since without one it would look on the disk. */
const LOADER_CONFIG = "boot/grub/grub.cfg";

/** What differs between the loaders of the two processors. */
const LOADERS = {
  amd64: { format: "x86_64-efi", file: "BOOTX64.EFI", modules: ["serial"] },
  arm64: { format: "arm64-efi", file: "BOOTAA64.EFI", modules: [] },
} as const;

/** Where firmware finds the loader of a disk on which nobody installed anything (UEFI specification, 3.5.1.1). */
export function loaderPath(architecture: Architecture): string {
  return `EFI/BOOT/${LOADERS[architecture].file}`;
}

/**
 * The boot loader: one signed EFI program that holds its modules, its configuration and the key by which it verifies whatever
 * it reads from then on. Its own check of programs by shim is left out, since firmware starts it without one.
 *
 * @param grub the unpacked package of GRUB's modules
 */
export async function makeLoader(architecture: Architecture, grub: string, keys: BootKeys, work: string): Promise<Uint8Array> {
  const { format, modules } = LOADERS[architecture];
  const folder = join(work, "loader");
  mkdirSync(dirname(join(folder, LOADER_CONFIG)), { recursive: true });
  writeFileSync(join(folder, LOADER_CONFIG), grubConfig(architecture));
  const memory = join(work, "loader.tar");
  const fixed = ["--format=ustar", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=0644"];
  await runTool("tar", ["--create", "--file", memory, "--directory", folder, ...fixed, LOADER_CONFIG]);
  const [path, key] = [join(work, "loader.efi"), join(work, "boot-key.gpg")];
  writeFileSync(key, loaderKey(keys.boot));
  const source = ["--directory", join(grub, "usr/lib/grub", format), "--format", format];
  const inside = ["--memdisk", memory, "--prefix", `(memdisk)/${dirname(LOADER_CONFIG)}`, "--pubkey", key, "--disable-shim-lock"];
  await runTool("grub-mkimage", [...source, ...inside, "--output", path, ...GRUB_MODULES, ...modules]);
  return await signProgram(new Uint8Array(readFileSync(path)), keys, work);
}
