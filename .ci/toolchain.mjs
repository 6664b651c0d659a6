/**
 * Brings in what the project is built with, on a machine that has only Node and npm: the pinned Bun, checked against the
 * hashes of .ci/toolchain/package-lock.json, into .toolchain/, then the packages of bun.lock into node_modules/.
 * Needs no root, runs no install script, and needs no network once everything is there.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "./child.mjs";

/** The project's folder, wherever the caller stands. */
export const projectRoot = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));

const pinDir = join(projectRoot, ".ci", "toolchain");
const toolchainDir = join(projectRoot, ".toolchain");
const INSTALL_LIMIT_MS = 300_000;
const NODE_MAJOR_MIN = 20;

/** A platform a binary can be built for: the words npm knows it by, and Bun's own. */
export const targets = /** @type {const} */ ({
  "linux-x64": { os: "linux", cpu: "x64", libc: "glibc", bun: "bun-linux-x64" },
  "linux-arm64": { os: "linux", cpu: "arm64", libc: "glibc", bun: "bun-linux-arm64" },
});

/** @typedef {keyof typeof targets} Target */

/** Stops a script with a sentence for the person who called it, without a stack trace. */
export class SetupError extends Error {}

/** @returns {string} the one Bun version the project is built, tested and shipped with, e.g. "1.4.5" */
export function pinnedBunVersion() {
  return JSON.parse(readFileSync(join(pinDir, "package.json"), "utf8")).dependencies.bun;
}

/**
 * The environment of every tool: Bun and the packages' commands first on PATH, nothing that changes how Bun runs.
 *
 * @param {string} bun path of the Bun to use
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnvironment(bun) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name.startsWith("BIZRA_") || name === "BUN_OPTIONS" || name === "BUN_BE_BUN") delete env[name];
  env["PATH"] = [dirname(bun), join(projectRoot, "node_modules", ".bin"), process.env["PATH"] ?? ""].join(delimiter);
  return env;
}

/**
 * Finds the pinned Bun, or installs it. A script that runs on that very Bun uses the one it runs on.
 *
 * @returns {Promise<string>} path of its executable
 * @throws {SetupError} when it can be neither found nor installed
 */
export async function ensureBun() {
  const version = pinnedBunVersion();
  if (process.versions["bun"] === version) return process.execPath;
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    throw new SetupError(`Node ${NODE_MAJOR_MIN} or newer is needed, this is ${process.version}. Install a newer Node and try again.`);
  }
  const linked = join(toolchainDir, "bin", "bun");
  if (await isPinnedBun(linked)) return linked;
  const runtime = await installRuntime("host", []);
  mkdirSync(dirname(linked), { recursive: true });
  rmSync(linked, { force: true });
  symlinkSync(relative(dirname(linked), runtime), linked);
  return linked;
}

/**
 * The Bun executable that a binary for another platform is built on; not runnable here.
 *
 * @param {Target} target
 * @returns {Promise<string>} its path
 * @throws {SetupError} when it can be neither found nor installed
 */
export function ensureRuntime(target) {
  const { os, cpu, libc } = targets[target];
  return installRuntime(target, [`--os=${os}`, `--cpu=${cpu}`, `--libc=${libc}`]);
}

/**
 * Installs exactly the packages that bun.lock names; quick and without network when they are all there.
 *
 * @param {string} bun
 * @throws {SetupError} when a package is missing and cannot be fetched, or package.json and bun.lock disagree
 */
export async function ensurePackages(bun) {
  const { ok, verdict, output } = await runChild(bun, ["install", "--frozen-lockfile"], {
    cwd: projectRoot,
    env: toolEnvironment(bun),
    limitMs: INSTALL_LIMIT_MS,
    echo: false,
  });
  if (!ok) {
    throw new SetupError(
      `The packages of bun.lock could not be installed (${verdict}).\n${output.trim()}\n` +
        "Check that the package registry can be reached; after a change of package.json run `bun install` and commit bun.lock.",
    );
  }
  const link = join(projectRoot, "node_modules", ".bin", "bun");
  if (!existsSync(link)) {
    rmSync(link, { force: true });
    symlinkSync(bun, link);
  }
}

/** @param {string} path @returns {Promise<boolean>} */
async function isPinnedBun(path) {
  if (!existsSync(path)) return false;
  const { ok, output } = await runChild(path, ["--version"], { cwd: projectRoot, env: process.env, limitMs: 10_000, echo: false });
  return ok && output.trim() === pinnedBunVersion();
}

/**
 * Puts one platform's Bun into .toolchain/NAME/, complete or not at all.
 *
 * @param {Target | "host"} name
 * @param {readonly string[]} platformFlags what npm is told about a platform that is not this one
 * @returns {Promise<string>} path of the executable
 */
async function installRuntime(name, platformFlags) {
  const version = pinnedBunVersion();
  const dir = join(toolchainDir, `${name}-${version}`);
  const present = await findRuntime(dir, name === "host");
  if (present !== undefined) return present;

  console.error(`installing Bun ${version} for ${name === "host" ? "this machine" : name} (about 40 MB, once)`);
  const partial = `${dir}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  cpSync(pinDir, partial, { recursive: true });
  const flags = [
    "ci",
    "--prefix",
    partial,
    "--ignore-scripts",
    "--include=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    // Without a network npm would otherwise try for minutes before it says so.
    "--prefer-offline",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
    ...platformFlags,
  ];
  const { ok, verdict, output } = await runChild("npm", flags, { cwd: partial, env: process.env, limitMs: INSTALL_LIMIT_MS, echo: false });
  const fetched = ok ? await findRuntime(partial, name === "host") : undefined;
  if (fetched === undefined) {
    rmSync(partial, { recursive: true, force: true });
    const found = ok ? "npm succeeded, but no Bun among what it installed runs on this machine" : verdict;
    throw new SetupError(
      `Bun ${version} could not be installed (${found}).\n${output.trim()}\n` +
        "npm comes with Node and must be on PATH; check that the package registry can be reached, then try again.",
    );
  }
  rmSync(dir, { recursive: true, force: true });
  renameSync(partial, dir);
  return join(dir, relative(partial, fetched));
}

/**
 * The Bun executable among a folder's packages. npm leaves one package per platform; an old npm ignores libc and leaves
 * two, of which one runs.
 *
 * @param {string} dir
 * @param {boolean} runnable whether it must run on this machine
 * @returns {Promise<string | undefined>}
 */
async function findRuntime(dir, runnable) {
  const scope = join(dir, "node_modules", "@oven");
  if (!existsSync(scope)) return undefined;
  for (const name of readdirSync(scope).sort()) {
    const executable = join(scope, name, "bin", "bun");
    if (existsSync(executable) && (!runnable || (await isPinnedBun(executable)))) return executable;
  }
  return undefined;
}
