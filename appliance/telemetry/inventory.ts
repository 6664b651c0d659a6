import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the machine is; a part that it does not tell is absent. */
export type Inventory = {
  readonly model?: string;
  readonly vendor?: string;
  /** The mainboard. */
  readonly board?: string;
  readonly processor?: string;
  readonly cores?: number;
  readonly memoryBytes?: number;
  readonly disks?: readonly Disk[];
  readonly system?: string;
};

/** A disk of the machine, partitions aside. */
export type Disk = { readonly device: string; readonly kind?: string; readonly name?: string; readonly bytes: number };

/** The kernel counts disks in sectors of so many bytes, whatever theirs are. */
const SECTOR_BYTES = 512;

/**
 * Reads what the machine is, once, from the files in which the kernel and the system say so; no program is run.
 *
 * @param root of the file system; another one in tests
 */
export function readInventory(root = "/"): Inventory {
  const text = (path: string): string => readText(join(root, path)).replaceAll("\0", "").trim();
  const cpu = text("proc/cpuinfo");
  const processor = /^model name\s*:\s*(.+)$/m.exec(cpu)?.[1];
  const cores = cpu.match(/^processor\s*:/gm)?.length;
  const system = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(text("etc/os-release"))?.[1];
  const model = text("proc/device-tree/model") || text("sys/class/dmi/id/product_name");
  const vendor = text("sys/class/dmi/id/sys_vendor");
  const memoryKiB = Number(/^MemTotal:\s*(\d+) kB/m.exec(text("proc/meminfo"))?.[1] ?? 0);
  const disks = readDisks(root, text);
  return {
    ...(model !== "" && { model }),
    ...(vendor !== "" && { vendor }),
    ...(processor !== undefined && { processor: processor.trim() }),
    ...(cores !== undefined && { cores }),
    ...(memoryKiB > 0 && { memoryBytes: 1_024 * memoryKiB }),
    ...(disks.length > 0 && { disks }),
    ...(system !== undefined && { system }),
  };
}

/** Disks that are real and hold something: not loops, memory or drives without a medium. */
function readDisks(root: string, text: (path: string) => string): readonly Disk[] {
  const names = listOf(join(root, "sys/block")).filter((name) => /^(sd|vd|xvd|hd|nvme|mmcblk)/.test(name) && !/boot\d|rpmb/.test(name));
  return names.slice(0, 16).flatMap((device) => {
    const bytes = SECTOR_BYTES * Number(text(`sys/block/${device}/size`));
    const name = text(`sys/block/${device}/device/model`) || text(`sys/block/${device}/device/name`);
    return bytes > 0 ? [{ device, ...(name !== "" && { name }), bytes }] : [];
  });
}

function listOf(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (isUnavailable(error)) return [];
    throw error;
  }
}

/** What files answer on a machine that has no such part, or that hides it. */
function isUnavailable(error: unknown): boolean {
  const codes = ["ENOENT", "EACCES", "EPERM", "ENOTDIR", "EIO"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 65_536);
  } catch (error) {
    if (isUnavailable(error)) return "";
    throw error;
  }
}
