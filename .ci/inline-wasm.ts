/** The Kafka client reads its WebAssembly from a file beside its code, which a binary does not have. */
import type { BunPlugin } from "bun";

const ENTRY = /[\\/]@platformatic[\\/]wasm-utils[\\/]dist[\\/]index\.js$/;

/** Takes the edition of the package that carries its WebAssembly as text. */
export function inlineWasm(): BunPlugin {
  return {
    name: "inline-wasm",
    setup(build) {
      build.onLoad({ filter: ENTRY }, () => ({ contents: `export * from "./bundled.js";\n`, loader: "js" }));
    },
  };
}
