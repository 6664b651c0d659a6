import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../hashes.ts";
import type { Architecture } from "../layout/partitions.ts";
import { ImageFailure, runTool } from "../tools.ts";
import { type DebianPackage, type PackageLock, parseControl } from "./control.ts";
import { fetchSettings, type Mirror } from "./mirror.ts";
import { SUITE } from "./package-sets.ts";

/** Debian's keys, by which apt checks what it fetches. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A package in the cache. */
export type FetchedPackage = DebianPackage & { readonly path: string };

/** A version of a package that apt has chosen. */
type Choice = { readonly name: string; readonly version: string; readonly architecture: string };

/**
 * Debian's packages for one architecture, through an apt of its own: own lists, own cache, no package counts as installed.
 * Needs no root and leaves the machine's apt alone. Signatures and hashes are checked by apt.
 */
export class DebianArchive {
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #lock: PackageLock | undefined;

  private constructor(folder: string, lock: PackageLock | undefined) {
    this.#folder = folder;
    this.#environment = { APT_CONFIG: join(folder, "apt.conf"), DEBIAN_FRONTEND: "noninteractive" };
    this.#lock = lock;
  }

  /**
   * Opens the archive and fetches its lists.
   *
   * @param cache folder that is kept between builds; downloads in it are used again
   * @param lock versions to take instead of the newest
   * @param more further sources, as "SUITE COMPONENT"; for them alone a list that has expired is good enough
   * @throws ImageFailure when the lists cannot be fetched
   */
  static async open(
    cache: string,
    architecture: Architecture,
    mirror: Mirror,
    lock?: PackageLock,
    more: readonly string[] = [],
  ): Promise<DebianArchive> {
    if (!existsSync(KEYRING)) throw new ImageFailure(`expected Debian's keys at ${KEYRING}; apt-get install debian-archive-keyring`);
    const folder = join(cache, `${SUITE}-${architecture}`);
    for (const part of ["state/lists/partial", "cache/archives/partial", "etc", "debs"]) mkdirSync(join(folder, part), { recursive: true });
    writeFileSync(join(folder, "state/status"), "");
    const source = (address: string, rest: string, words = ""): string => `deb [signed-by=${KEYRING}${words}] ${address} ${rest}\n`;
    const main = source(mirror.main, `${SUITE} main`) + source(mirror.security, `${SUITE}-security main`);
    const further = more.map((rest) => source(mirror.main, rest, " check-valid-until=no"));
    writeFileSync(join(folder, "sources.list"), main + further.join(""));
    writeFileSync(join(folder, "apt.conf"), `${await fetchSettings()}${aptSettings(folder, architecture)}`);
    const archive = new DebianArchive(folder, lock);
    await archive.#apt(["apt-get", "-q", "update"]);
    return archive;
  }

  /** Packages with everything that they depend on, in the cache. */
  async fetchWithDependencies(names: readonly string[]): Promise<readonly FetchedPackage[]> {
    const locked = new Map(this.#lock?.packages.map(({ name, version }) => [name, version]));
    const wanted = names.map((name) => (locked.has(name) ? `${name}=${locked.get(name)}` : name));
    const out = await this.#apt(["apt-get", "-q", "-s", "install", ...wanted]);
    return this.#fetch(readChoices(out));
  }

  /** One package alone. */
  async fetchAlone(name: string): Promise<FetchedPackage> {
    const [fetched] = await this.#fetch([await this.#candidate(name)]);
    if (fetched === undefined) throw new ImageFailure(`expected the package ${name} in Debian ${SUITE}`);
    return fetched;
  }

  /** The one package that an otherwise empty package depends on. */
  async dependencyOf(name: string): Promise<string> {
    const out = await this.#apt(["apt-cache", "depends", "--important", name]);
    const found = /^ *Depends: (\S+)$/m.exec(out)?.[1];
    if (found === undefined) throw new ImageFailure(`expected ${name} of Debian ${SUITE} to depend on a kernel`);
    return found;
  }

  async #candidate(name: string): Promise<Choice> {
    const locked = this.#lock?.packages.find((entry) => entry.name === name);
    if (locked !== undefined) return locked;
    const out = await this.#apt(["apt-cache", "show", "--no-all-versions", name]);
    const shown = parseControl(out, "");
    if (shown === undefined) throw new ImageFailure(`expected the package ${name} in Debian ${SUITE}`);
    return shown;
  }

  /** Fetches what the cache lacks, whole or not at all. */
  async #fetch(choices: readonly Choice[]): Promise<readonly FetchedPackage[]> {
    const pathOf = ({ name, version, architecture }: Choice): string =>
      join(this.#folder, "debs", `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`);
    const missing = choices.filter((choice) => !existsSync(pathOf(choice)));
    if (missing.length > 0) {
      const incoming = mkdtempSync(join(this.#folder, "incoming-"));
      try {
        await this.#apt(["apt-get", "-q", "download", ...missing.map(({ name, version }) => `${name}=${version}`)], incoming);
        for (const choice of missing) renameSync(pathOf(choice).replace(join(this.#folder, "debs"), incoming), pathOf(choice));
      } finally {
        rmSync(incoming, { recursive: true, force: true });
      }
    }
    const fetched: FetchedPackage[] = [];
    for (const choice of choices) {
      const path = pathOf(choice);
      const control = new TextDecoder().decode(await runTool("dpkg-deb", ["--field", path]));
      const described = parseControl(control, sha256Hex(readFileSync(path)));
      if (described?.name !== choice.name || described.version !== choice.version)
        throw new ImageFailure(`expected ${choice.name} ${choice.version} in ${path}, which holds something else; remove the file`);
      fetched.push({ ...described, path });
    }
    return fetched;
  }

  async #apt([tool, ...words]: readonly ["apt-get" | "apt-cache", ...string[]], cwd = this.#folder): Promise<string> {
    return new TextDecoder().decode(await runTool(tool, words, { cwd, environment: this.#environment }));
  }
}

/** The configuration of an apt that has nothing to do with the machine's own. */
function aptSettings(folder: string, architecture: Architecture): string {
  const directories = {
    Dir: folder,
    "Dir::State": "state",
    "Dir::State::status": join(folder, "state/status"),
    "Dir::Cache": "cache",
    "Dir::Etc": "etc",
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::parts": "/dev/null",
    "Dir::Etc::main": "/dev/null",
    "Dir::Etc::trusted": "/dev/null",
    "Dir::Etc::trustedparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "APT::Architecture": architecture,
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "20",
  };
  const lines = Object.entries(directories).map(([name, value]) => `${name} "${value}";`);
  return `${lines.join("\n")}\n#clear APT::Architectures;\nAPT::Architectures { "${architecture}"; };\n`;
}

/** The versions that a simulated installation says it would install: "Inst bash (5.2-2 Debian:13/stable [amd64])". */
export function readChoices(simulation: string): readonly Choice[] {
  return [...simulation.matchAll(/^Inst (\S+) \((\S+) .*\[(\w+)\]\)/gm)].flatMap(([, name, version, architecture]) =>
    name === undefined || version === undefined || architecture === undefined
      ? []
      : [{ name: name.replace(/:.*$/, ""), version, architecture }],
  );
}
