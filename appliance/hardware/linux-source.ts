import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Timers } from "../../src/kernel/index.ts";
import type { HardwareSource } from "./types.ts";

/** A program that looks at hardware may take so long; a broken disk can hold one up. */
const PROGRAM_LIMIT_MS = 10_000;
const TEXT_MAX = 262_144;

/** This machine, or another root of files in tests. */
export function linuxSource(timers: Timers, root = "/"): HardwareSource {
  return {
    text: (path) => attempt(() => readFileSync(join(root, path), "utf8").slice(0, TEXT_MAX), ""),
    list: (path) => attempt(() => readdirSync(join(root, path)).sort(), []),
    run: (words) => run(words, timers),
  };
}

async function run(words: readonly string[], timers: Timers): Promise<string | undefined> {
  const [program = ""] = words;
  const path = Bun.which(program) ?? Bun.which(program, { PATH: "/usr/sbin:/sbin:/usr/bin:/bin:/opt/vc/bin" });
  if (path === null) return undefined;
  const child = Bun.spawn([path, ...words.slice(1)], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  let isLate = false;
  const cancel = timers.after(PROGRAM_LIMIT_MS, () => {
    isLate = true;
    child.kill("SIGKILL");
  });
  const text = await new Response(child.stdout).text();
  cancel();
  return isLate ? undefined : text;
}

/** What files answer on a machine that has no such part, or that hides or cannot read it now. */
const UNAVAILABLE = [
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "EINVAL",
  "EIO",
  "ENODEV",
  "ENXIO",
  "ENODATA",
  "EAGAIN",
  "EBUSY",
  "ETIMEDOUT",
  "EISDIR",
];

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && UNAVAILABLE.includes(String(error.code))) return otherwise;
    throw error;
  }
}
