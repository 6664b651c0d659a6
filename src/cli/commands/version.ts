import { VERSION } from "../../node/index.ts";
import type { Command } from "../command.ts";

/** `bizra version`: what this binary is. */
export const version: Command = {
  name: "version",
  summary: "Shows version, commit, runtime and platform of this binary.",
  flags: {},
  run(_input, terminal) {
    terminal.result(VERSION, () => `bizra ${VERSION.version} (${VERSION.commit}), ${VERSION.runtime}, ${VERSION.platform}`);
    return Promise.resolve(0);
  },
};
