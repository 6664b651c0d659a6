/**
 * `bun run build [-- --target NAME]`: compiles src/main.ts, every worker (*.worker.ts) and the runtime into one binary,
 * dist/bizra, or dist/bizra-NAME for a named platform, and the device package into dist/bizra-device.js. Equal inputs give
 * equal bytes. `--next` builds dist/bizra-next, this release as the one after it, for tests of upgrades (docs/upgrades.md);
 * `--lean` builds dist/bizra-lean, of which an update changes little (docs/adr/block-updates.md).
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { bundleDevice } from "./device.ts";
import { inlineWasm } from "./inline-wasm.ts";
import { ensureWebRtcAddon, webRtcAddon } from "./native-addons.ts";
import { oneLanguage } from "./one-language.ts";
import { bundlePages, type PageBundles, pagesInside } from "./page.ts";
import { type Stamp, stampOfTree, stampPath } from "./stamp.mjs";
import { ensureRuntime, pinnedBunVersion, projectRoot, SetupError, type Target, targets } from "./toolchain.mjs";

/** What to compile, and into what. */
export type BinaryPlan = {
  /** Absolute paths; the first is the program, the others are its workers, which it names by `new URL(..., import.meta.url)`. */
  readonly entryPoints: readonly string[];
  /** The folder whose layout the entry points keep inside the binary. */
  readonly root: string;
  readonly outfile: string;
  readonly stamp: Stamp;
  /** The Bun executable to build on; the running one when absent. */
  readonly runtime?: string;
  /** WebRTC's native addon for the platform built for; without it the binary cannot speak WebRTC. */
  readonly webRtcAddon?: string;
  /** The pages; without them the binary says that it has none. */
  readonly pages?: PageBundles;
  /** Whether to build the program as the release after this one, which knows one version more (src/protocol/release.ts). */
  readonly isNext?: boolean;
  /** Without byte code and source maps: it starts later, its stack traces name functions and not lines, and updates of it are small. */
  readonly isLean?: boolean;
};

/**
 * Compiles one binary. It appears at `outfile` complete or not at all, and what stood there before is gone either way.
 *
 * The binary carries its own configuration: it reads neither .env nor bunfig.toml nor package.json nor tsconfig.json
 * where it is started. Source maps go in unless it is lean, and names are kept, so that a stack trace from the field names our lines.
 *
 * @throws SetupError when the code does not compile
 */
export async function buildBinary(plan: BinaryPlan): Promise<void> {
  const { entryPoints, root, outfile, stamp, runtime, webRtcAddon: addon, pages, isLean = false } = plan;
  rmSync(outfile, { force: true });
  rmSync(stampPath(outfile), { force: true });
  const workDir = join(dirname(outfile), `.${basename(outfile)}.partial-${process.pid}`);
  rmSync(workDir, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  const partial = join(workDir, basename(outfile));
  try {
    const built = await Bun.build({
      entrypoints: [...entryPoints],
      root,
      target: "bun",
      format: "esm",
      bytecode: !isLean,
      minify: { whitespace: true, syntax: true, identifiers: false },
      sourcemap: isLean ? "none" : "linked",
      define: {
        BIZRA_VERSION: JSON.stringify(plan.isNext === true ? `${stamp.version}-next` : stamp.version),
        BIZRA_COMMIT: JSON.stringify(stamp.commit),
        BIZRA_NEXT: String(plan.isNext === true),
      },
      env: "disable",
      plugins: [
        oneLanguage(),
        inlineWasm(),
        ...(addon === undefined ? [] : [webRtcAddon(addon)]),
        ...(pages === undefined ? [] : [pagesInside(pages)]),
      ],
      throw: false,
      compile: {
        outfile: partial,
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
        ...(runtime === undefined ? {} : { executablePath: runtime }),
      },
    });
    if (!built.success) throw new SetupError(`The code does not compile:\n${built.logs.map(describe).join("\n")}`);
    renameSync(partial, outfile);
    writeFileSync(stampPath(outfile), `${JSON.stringify(stamp, null, 2)}\n`);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

function describe({ message, position }: BuildMessage | ResolveMessage): string {
  return position === null ? message : `${position.file}:${position.line}: ${message}`;
}

/** The entry points of the product: its main file and every worker. */
export function productEntryPoints(): string[] {
  const workers = [...new Bun.Glob("{src,appliance,sync}/**/*.worker.ts").scanSync({ cwd: projectRoot })].sort();
  return ["src/main.ts", ...workers].map((path) => join(projectRoot, path));
}

/** This machine as a target. */
function hostTarget(): Target {
  const host = `${process.platform}-${process.arch}`;
  if (!isTarget(host)) throw new SetupError(`There is no target for this machine (${host}). Targets: ${Object.keys(targets).join(", ")}.`);
  return host;
}

function isTarget(name: string): name is Target {
  return Object.hasOwn(targets, name);
}

async function main(): Promise<void> {
  const startedMs = performance.now();
  if (Bun.version !== pinnedBunVersion()) {
    throw new SetupError(
      `The binary is built on Bun ${pinnedBunVersion()}, this is ${Bun.version}. \`npm test\` and \`npm start\` bring the right one.`,
    );
  }
  const isWanted = { type: "boolean", default: false } as const;
  const { values } = parseArgs({ options: { target: { type: "string" }, next: isWanted, lean: isWanted }, strict: true });
  const { target, next: isNext, lean: isLean } = values;
  if (target !== undefined && !isTarget(target)) {
    throw new SetupError(`There is no target "${target}". Targets: ${Object.keys(targets).join(", ")}.`);
  }
  const isHost = target === undefined || target === `${process.platform}-${process.arch}`;
  const pages = await bundlePages();
  const name = ["bizra", ...(target === undefined ? [] : [target]), ...(isNext ? ["next"] : []), ...(isLean ? ["lean"] : [])].join("-");
  const outfile = join(projectRoot, "dist", name);
  await buildBinary({
    entryPoints: productEntryPoints(),
    root: projectRoot,
    outfile,
    stamp: stampOfTree(),
    webRtcAddon: await ensureWebRtcAddon(target ?? hostTarget()),
    pages,
    isNext,
    isLean,
    ...(isHost ? {} : { runtime: await ensureRuntime(target) }),
  });
  const device = await bundleDevice();
  const megabytes = Bun.file(outfile).size / 1e6;
  console.log(
    `built ${outfile}: ${megabytes.toFixed(1)} MB in ${((performance.now() - startedMs) / 1000).toFixed(1)} s, pages ${(pages.visitors.scriptBytes / 1024).toFixed(0)}, ${(pages.console.scriptBytes / 1024).toFixed(0)} and ${(pages.box.scriptBytes / 1024).toFixed(0)} KiB, device package ${(device.compressedBytes / 1024).toFixed(0)} KiB compressed`,
  );
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const isWrongUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    if (!(error instanceof SetupError) && !isWrongUsage) throw error;
    console.error(error.message);
    process.exitCode = isWrongUsage ? 2 : 1;
  }
}
