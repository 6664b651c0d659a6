import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { present, utf8 } from "../../src/kernel/index.ts";
import { readElfNeeds } from "../elf.ts";
import { modulesToLoad, parseModuleNeeds } from "../rootfs/kernel-modules.ts";
import { kernelReleaseOf } from "../rootfs/stage.ts";
import { ImageFailure, runTool } from "../tools.ts";
import { type CpioEntry, encodeCpio } from "./cpio.ts";
import { INITRD_MODULES, INITRD_SCRIPT } from "./initrd-script.ts";

/** Modules without which no slot can start. */
const INDISPENSABLE = ["dm_verity", "erofs"] as const;
/** Programs of the root that the first program runs. */
const PROGRAMS = ["usr/sbin/dmsetup", "usr/sbin/e2fsck"] as const;
/** Balances 3 MB of download against the seconds a board needs to unpack. */
const COMPRESSION_LEVEL = 19;

/**
 * The first root, from which the kernel starts: a static shell, the modules that lead to the disk, and the tools that open
 * and check it. Equal roots give equal bytes.
 *
 * @param root the completed root, whose kernel and tools it takes
 * @param busybox a static busybox for the same processor
 */
export async function makeInitrd(root: string, busybox: Uint8Array): Promise<Uint8Array> {
  const entries: CpioEntry[] = ["bin", "sbin", "lib", "modules", "dev", "proc", "sys", "run", "sysroot", "etc"].map((path) => ({
    kind: "folder",
    path,
  }));
  const add = (path: string, mode: number, content: Uint8Array): void => void entries.push({ kind: "file", path, mode, content });
  add("init", 0o755, utf8(INITRD_SCRIPT));
  add("bin/busybox", 0o755, busybox);
  entries.push({ kind: "link", path: "bin/sh", target: "busybox" });
  entries.push({ kind: "link", path: "lib64", target: "lib" });

  const folder = join(root, "usr/lib/modules", kernelReleaseOf(root));
  const needs = parseModuleNeeds(readFileSync(join(folder, "modules.dep"), "utf8"));
  const builtIn = readFileSync(join(folder, "modules.builtin"), "utf8").replaceAll("-", "_");
  const order = modulesToLoad(needs, INITRD_MODULES);
  const names = order.map((path) => (path.split("/").at(-1) ?? "").replace(/\.xz$/, ""));
  const lacking = INDISPENSABLE.filter(
    (name) => !builtIn.includes(`/${name}.ko`) && !names.some((file) => file.replaceAll("-", "_") === `${name}.ko`),
  );
  if (lacking.length > 0) throw new ImageFailure(`expected the kernel to have ${lacking.join(" and ")}, which slots cannot start without`);
  for (const [index, path] of order.entries()) {
    const full = join(folder, path);
    const content = path.endsWith(".xz") ? await runTool("xz", ["--decompress", "--stdout", full]) : new Uint8Array(readFileSync(full));
    add(`modules/${present(names[index], "every module has a name")}`, 0o644, content);
  }
  add("modules.list", 0o644, utf8(`${names.join("\n")}\n`));

  for (const program of PROGRAMS) add(program.replace("usr/", ""), 0o755, readFileSync(join(root, program)));
  for (const [path, content] of librariesOf(root, PROGRAMS)) add(path, 0o755, content);
  return Bun.zstdCompressSync(encodeCpio(entries), { level: COMPRESSION_LEVEL });
}

/** The libraries and the loader that programs need, by their place in the first root. */
function librariesOf(root: string, programs: readonly string[]): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const queue: Uint8Array[] = programs.map((program) => readFileSync(join(root, program)));
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const needs = readElfNeeds(file);
    const wanted = [...(needs?.libraries ?? []), ...(needs?.loader === undefined ? [] : [needs.loader.split("/").at(-1) ?? ""])];
    for (const name of wanted) {
      if (found.has(`lib/${name}`)) continue;
      const content = readLibrary(root, name);
      found.set(`lib/${name}`, content);
      queue.push(content);
    }
  }
  return found;
}

function readLibrary(root: string, name: string): Uint8Array {
  for (const folder of ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib", "usr/lib64"]) {
    const path = join(root, folder, name);
    if (existsSync(path)) return new Uint8Array(readFileSync(path));
  }
  throw new ImageFailure(`expected the library ${name} in the root`);
}
