import { closeSync, existsSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { decodeGpt, PRIMARY_BYTES } from "../layout/gpt.ts";
import { DISK_ID, SECTOR_BYTES } from "../layout/partitions.ts";
import { readPart } from "./raw-image.ts";

/** What there is to know of a disk before it is written. */
export type TargetFacts = {
  readonly path: string;
  readonly kind: "disk" | "partition" | "file" | "absent" | "other";
  readonly bytes: number;
  readonly isReadOnly: boolean;
  /** Where it or one of its partitions is mounted, or what else uses it, such as swap or a volume group. */
  readonly uses: readonly string[];
  /** Its first bytes, by which what it holds is known. */
  readonly start: Uint8Array;
};

/**
 * Why a disk is not written, as a sentence; undefined when nothing speaks against it. A box's own image from before may be
 * written over; anything else with partitions only when its owner says so.
 *
 * @param neededBytes of the image
 * @param mayErase whether whoever asks has said that what the disk holds may go
 */
export function refusalOf(facts: TargetFacts, neededBytes: number, mayErase: boolean): string | undefined {
  const { path, kind, bytes, isReadOnly, uses, start } = facts;
  if (kind === "partition") return `${path} is a partition; give the whole disk`;
  if (kind === "other") return `${path} is neither a disk nor a file`;
  const [use] = uses;
  if (use !== undefined) return `${path} is in use (${use}); unmount it first, if it is the right disk`;
  if (isReadOnly) return `${path} is write-protected`;
  if (kind === "disk" && bytes < neededBytes) return `${path} has ${bytes} bytes, the image needs ${neededBytes}`;
  if (mayErase || kind === "absent") return undefined;
  const held = describeContent(start, bytes);
  return held === undefined ? undefined : `${path} holds ${held}; if all of it may be erased, say --erase`;
}

/** What a disk holds, in words; undefined when it is empty or holds an image of a box. */
function describeContent(start: Uint8Array, diskBytes: number): string | undefined {
  const gpt = decodeGpt(start, undefined, Math.max(diskBytes, start.length));
  if (gpt.ok) {
    if (gpt.value.diskId === DISK_ID) return undefined;
    const labels = gpt.value.entries.map(({ label }) => label || "unnamed");
    return labels.length === 0 ? undefined : `${labels.length} partitions (${labels.slice(0, 4).join(", ")})`;
  }
  const hasRecord = start.length >= SECTOR_BYTES && start[510] === 0x55 && start[511] === 0xaa;
  if (hasRecord) return "partitions or a file system";
  return start.every((byte) => byte === 0) ? undefined : "something that is not ours";
}

/**
 * Looks at a disk of this machine.
 *
 * @param root where the kernel's file systems are; another place in tests
 */
export function lookAt(path: string, root = "/"): TargetFacts {
  if (!existsSync(path)) return { path, kind: "absent", bytes: 0, isReadOnly: false, uses: [], start: new Uint8Array() };
  const real = realpathSync(path);
  const stat = statSync(real);
  const name = basename(real);
  const block = join(root, "sys/class/block", name);
  if (stat.isFile()) {
    return {
      path,
      kind: "file",
      bytes: stat.size,
      isReadOnly: (stat.mode & 0o222) === 0,
      uses: loopUses(real, root),
      start: startOf(real),
    };
  }
  if (!stat.isBlockDevice()) return { path, kind: "other", bytes: 0, isReadOnly: false, uses: [], start: new Uint8Array() };
  const uses = blockUses(block, name, root);
  const sectors = Number(readFileSync(join(block, "size"), "utf8"));
  return {
    path,
    kind: existsSync(join(block, "partition")) ? "partition" : "disk",
    bytes: sectors * SECTOR_BYTES,
    isReadOnly: readFileSync(join(block, "ro"), "utf8").trim() === "1",
    uses,
    start: uses.length > 0 ? new Uint8Array() : startOf(real), // what is in use is refused whatever it holds
  };
}

function startOf(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    return readPart(file, 0, PRIMARY_BYTES);
  } finally {
    closeSync(file);
  }
}

/** Who uses a disk or its partitions: mounts, swap, and devices built upon it. */
export function blockUses(block: string, name: string, root: string): readonly string[] {
  const parts = existsSync(block) ? readdirSync(block).filter((entry) => existsSync(join(block, entry, "partition"))) : [];
  const devices = [{ folder: block, name }, ...parts.map((part) => ({ folder: join(block, part), name: part }))];
  const numbers = new Map(devices.map(({ folder, name: device }) => [readFileSync(join(folder, "dev"), "utf8").trim(), device]));
  const mounts = readFileSync(join(root, "proc/self/mountinfo"), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, , number, , place] = line.split(" ");
      const device = number === undefined ? undefined : numbers.get(number);
      return device === undefined ? [] : [`${device} is mounted at ${place}`];
    });
  const names = new Set(devices.map((device) => `/dev/${device.name}`));
  const swaps = readFileSync(join(root, "proc/swaps"), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [device] = line.split(/\s+/);
      return device !== undefined && names.has(device) ? [`${device} is swap`] : [];
    });
  const holders = devices.flatMap(({ folder, name: device }) =>
    existsSync(join(folder, "holders")) ? readdirSync(join(folder, "holders")).map((holder) => `${device} is part of ${holder}`) : [],
  );
  return [...mounts, ...swaps, ...holders];
}

/** Files can be in use as disks, too. */
function loopUses(path: string, root: string): readonly string[] {
  const folder = join(root, "sys/class/block");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const backing = join(folder, name, "loop/backing_file");
    return existsSync(backing) && readFileSync(backing, "utf8").trim() === path ? [`${name} is made of it`] : [];
  });
}
