/** The validator of schemas brings its messages in some fifty languages, in two module formats; the node speaks one. */
import type { BunPlugin } from "bun";

const LANGUAGES = /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.(js|cjs)$/;

/** Makes the bundle carry zod's English messages alone: 1.4 MB less of the binary. */
export function oneLanguage(): BunPlugin {
  return {
    name: "one-language",
    setup(build) {
      build.onLoad({ filter: LANGUAGES }, ({ path }) => {
        const contents = path.endsWith(".cjs")
          ? `exports.en = require("./en.cjs").default;\n`
          : `export { default as en } from "./en.js";\n`;
        return { contents, loader: "js" };
      });
    },
  };
}
