import { ImageFailure, runTool } from "../tools.ts";

/** Where packages come from. */
export type Mirror = { readonly main: string; readonly security: string };

/** One line of what apt says it is configured with. */
const INDEX_FORMAT = "$(REPO_URI) $(RELEASE)";

/**
 * The mirror that this machine's own apt uses, so that an operator's choice, a cache or a proxy holds for images too.
 *
 * @throws ImageFailure when apt is configured with no Debian release and its security updates
 */
export async function findMirror(): Promise<Mirror> {
  const out = await runTool("apt-get", ["indextargets", "--format", INDEX_FORMAT, "Created-By: Packages"]);
  const found = chooseMirror(new TextDecoder().decode(out));
  if (found !== undefined) return found;
  throw new ImageFailure(
    "expected this machine's apt to know a mirror of a Debian release and of its security updates; give --mirror URL and --security-mirror URL",
  );
}

/** Chooses the release that has security updates beside it among lines of "address release". */
export function chooseMirror(listing: string): Mirror | undefined {
  const targets = listing.split("\n").flatMap((line) => {
    const [address, release] = line.trim().split(" ");
    return address && release ? [{ address, release }] : [];
  });
  for (const { address: security, release } of targets) {
    if (!release.endsWith("-security")) continue;
    const main = targets.find((target) => target.release === release.slice(0, -"-security".length));
    if (main !== undefined) return { main: main.address, security };
  }
  return undefined;
}

/** This machine's settings of how to fetch, its proxies among them, in the words of an apt configuration. */
export async function fetchSettings(): Promise<string> {
  const dumps = await Promise.all(["Acquire::http", "Acquire::https"].map((scope) => runTool("apt-config", ["dump", scope])));
  return dumps.map((dump) => new TextDecoder().decode(dump)).join("");
}
