/**
 * Native addons inside the one binary. WebRTC's addon is found at run time by a loader that looks into node_modules, which a
 * binary has not; here the loader is replaced by the file itself, for the platform that is built for.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BunPlugin } from "bun";
import { runChild } from "./child.mjs";
import { withoutSections } from "./elf.ts";
import { projectRoot, SetupError, type Target, targets, toolEnvironment } from "./toolchain.mjs";

const LOADER = /node-datachannel[\\/]dist[\\/](esm|cjs)[\\/]lib[\\/]node-datachannel\.(mjs|cjs)$/;
const INSTALL_LIMIT_MS = 300_000;

/** The files that an installation is made from. */
const LOCKED = ["package.json", "bun.lock", "bunfig.toml"] as const;

/**
 * WebRTC's addon for a platform, at the version of bun.lock: of this installation where it is the same platform, else of one
 * made for it under .toolchain/. Trimmed to what is loaded.
 *
 * @returns path of the .node file, the same each time
 * @throws SetupError when it can be neither found nor installed
 */
export async function ensureWebRtcAddon(target: Target): Promise<string> {
  const here = addonIn(projectRoot, target);
  if (existsSync(here)) return trimmed(here, target);
  const folder = join(projectRoot, ".toolchain", `addons-${target}`);
  const there = addonIn(folder, target);
  mkdirSync(folder, { recursive: true });
  for (const file of LOCKED) copyFileSync(join(projectRoot, file), join(folder, file));
  const { os, cpu, libc } = targets[target];
  const words = ["install", "--frozen-lockfile", "--production", `--os=${os}`, `--cpu=${cpu}`, `--libc=${libc}`];
  const environment = toolEnvironment(process.execPath);
  const { ok, output } = await runChild(process.execPath, words, { cwd: folder, env: environment, limitMs: INSTALL_LIMIT_MS, echo: false });
  if (!ok || !existsSync(there)) {
    throw new SetupError(
      `The WebRTC addon for ${target} could not be installed.\n${output.trim()}\nCheck that the package registry can be reached.`,
    );
  }
  return trimmed(there, target);
}

/** Builds may run side by side, so the copy appears whole. */
function trimmed(addon: string, target: Target): string {
  const folder = join(projectRoot, ".toolchain", `trimmed-${target}`);
  const copy = join(folder, "node_datachannel.node");
  const partial = `${copy}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(partial, withoutSections(readFileSync(addon)));
  renameSync(partial, copy);
  return copy;
}

/** Makes the bundle carry the addon in this file instead of looking for one. */
export function webRtcAddon(path: string): BunPlugin {
  return {
    name: "webrtc-addon",
    setup(build) {
      build.onLoad({ filter: LOADER }, ({ path: loader }) => {
        const file = JSON.stringify(path);
        const isModule = loader.endsWith(".mjs");
        const contents = isModule
          ? `const addon = require(${file});\nexport { addon as default };\n`
          : `exports.default = require(${file});\n`;
        return { contents, loader: "js" };
      });
    },
  };
}

function addonIn(folder: string, target: Target): string {
  const { os, cpu, libc } = targets[target];
  const platform = `${os}-${cpu}-${libc === "glibc" ? "gnu" : libc}`;
  return join(folder, "node_modules", "@node-datachannel", platform, "node_datachannel.node");
}
