import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the machine is; a part that it does not tell is absent. */
export type Inventory = {
  readonly model?: string;
  readonly vendor?: string;
  readonly processor?: string;
  readonly cores?: number;
  readonly system?: string;
};

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
  return {
    ...(model !== "" && { model }),
    ...(vendor !== "" && { vendor }),
    ...(processor !== undefined && { processor: processor.trim() }),
    ...(cores !== undefined && { cores }),
    ...(system !== undefined && { system }),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 65_536);
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "EACCES", "EPERM", "ENOTDIR", "EIO"].includes(String(error.code)))
      return "";
    throw error;
  }
}
