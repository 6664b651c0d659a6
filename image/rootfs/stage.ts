import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { FetchedPackage } from "../debian/archive.ts";
import { ELF_MACHINE, readElfNeeds } from "../elf.ts";
import type { Architecture } from "../layout/partitions.ts";
import { ImageFailure, runPiped, runTool } from "../tools.ts";
import { makeAccounts } from "./accounts.ts";
import type { AddedFile } from "./file.ts";
import { modulesToKeep, parseModuleNeeds } from "./kernel-modules.ts";
import { PROGRAM_PATH } from "./node-files.ts";
import { PRUNED_PATHS } from "./pruned-paths.ts";
import { MOUNT_POINTS } from "./system-files.ts";

/** Unpacks packages into a folder, base-files first: it brings the links that merge /bin, /lib and /sbin into /usr. */
export async function unpack(packages: readonly FetchedPackage[], root: string): Promise<void> {
  mkdirSync(root, { recursive: true });
  const isBase = ({ name }: FetchedPackage): boolean => name === "base-files";
  for (const { path } of [...packages.filter(isBase), ...packages.filter((entry) => !isBase(entry))]) {
    await runPiped(
      ["dpkg-deb", "--fsys-tarfile", path],
      ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--preserve-permissions", "--directory", root],
    );
  }
}

/** The one kernel in an unpacked root: its release, e.g. "6.12.48+deb13-amd64". */
export function kernelReleaseOf(root: string): string {
  const [release, ...others] = readdirSync(join(root, "usr/lib/modules"));
  if (release === undefined || others.length > 0) throw new ImageFailure("expected one kernel among the packages");
  return release;
}

/**
 * Does what the packages' own scripts would do on a running system, as far as a box needs it, and takes away what it does
 * not: accounts, trusted authorities, links, the index of kernel modules.
 */
export async function complete(root: string): Promise<void> {
  const declarations = join(root, "usr/lib/sysusers.d");
  const texts = readdirSync(declarations)
    .sort()
    .map((name) => readFileSync(join(declarations, name), "utf8"));
  const accounts = makeAccounts(texts);
  for (const [name, text] of Object.entries(accounts)) {
    writeFileSync(join(root, "etc", name), text);
    chmodSync(join(root, "etc", name), name.includes("shadow") ? 0o640 : 0o644);
  }
  const authorities = join(root, "usr/share/ca-certificates/mozilla");
  const bundle = readdirSync(authorities)
    .sort()
    .map((name) => readFileSync(join(authorities, name), "utf8"));
  mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
  writeFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), bundle.join(""));
  for (const [name, target] of [
    ["sh", "dash"],
    ["awk", "mawk"],
  ] as const) {
    if (!existsSync(join(root, "usr/bin", name))) symlinkSync(target, join(root, "usr/bin", name));
  }
  await pruneModules(root);
  for (const pattern of PRUNED_PATHS) {
    for (const path of new Bun.Glob(pattern).scanSync({ cwd: root, dot: true, onlyFiles: false, followSymlinks: false }))
      rmSync(join(root, path), { recursive: true, force: true });
  }
}

async function pruneModules(root: string): Promise<void> {
  const release = kernelReleaseOf(root);
  const folder = join(root, "usr/lib/modules", release);
  await runTool("depmod", ["--basedir", root, "--all", release]);
  const needs = parseModuleNeeds(readFileSync(join(folder, "modules.dep"), "utf8"));
  const kept = modulesToKeep(needs);
  for (const path of needs.keys()) if (!kept.has(path)) rmSync(join(folder, path), { force: true });
  await runTool("depmod", ["--basedir", root, "--all", release]);
}

/** Adds our files, the program and the places where other file systems are mounted. */
export function addFiles(root: string, files: readonly AddedFile[], program: string): void {
  for (const folder of MOUNT_POINTS) mkdirSync(join(root, folder), { recursive: true });
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    if (file.kind === "link") symlinkSync(file.target, path);
    else {
      writeFileSync(path, file.text);
      chmodSync(path, file.mode);
    }
  }
  copyFileSync(program, join(root, PROGRAM_PATH));
  chmodSync(join(root, PROGRAM_PATH), 0o755);
}

/**
 * Checks that every program and library of a root is for its processor and finds the libraries it names. Packages that were
 * only unpacked, not installed, could lack one without anybody noticing before a box does not start.
 *
 * @returns a sentence for each fault
 */
export function checkLibraries(root: string, architecture: Architecture): readonly string[] {
  const names = new Set<string>();
  const needs: { readonly path: string; readonly machine: number; readonly libraries: readonly string[] }[] = [];
  for (const path of new Bun.Glob("usr/**/*").scanSync({ cwd: root, dot: true, onlyFiles: false, followSymlinks: false })) {
    if (path.includes(".so")) names.add(path.split("/").at(-1) ?? "");
    const full = join(root, path);
    if (path.startsWith("usr/lib/modules/") || !lstatSync(full).isFile()) continue;
    const found = readElfNeeds(readFileSync(full));
    if (found !== undefined) needs.push({ path, ...found });
  }
  return needs.flatMap(({ path, machine, libraries }) => [
    ...(machine === ELF_MACHINE[architecture] ? [] : [`${path} is for another processor`]),
    ...libraries.filter((library) => !names.has(library)).map((library) => `${path} needs ${library}, which is missing`),
  ]);
}
