import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Where programs are looked for; fixed, so that a build does not depend on who runs it. */
export const TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The programs that are called, each with the Debian package that brings it. */
export const TOOLS = {
  "apt-cache": "apt",
  "apt-config": "apt",
  "apt-get": "apt",
  debugfs: "e2fsprogs",
  "dpkg-deb": "dpkg",
  depmod: "kmod",
  faketime: "faketime",
  "grub-mkimage": "grub-common",
  mcopy: "mtools",
  "mkfs.erofs": "erofs-utils",
  "mkfs.vfat": "dosfstools",
  mke2fs: "e2fsprogs",
  mksquashfs: "squashfs-tools",
  mmd: "mtools",
  mdel: "mtools",
  mtype: "mtools",
  openssl: "openssl",
  rauc: "rauc",
  sbsign: "sbsigntool",
  sbverify: "sbsigntool",
  tar: "tar",
  unsquashfs: "squashfs-tools",
  xz: "xz-utils",
} as const satisfies Readonly<Record<string, string>>;

/** A program that is called. */
export type Tool = keyof typeof TOOLS;

/** Something this machine lacks, or a tool that failed, told in a sentence for the person who asked. */
export class ImageFailure extends Error {
  override readonly name = "ImageFailure";
}

/** Where a tool is; undefined when it is not installed. */
function findTool(tool: Tool): string | undefined {
  return TOOL_PATH.split(":")
    .map((folder) => join(folder, tool))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error; // file errors carry a code
    return false;
  }
}

/** The Debian packages that bring those of the tools that are not here, sorted. */
export function missingPackages(tools: readonly Tool[], find: (tool: Tool) => string | undefined = findTool): readonly string[] {
  const missing = tools.filter((tool) => find(tool) === undefined).map((tool) => TOOLS[tool]);
  return [...new Set(missing)].sort();
}

/**
 * Checks that the tools are here.
 *
 * @param task what they are for, e.g. "build an image"
 * @throws ImageFailure naming every missing package in one sentence
 */
export function requireTools(task: string, tools: readonly Tool[]): void {
  const missing = missingPackages(tools);
  if (missing.length > 0)
    throw new ImageFailure(`expected the tools to ${task}, of which some are missing; on Debian: apt-get install ${missing.join(" ")}`);
}

/** How a tool is run. */
export type ToolOptions = {
  readonly cwd?: string;
  /** Variables beyond the fixed ones. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What it reads. */
  readonly input?: Uint8Array;
};

/**
 * The moment that every file of an image bears, in seconds since 1970: 2026-01-01. Fixed, so that equal contents give
 * equal images and an update carries no times.
 */
export const IMAGE_EPOCH_SECONDS = 1_767_225_600;

/**
 * Runs a tool to its end.
 *
 * Its environment is fixed: no locale, no time zone, no time of today for those that know how to be told one.
 *
 * @returns what it printed
 * @throws ImageFailure with what it said when it fails
 */
export async function runTool(tool: Tool, words: readonly string[], options: ToolOptions = {}): Promise<Uint8Array> {
  const { code, out, said } = await tryTool(tool, words, options);
  if (code === 0) return out;
  throw new ImageFailure(`${tool} failed (exit code ${code}): ${said === "" ? "it said nothing" : said}`);
}

/** Runs a tool to its end, whatever comes of it. */
export async function tryTool(
  tool: Tool,
  words: readonly string[],
  options: ToolOptions = {},
): Promise<{ readonly code: number; readonly out: Uint8Array; readonly said: string }> {
  const path = findTool(tool);
  if (path === undefined) throw new ImageFailure(`expected the tool ${tool}; on Debian: apt-get install ${TOOLS[tool]}`);
  const seconds = String(IMAGE_EPOCH_SECONDS);
  const child = Bun.spawn([path, ...words], {
    stdin: options.input ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { PATH: TOOL_PATH, LC_ALL: "C", TZ: "UTC", SOURCE_DATE_EPOCH: seconds, E2FSPROGS_FAKE_TIME: seconds, ...options.environment },
  });
  const [out, said] = await Promise.all([new Response(child.stdout).bytes(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, said: said.trim().slice(-1_000) };
}

/**
 * Runs a tool that reads what another prints.
 *
 * @throws ImageFailure when either fails
 */
export async function runPiped(from: readonly [Tool, ...string[]], into: readonly [Tool, ...string[]]): Promise<void> {
  const environment = { PATH: TOOL_PATH, LC_ALL: "C" };
  const [source, sink] = [findTool(from[0]), findTool(into[0])];
  if (source === undefined || sink === undefined) throw new ImageFailure(`expected the tools ${from[0]} and ${into[0]}`);
  const first = Bun.spawn([source, ...from.slice(1)], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: environment });
  const second = Bun.spawn([sink, ...into.slice(1)], { stdin: first.stdout, stdout: "ignore", stderr: "pipe", env: environment });
  const said = await Promise.all([first, second].map((child) => new Response(child.stderr).text()));
  const codes = await Promise.all([first.exited, second.exited]);
  if (codes.some((code) => code !== 0)) throw new ImageFailure(`${from[0]} | ${into[0]} failed: ${said.join(" ").trim().slice(-1_000)}`);
}
