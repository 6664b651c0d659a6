/** Debian packages that a test needs: installed where there is apt-get and the right to use it. */
import { tmpdir } from "node:os";
import { join } from "node:path";

const INSTALL_LIMIT_MS = 280_000;
/** An archive that does not answer soon is not waited for. */
const APT = ["-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15", "-o", "Acquire::Retries=1"] as const;

/** Test files that run beside each other install one after another: apt-get does not wait for another one. */
const ONE_AT_A_TIME = Bun.which("flock") === null ? [] : ["flock", join(tmpdir(), "bizra-test-packages.lock")];

/** Installs packages; a sentence saying why they cannot be had, or undefined when they are there. */
export async function installPackages(packages: readonly string[]): Promise<string | undefined> {
  if (Bun.which("apt-get") === null || process.getuid?.() !== 0) {
    return `no right to install it: as root, \`apt-get install ${packages.join(" ")}\``;
  }
  const install = ["apt-get", ...APT, "install", "-y", "--no-install-recommends", ...packages];
  const fault = (await run(install)) && ((await run(["apt-get", ...APT, "update"])) ?? (await run(install)));
  return fault && `apt-get could not install it: ${fault}`;
}

/** Runs a command; what it said when it failed. */
async function run(words: readonly string[]): Promise<string | undefined> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = Bun.spawn([...ONE_AT_A_TIME, ...words], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env,
    timeout: INSTALL_LIMIT_MS,
  });
  const said = await new Response(child.stderr).text();
  return (await child.exited) === 0 ? undefined : said.trim().slice(-500) || `${words.join(" ")} failed`;
}
