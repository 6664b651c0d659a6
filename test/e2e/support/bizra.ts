/** Runs the compiled binary as its user would. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** The compiled binary; E2E_BINARY names another one to put to the test. */
export const BINARY = resolve(process.env["E2E_BINARY"] ?? resolve(import.meta.dir, "../../../dist/bizra"));
if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: run \`bun run build\` first`);

/** A command that takes longer hangs. */
const COMMAND_LIMIT_MS = 180_000;

/** What a finished command printed. */
export type Finished = { readonly code: number; readonly out: string; readonly err: string };

/** The environment without settings of whoever runs the tests. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("BIZRA_") && !name.startsWith("BUN_"));
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...extra };
}

/** Runs a command to its end; one that hangs is killed and reported with what it printed. */
async function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(environment) });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, COMMAND_LIMIT_MS);
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(limit);
  if (isLate) throw new Error(`${words.join(" ")} did not end within ${COMMAND_LIMIT_MS} ms: ${err}${out}`);
  return { code, out, err };
}

/** Runs the binary to its end. */
export function bizra(...words: readonly string[]): Promise<Finished> {
  return run([BINARY, ...words]);
}

/** As `bizra`, parsing the single JSON line it prints; throws with what it said when it fails. */
export async function bizraJson(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await bizra(...words, "--json");
  if (code !== 0) throw new Error(`bizra ${words.join(" ")} failed with ${code}: ${err}${out}`);
  return lastJson(out);
}

/** The last line of an output, read as JSON. */
export function lastJson(out: string): Record<string, unknown> {
  return JSON.parse(out.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

/** Demo network made by `bizra testnet`. */
export type Testnet = {
  readonly genesis: string;
  readonly hash: Buffer;
  readonly homes: readonly string[];
  readonly accounts: Readonly<Record<string, string>>;
};

/** Makes homes under a directory; `words` are more flags of `bizra testnet`. */
export async function makeTestnet(directory: string, validators = 1, words: readonly string[] = []): Promise<Testnet> {
  const made = (await bizraJson("testnet", "--validators", String(validators), "--out", directory, ...words)) as {
    genesis: string;
    hash: string;
    homes: string[];
    accounts: { name: string; key: string }[];
  };
  const accounts = Object.fromEntries(made.accounts.map((a) => [a.name, a.key]));
  return { genesis: made.genesis, hash: Buffer.from(made.hash, "hex"), homes: made.homes, accounts };
}

/** The home of a network of one. */
export function homeOf(net: Testnet): string {
  const [home] = net.homes;
  if (home === undefined) throw new Error("the network has no home");
  return home;
}
