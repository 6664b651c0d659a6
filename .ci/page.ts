/**
 * The pages of the binary, bundled for browsers and packed into it, so that it serves them from nowhere but itself: the page
 * for visitors (src/gateway/page), the fleet's console (sync/aggregator/console) and the page of a box (appliance/console/page).
 */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { BunPlugin } from "bun";
import { projectRoot, SetupError } from "./toolchain.mjs";

/** The files of a page by their path, each compressed by gzip and written in base64, and the script's compressed size. */
export type PageBundle = { readonly files: Readonly<Record<string, string>>; readonly scriptBytes: number };

/** Every page of the binary. */
export type PageBundles = { readonly visitors: PageBundle; readonly console: PageBundle; readonly box: PageBundle };

type PagePlan = {
  readonly folder: string;
  /** Where its three files are served, and the markup's and style sheet's names in the folder. */
  readonly markup: readonly [path: string, file: string];
  readonly styles: readonly [path: string, file: string];
  readonly script: string;
  /** The script's compressed size at most. */
  readonly scriptBytesMax: number;
};

/** Two seconds over a link of 750 kbit/s. libp2p and the verifier are 150 KiB of it. */
const VISITORS: PagePlan = {
  folder: join(projectRoot, "src", "gateway", "page"),
  markup: ["/try", "page.html"],
  styles: ["/try/page.css", "page.css"],
  script: "/try/page.js",
  scriptBytesMax: 192 * 1024,
};

/** The verifier of records and signatures is most of it. */
const CONSOLE: PagePlan = {
  folder: join(projectRoot, "sync", "aggregator", "console"),
  markup: ["/", "console.html"],
  styles: ["/console.css", "console.css"],
  script: "/console.js",
  scriptBytesMax: 64 * 1024,
};

/** A page for a phone beside the box, which has time. */
const BOX: PagePlan = {
  folder: join(projectRoot, "appliance", "console", "page"),
  markup: ["/", "box.html"],
  styles: ["/box.css", "box.css"],
  script: "/box.js",
  scriptBytesMax: 32 * 1024,
};

/** What every style sheet begins with: colours, and what all pages say alike. */
const BASE_STYLES = join(projectRoot, "src", "page", "base.css");

/** The modules that the build fills in, and what each exports. */
const HOLDERS = {
  visitors: { filter: /src[\\/]gateway[\\/]page-files\.ts$/, name: "pageFiles" },
  console: { filter: /sync[\\/]aggregator[\\/]fleet[\\/]console-files\.ts$/, name: "consoleFiles" },
  box: { filter: /appliance[\\/]console[\\/]page-files\.ts$/, name: "boxPageFiles" },
} as const;

/**
 * Bundles the pages. Equal inputs give equal bytes.
 *
 * @throws SetupError when one does not compile, reaches for a module that no browser has, or is too large
 */
export async function bundlePages(): Promise<PageBundles> {
  return { visitors: await bundle(VISITORS), console: await bundle(CONSOLE), box: await bundle(BOX) };
}

async function bundle({ folder, markup, styles, script: scriptPath, scriptBytesMax }: PagePlan): Promise<PageBundle> {
  const built = await Bun.build({
    entrypoints: [join(folder, "main.ts")],
    target: "browser",
    format: "esm",
    minify: true,
    sourcemap: "none",
    env: "disable",
    throw: false,
  });
  const [output] = built.outputs;
  if (!built.success || output === undefined || built.outputs.length !== 1) {
    throw new SetupError(`The page ${folder} does not compile:\n${built.logs.map(({ message }) => message).join("\n")}`);
  }
  const script = pack(await output.text());
  if (script.length > scriptBytesMax) {
    throw new SetupError(
      `The script of ${folder} has ${script.length} bytes compressed, at most ${scriptBytesMax} are wanted; see what it imports.`,
    );
  }
  const textOf = (path: string): Promise<string> => Bun.file(path).text();
  const packText = (text: string): string => pack(text).toString("base64");
  const files = {
    [markup[0]]: packText(await textOf(join(folder, markup[1]))),
    [styles[0]]: packText((await textOf(BASE_STYLES)) + (await textOf(join(folder, styles[1])))),
    [scriptPath]: script.toString("base64"),
  };
  return { files, scriptBytes: script.length };
}

/** Makes the binary carry the pages. */
export function pagesInside(bundles: PageBundles): BunPlugin {
  return {
    name: "pages",
    setup(build) {
      for (const key of ["visitors", "console", "box"] as const) {
        const { filter, name } = HOLDERS[key];
        const contents = `export const ${name} = ${JSON.stringify(bundles[key].files)};\n`;
        build.onLoad({ filter }, () => ({ contents, loader: "js" }));
      }
    },
  };
}

function pack(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}
