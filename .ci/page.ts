/**
 * The page for visitors (src/gateway/page), bundled for browsers and packed into the binary, so that a node serves it from
 * nowhere but itself.
 */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { BunPlugin } from "bun";
import { projectRoot, SetupError } from "./toolchain.mjs";

/** The files of the page by their path on the node, each compressed by gzip and written in base64, and the script's compressed size. */
export type PageBundle = { readonly files: Readonly<Record<string, string>>; readonly scriptBytes: number };

const FOLDER = join(projectRoot, "src", "gateway", "page");
/** The module that the build fills in. */
const HOLDER = /src[\\/]gateway[\\/]page-files\.ts$/;
/** The script's compressed size at most: two seconds over a link of 750 kbit/s. libp2p and the verifier are 150 KiB of it. */
const SCRIPT_BYTES_MAX = 192 * 1024;

/**
 * Bundles the page. Equal inputs give equal bytes.
 *
 * @throws SetupError when it does not compile, reaches for a module that no browser has, or is too large
 */
export async function bundlePage(): Promise<PageBundle> {
  const built = await Bun.build({
    entrypoints: [join(FOLDER, "main.ts")],
    target: "browser",
    format: "esm",
    minify: true,
    sourcemap: "none",
    env: "disable",
    throw: false,
  });
  const [output] = built.outputs;
  if (!built.success || output === undefined || built.outputs.length !== 1) {
    throw new SetupError(`The page does not compile:\n${built.logs.map(({ message }) => message).join("\n")}`);
  }
  const script = pack(await output.text());
  if (script.length > SCRIPT_BYTES_MAX) {
    throw new SetupError(
      `The page's script has ${script.length} bytes compressed, at most ${SCRIPT_BYTES_MAX} are wanted; see what it imports.`,
    );
  }
  const files = {
    "/try": pack(await Bun.file(join(FOLDER, "page.html")).text()).toString("base64"),
    "/try/page.css": pack(await Bun.file(join(FOLDER, "page.css")).text()).toString("base64"),
    "/try/page.js": script.toString("base64"),
  };
  return { files, scriptBytes: script.length };
}

/** Makes the binary carry the page. */
export function pageInside({ files }: PageBundle): BunPlugin {
  return {
    name: "page",
    setup(build) {
      build.onLoad({ filter: HOLDER }, () => ({ contents: `export const pageFiles = ${JSON.stringify(files)};\n`, loader: "js" }));
    },
  };
}

function pack(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}
