import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BOOT_FILES, encodeCounters } from "../../../image/boot/grub-config.ts";
import { loaderPath } from "../../../image/boot/loader.ts";
import { readPart } from "../../../image/disk/raw-image.ts";
import type { PartitionLabel } from "../../../image/layout/partitions.ts";
import { signBootFiles } from "../../../image/signing/boot-files.ts";
import { openBootKeys } from "../../../image/signing/boot-keys.ts";
import type { TrialImage } from "../../e2e/image/trial-image.ts";

/** What somebody did to a disk who could write it. */
export type Tampering = {
  /** A file of slot A, one bit of it changed; or all its files signed anew by somebody else; or the loader, without its signature or changed. */
  readonly tamper?: (typeof BOOT_FILES)[keyof typeof BOOT_FILES] | "other-keys" | "unsigned-loader" | "loader";
  /** Counters in place of a new box's. With B_OK 1, slot B gets what slot A had before. */
  readonly counters?: Readonly<Record<string, string>>;
};

/** A copy of an image after that; gives its path. */
export async function tamperedCopy(image: TrialImage, { tamper, counters }: Tampering, folder: string): Promise<string> {
  const path = join(folder, "image");
  await run("cp", "--sparse=always", image.image, path);
  if (counters !== undefined) changeParts(image, path, counters);
  if (tamper === "loader" || tamper === "unsigned-loader") await changeLoader(image, path, tamper, folder);
  else if (tamper !== undefined) await changeSlot(image, path, tamper, folder);
  return path;
}

function placeOf({ manifest }: TrialImage, label: PartitionLabel): { readonly offsetBytes: number; readonly sizeBytes: number } {
  const found = manifest.partitions.find((each) => each.label === label);
  if (found === undefined) throw new Error(`the image has no partition ${label}`);
  return found;
}

/** The counters' block is written where it lies, as a box writes it. */
function changeParts(image: TrialImage, path: string, counters: Readonly<Record<string, string>>): void {
  const file = openSync(path, "r+");
  try {
    const state = placeOf(image, "bootstate");
    const at = Buffer.from(readPart(file, state.offsetBytes, state.sizeBytes)).indexOf("# GRUB Environment Block");
    if (at < 0) throw new Error("the image has no counters");
    writeSync(file, encodeCounters(counters), 0, 1024, state.offsetBytes + at);
    if (counters["B_OK"] !== "1") return;
    const { rootBytes, bootBytes } = image.manifest.slot;
    for (const [name, bytes] of [["boot", bootBytes] as const, ["root", rootBytes] as const]) {
      const content = readPart(file, placeOf(image, `${name}-A`).offsetBytes, bytes);
      writeSync(file, content, 0, content.length, placeOf(image, `${name}-B`).offsetBytes);
    }
  } finally {
    closeSync(file);
  }
}

async function changeLoader(image: TrialImage, path: string, how: "loader" | "unsigned-loader", folder: string): Promise<void> {
  const [esp, loader] = [`${path}@@${placeOf(image, "esp").offsetBytes}`, join(folder, "loader.efi")];
  const name = `::${loaderPath(image.manifest.architecture)}`;
  await run("mcopy", "-n", "-i", esp, name, loader);
  if (how === "unsigned-loader") await run("sbattach", "--remove", loader);
  else {
    const bytes = readFileSync(loader);
    bytes.write("set superusers=nobodx", bytes.indexOf("set superusers=nobody"));
    writeFileSync(loader, bytes);
  }
  await run("mcopy", "-o", "-i", esp, loader, name);
}

async function changeSlot(image: TrialImage, path: string, tamper: string, folder: string): Promise<void> {
  const [files, slot] = [join(folder, "files"), join(folder, "slot")];
  await run("unsquashfs", "-quiet", "-no-progress", "-dest", files, join(image.out, `${image.manifest.name}.boot`));
  if (tamper === "other-keys") await signAnew(files, folder);
  else {
    const content = readFileSync(join(files, tamper));
    const middle = content.length >> 1;
    content[middle] = (content[middle] ?? 0) ^ 1;
    writeFileSync(join(files, tamper), content);
  }
  await run("mksquashfs", files, slot, "-noI", "-noD", "-noF", "-noX", "-noappend", "-no-progress", "-quiet", "-all-root");
  const file = openSync(path, "r+");
  const content = readFileSync(slot);
  writeSync(file, content, 0, content.length, placeOf(image, "boot-A").offsetBytes);
  closeSync(file);
}

/** Signs a slot's files with a key that the loader does not have. */
async function signAnew(files: string, folder: string): Promise<void> {
  const keys = join(folder, "keys");
  mkdirSync(keys);
  const { boot } = await openBootKeys(keys, "development");
  const unsigned = new Map(Object.values(BOOT_FILES).map((name) => [name, new Uint8Array(readFileSync(join(files, name)))]));
  for (const [name, content] of signBootFiles(unsigned, boot)) writeFileSync(join(files, name), content);
}

async function run(...words: readonly string[]): Promise<void> {
  const child = Bun.spawn({ cmd: [...words], stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${words[0]} failed: ${said}`);
}
