/**
 * The device package (src/device) as one file, dist/bizra-device.js: an ES module for Node 20 and later, browsers and Bun,
 * with everything it needs inside.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { projectRoot, SetupError } from "./toolchain.mjs";

/** Where the build puts it. */
export const DEVICE_BUNDLE = join(projectRoot, "dist", "bizra-device.js");
/** Its compressed size at most. The schemas of the genesis document are nearly half of it, the cryptography a quarter. */
const COMPRESSED_BYTES_MAX = 80 * 1024;

/**
 * Bundles the package. Equal inputs give equal bytes; it appears at `outfile` complete or not at all.
 *
 * @returns its size, plain and compressed
 * @throws SetupError when it does not compile, reaches for a module that not every platform has, or is too large
 */
export async function bundleDevice(outfile = DEVICE_BUNDLE): Promise<{ readonly bytes: number; readonly compressedBytes: number }> {
  const built = await Bun.build({
    entrypoints: [join(projectRoot, "src", "device", "index.ts")],
    target: "browser",
    format: "esm",
    minify: true,
    sourcemap: "none",
    env: "disable",
    throw: false,
  });
  const [output] = built.outputs;
  if (!built.success || output === undefined || built.outputs.length !== 1) {
    throw new SetupError(`The device package does not compile:\n${built.logs.map(({ message }) => message).join("\n")}`);
  }
  const text = await output.text();
  const compressedBytes = gzipSync(text, { level: 9 }).length;
  if (compressedBytes > COMPRESSED_BYTES_MAX) {
    throw new SetupError(`The device package has ${compressedBytes} bytes compressed, at most ${COMPRESSED_BYTES_MAX} are wanted.`);
  }
  mkdirSync(dirname(outfile), { recursive: true });
  const partial = `${outfile}.partial-${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, outfile);
  return { bytes: Buffer.byteLength(text), compressedBytes };
}
