/** What a binary was made of, so that a stale one is noticed and each says which commit it comes from. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./toolchain.mjs";

/** Everything that can change what a binary does. */
const INPUTS = [
  "src",
  "appliance",
  "image",
  "sync",
  "package.json",
  "bun.lock",
  "tsconfig.json",
  ".ci/build.ts",
  ".ci/native-addons.ts",
  ".ci/page.ts",
  ".ci/toolchain/package.json",
];

/**
 * @typedef {object} Stamp
 * @property {string} version of package.json
 * @property {string} commit hex, ending in "+changes" when inputs differ from the commit; "unknown" outside a git clone
 * @property {string} inputs SHA-256 over the inputs' paths and bytes, hex
 */

/** @returns {Stamp} of the working tree as it is now */
export function stampOfTree() {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  return { version, commit: commitOfTree(), inputs: hashOfFiles(projectRoot, INPUTS) };
}

/**
 * @param {string} binary path of a built binary
 * @returns {Stamp | undefined} what it was built from, or undefined when it is absent or was not built to the end
 */
export function stampOfBinary(binary) {
  const path = stampPath(binary);
  if (!existsSync(binary) || !existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, "utf8"));
}

/** @param {string} binary @returns {string} where a binary's stamp is kept */
export function stampPath(binary) {
  return `${binary}.stamp.json`;
}

/**
 * @param {string} root
 * @param {readonly string[]} paths files and folders below the root; absent ones count as empty
 * @returns {string} SHA-256 over the paths and bytes of all files, hex
 */
export function hashOfFiles(root, paths) {
  const hash = createHash("sha256");
  /** @param {string} path */
  const add = (path) => {
    const full = join(root, path);
    if (!existsSync(full)) return;
    if (statSync(full).isDirectory()) {
      for (const entry of readdirSync(full).sort()) add(`${path}/${entry}`);
      return;
    }
    const bytes = readFileSync(full);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  };
  for (const path of paths) add(path);
  return hash.digest("hex");
}

/** @returns {string} */
function commitOfTree() {
  /** @param {readonly string[]} args */
  const git = (args) => execFileSync("git", ["-C", projectRoot, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  if (!existsSync(join(projectRoot, ".git"))) return "unknown";
  try {
    const present = INPUTS.filter((path) => existsSync(join(projectRoot, path)));
    const changes = git(["status", "--porcelain", "--", ...present]);
    return `${git(["rev-parse", "HEAD"])}${changes === "" ? "" : "+changes"}`;
  } catch (error) {
    // No git on this machine, or a clone without a commit: the binary is none the worse, it just cannot say.
    if (error instanceof Error && ("status" in error || ("code" in error && error.code === "ENOENT"))) return "unknown";
    throw error;
  }
}
