import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { concatBytes, parseHex, present, utf8 } from "../../src/kernel/index.ts";
import { BOOT_FILES, slotConfig } from "../boot/grub-config.ts";
import { sha256Hex } from "../hashes.ts";
import { signProgram } from "../signing/authenticode.ts";
import { signBootFiles } from "../signing/boot-files.ts";
import type { BootKeys } from "../signing/boot-keys.ts";
import { IMAGE_EPOCH_SECONDS, runTool } from "../tools.ts";
import { buildVerity, encodeVerityWord, VERITY_BLOCK_BYTES, type VerityTable } from "../verity.ts";

/** The two images of a slot. */
export type SlotImages = { readonly root: Uint8Array; readonly boot: Uint8Array; readonly verity: VerityTable };

/** Salt of every image's hash tree: no secret, and fixed, so that equal blocks of two releases have equal hashes. */
const SALT = present(parseHex(sha256Hex(new TextEncoder().encode("bizra image"))), "a hash is hexadecimal");
/** Identity of the root's file system; fixed for the same reason. */
const ROOT_ID = "b12a0000-0000-4000-8000-0000000000ef";

/**
 * A root's image: EROFS, in which a changed file changes few blocks elsewhere, then its hash tree.
 *
 * @param root folder with the files; who owns them there does not matter, in the image it is root
 * @param work folder for what is in between
 */
export async function makeRootImage(root: string, work: string): Promise<{ readonly image: Uint8Array; readonly verity: VerityTable }> {
  const path = join(work, "root.erofs");
  await runTool("mkfs.erofs", ["-zlz4hc", "-T", String(IMAGE_EPOCH_SECONDS), "-U", ROOT_ID, "--all-root", path, root]);
  const content = toWholeBlocks(new Uint8Array(readFileSync(path)));
  const { table, tree } = buildVerity(content, SALT);
  return { image: concatBytes(content, tree), verity: table };
}

/**
 * A boot partition's image: kernel, initrd and the slot's own configuration, each with its signature, stored as they are for a
 * fast start. The kernel is signed for firmware too, which looks at it when the boot loader hands it over.
 */
export async function makeBootImage(
  files: { readonly kernel: Uint8Array; readonly initrd: Uint8Array; readonly verity: VerityTable },
  keys: BootKeys,
  work: string,
): Promise<Uint8Array> {
  const folder = join(work, "boot");
  mkdirSync(folder, { recursive: true });
  const unsigned = new Map([
    [BOOT_FILES.kernel, await signProgram(files.kernel, keys, work)],
    [BOOT_FILES.initrd, files.initrd],
    [BOOT_FILES.slot, utf8(slotConfig(encodeVerityWord(files.verity)))],
  ]);
  for (const [name, content] of signBootFiles(unsigned, keys.boot)) writeFileSync(join(folder, name), content);
  const path = join(work, "boot.squashfs");
  const stored = ["-noI", "-noD", "-noF", "-noX"];
  // Times come from SOURCE_DATE_EPOCH; one processor, since several write in the order in which they finish.
  const fixed = ["-noappend", "-no-progress", "-quiet", "-all-root", "-processors", "1"];
  await runTool("mksquashfs", [folder, path, ...stored, ...fixed]);
  return toWholeBlocks(new Uint8Array(readFileSync(path)));
}

function toWholeBlocks(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % VERITY_BLOCK_BYTES;
  return rest === 0 ? bytes : concatBytes(bytes, new Uint8Array(VERITY_BLOCK_BYTES - rest));
}
