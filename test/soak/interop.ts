import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXPECTED_VIEW, OUTSIDE_PEERS, seenBy } from "../integration/network/outside-peers.ts";
import type { Soak } from "./soak.ts";

/** Builds a go-libp2p peer, which takes a minute and Go's module registry, and lets it talk to a node. */
export const interopSoak: Soak = {
  name: "interop",
  summary: "a go-libp2p peer dials, identifies, pings and fetches a final block and a proof (needs Go)",
  options: {},
  run: async () => {
    if (Bun.which("go") === null) return ["skipped: there is no `go` on this machine's path"];
    const folder = mkdtempSync(join(tmpdir(), "bizra-interop-"));
    try {
      const peer = join(folder, "peer");
      const build = Bun.spawn(["go", "build", "-o", peer, "."], { cwd: join(OUTSIDE_PEERS, "go"), stdout: "inherit", stderr: "inherit" });
      if ((await build.exited) !== 0) return ["the go-libp2p peer does not build; its modules must be reachable"];
      const view = await seenBy([peer]);
      console.log(JSON.stringify(view));
      return Object.entries(EXPECTED_VIEW)
        .filter(([name, expected]) => view[name as keyof typeof EXPECTED_VIEW] !== expected)
        .map(([name, expected]) => `${name}: expected ${expected}, got ${view[name as keyof typeof EXPECTED_VIEW]}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
