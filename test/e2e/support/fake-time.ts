import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Debian's package with the library that shifts the clock of one process. */
const PACKAGE = "libfaketime";
const LIBRARY = "libfaketime.so.1";
/** Where systems that have it installed keep it. */
const INSTALLED = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"] as const;

/** Seconds after which a process looks at the shift again. */
const LOOK_EVERY_S = 1;

/** A wall clock that can be set for one process while it runs. Its monotonic clock goes on as it is. */
export class FakeTime {
  readonly #library: string;
  readonly #file: string;

  private constructor(library: string, folder: string) {
    this.#library = library;
    this.#file = join(folder, "shift");
    this.shift("+0");
  }

  /**
   * Finds the library, or fetches its package into a folder without installing anything.
   *
   * @returns the reason, in words, where this machine can do neither
   */
  static in(folder: string): FakeTime | string {
    mkdirSync(folder, { recursive: true });
    const library = INSTALLED.map((place) => join(place, LIBRARY)).find((path) => existsSync(path)) ?? fetchLibrary(folder);
    return library === undefined
      ? `there is no ${LIBRARY} on this machine, and apt-get cannot fetch the package ${PACKAGE}`
      : new FakeTime(library, folder);
  }

  /** What a process needs in its environment. */
  get environment(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: String(LOOK_EVERY_S),
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
  }

  /** Sets the clock by so much, such as `-365d`; the process notices within a second or two. */
  shift(by: string): void {
    writeFileSync(this.#file, `${by}\n`);
  }
}

function fetchLibrary(folder: string): string | undefined {
  if (Bun.which("apt-get") === null || Bun.which("dpkg") === null) return undefined;
  const quiet = { cwd: folder, stdout: "ignore", stderr: "ignore", timeout: 120_000 } as const;
  if (Bun.spawnSync(["apt-get", "download", PACKAGE], quiet).exitCode !== 0) return undefined;
  const file = readdirSync(folder).find((name) => name.startsWith(PACKAGE) && name.endsWith(".deb"));
  if (file === undefined || Bun.spawnSync(["dpkg", "-x", file, "."], quiet).exitCode !== 0) return undefined;
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .find((path) => path.endsWith(`/${LIBRARY}`));
}
