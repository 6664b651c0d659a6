import type { Timers } from "../../src/kernel/index.ts";
import { type Inventory, readInventory } from "./inventory.ts";

/** Looking at the hardware may take so long, in milliseconds: it runs small programs, and a broken disk can hold one up. */
const LIMIT_MS = 15_000;

/** What is asked of systeminformation; a test gives answers of its own. */
export type HardwareSource = {
  baseboard(): Promise<{ readonly manufacturer: string; readonly model: string }>;
  cpu(): Promise<{ readonly manufacturer: string; readonly brand: string; readonly physicalCores: number; readonly cores: number }>;
  mem(): Promise<{ readonly total: number }>;
  diskLayout(): Promise<readonly { readonly device: string; readonly type: string; readonly name: string; readonly size: number }[]>;
};

/**
 * What the machine is, as systeminformation finds out with the programs that there are (lscpu, lsblk, dmidecode and others), over
 * what /proc and /sys say, which stands alone for every part that it does not know, that fails or that takes too long.
 *
 * Takes a tenth of a second of processor and more of waiting: never called before a node is ready.
 *
 * @param load loads the library, which a node that tells nobody never does
 */
export async function readHardware(
  timers: Timers,
  load: () => Promise<HardwareSource> = async () => (await import("systeminformation")).default,
  root = "/",
): Promise<Inventory> {
  const known = readInventory(root);
  const late = Promise.withResolvers<undefined>();
  const cancel = timers.after(LIMIT_MS, () => late.resolve(undefined));
  const found = await Promise.race([look(load), late.promise]);
  cancel();
  return { ...known, ...found };
}

/** Each part that is found; a part that fails is absent. */
async function look(load: () => Promise<HardwareSource>): Promise<Inventory> {
  const [source] = await Promise.allSettled([load()]);
  if (source.status === "rejected") return {};
  const { value: hardware } = source;
  const [board, cpu, memory, disks] = await Promise.allSettled([
    hardware.baseboard(),
    hardware.cpu(),
    hardware.mem(),
    hardware.diskLayout(),
  ]);
  const boardName = board.status === "fulfilled" ? words(board.value.manufacturer, board.value.model) : "";
  const processor = cpu.status === "fulfilled" ? words(cpu.value.manufacturer, cpu.value.brand) : "";
  const cores = cpu.status === "fulfilled" ? cpu.value.cores : 0;
  const memoryBytes = memory.status === "fulfilled" ? memory.value.total : 0;
  const found = disks.status === "fulfilled" ? disks.value.slice(0, 16) : [];
  return {
    ...(boardName !== "" && { board: boardName }),
    ...(processor !== "" && { processor }),
    ...(cores > 0 && { cores }),
    ...(memoryBytes > 0 && { memoryBytes }),
    ...(found.length > 0 && {
      disks: found.map(({ device, type, name, size }) => ({
        device: device.replace("/dev/", ""),
        ...(words(type) !== "" && { kind: words(type) }),
        ...(words(name) !== "" && { name: words(name) }),
        bytes: size,
      })),
    }),
  };
}

/** What is said, in 128 characters at most; firmware that nobody filled in says nothing. */
function words(...parts: readonly string[]): string {
  const said = parts.map((part) => part.trim()).filter((part) => part !== "" && !/^(unknown|default string|to be filled)/i.test(part));
  return [...new Set(said)].join(" ").slice(0, 128);
}
