import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** Enters a mount namespace of its own without being root. */
const UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"] as const;

/** Why this machine cannot make a small disk for a test, or undefined when it can. */
export function findObstacle(): string | undefined {
  if (process.platform !== "linux") return "mount namespaces are Linux's";
  if (Bun.which("unshare") === null || Bun.which("nsenter") === null) return "unshare and nsenter (util-linux) are not installed";
  const tried = Bun.spawnSync([...UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdout: "ignore", stderr: "pipe" });
  return tried.exitCode === 0 ? undefined : `a mount in a namespace of its own is not permitted: ${tried.stderr.toString().trim()}`;
}

/**
 * A disk of a few megabytes that only its own processes have mounted. It goes with the process that holds the namespace,
 * whatever becomes of the test.
 */
export class TinyDisk {
  readonly #holder: Bun.Subprocess<"pipe", "pipe", "inherit">;
  /** Where its processes see it. */
  readonly inside: string;
  /** The same folder as this process sees it. */
  readonly outside: string;

  private constructor(holder: Bun.Subprocess<"pipe", "pipe", "inherit">, inside: string) {
    this.#holder = holder;
    this.inside = inside;
    this.outside = `/proc/${holder.pid}/root${inside}`;
  }

  /** Makes one, mounted at this path. The holder ends when its input does, which is when this process ends. */
  static async make(path: string, sizeBytes: number): Promise<TinyDisk> {
    mkdirSync(path, { recursive: true });
    const script = 'mount -t tmpfs -o size="$1",mode=700 tmpfs "$2" && echo mounted && exec cat';
    const words = [...UNSHARE, "sh", "-c", script, "sh", String(sizeBytes), path];
    const holder = Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit", env: cleanEnvironment() });
    const first = await holder.stdout.getReader().read();
    if (!new TextDecoder().decode(first.value).startsWith("mounted")) throw new Error("the small disk could not be mounted");
    return new TinyDisk(holder, path);
  }

  /** The words that run the binary where the disk is mounted. */
  get command(): readonly string[] {
    return ["nsenter", "--user", "--mount", "--preserve-credentials", "-t", String(this.#holder.pid), BINARY];
  }

  /** Bytes that are free. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.outside);
    return bavail * bsize;
  }

  /** Takes up space until only this much is free, or none when others write meanwhile. */
  fill(leaveBytes: number): void {
    const path = join(this.outside, "ballast");
    const held = existsSync(path) ? Bun.file(path).size : 0;
    try {
      writeFileSync(path, new Uint8Array(Math.max(0, held + this.freeBytes - leaveBytes)));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error; // full, as was wanted
    }
  }

  /** Gives the space back. */
  free(): void {
    rmSync(join(this.outside, "ballast"), { force: true });
  }

  /** Lets it go with all that is on it. */
  async kill(): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}
