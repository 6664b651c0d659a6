import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a machine is told apart by: its installation, its board, its disks, its network cards. */
export type HardwareKind = "system" | "board" | "disk" | "network";

/** Where a part says who it is, and which kind of part it is. Sources of one kind are asked each for itself. */
export const HARDWARE_SOURCES = {
  /** Made when the system is installed; a copied disk has it too, so it never decides alone beside real parts. */
  machineId: "system",
  /** Firmware tables of PCs and virtual machines; the first two are mostly for root's eyes. */
  productUuid: "board",
  boardSerial: "board",
  productSerial: "board",
  /** Boards with a system on a chip. */
  deviceTree: "board",
  soc: "board",
  disks: "disk",
  /** Addresses that are burnt into cards, not those that were set. */
  cards: "network",
} as const satisfies Readonly<Record<string, HardwareKind>>;

/** Name of a source. */
export type HardwareSource = keyof typeof HARDWARE_SOURCES;

/** What each source that can be read says; several values where there are several parts. */
export type Hardware = Readonly<Partial<Record<HardwareSource, readonly string[]>>>;

const FILES: Readonly<Partial<Record<HardwareSource, readonly string[]>>> = {
  machineId: ["etc/machine-id", "var/lib/dbus/machine-id"],
  productUuid: ["sys/class/dmi/id/product_uuid"],
  boardSerial: ["sys/class/dmi/id/board_serial"],
  productSerial: ["sys/class/dmi/id/product_serial"],
  deviceTree: ["proc/device-tree/serial-number"],
  soc: ["sys/devices/soc0/serial_number"],
};

/** What a disk calls itself, in the order of trust: eMMC and SD, NVMe, SCSI and SATA, virtio. */
const DISK_FILES = ["device/cid", "wwid", "device/wwid", "device/serial", "serial"] as const;
/** Devices of /sys/block that are no disks of their own. */
const NO_DISK = /^(loop|ram|zram|dm-|md|sr|fd|nbd|drbd|bcache)/;
const VALUE_LENGTH_MAX = 128;

/**
 * What this machine says of itself under a root folder. Whatever is absent, unreadable for this user, or one of the texts
 * that makers leave in place of a serial number counts as not said. Never throws.
 *
 * @param root of the file system; another one than `/` in tests
 */
export function readHardwareParts(root = "/"): Hardware {
  const found: Partial<Record<HardwareSource, readonly string[]>> = {};
  for (const [source, paths] of entriesOf(FILES)) {
    const values = paths.map((path) => readValue(join(root, path))).filter((value) => value !== undefined);
    if (values[0] !== undefined) found[source] = [values[0]];
  }
  const disks = namesIn(join(root, "sys/block"))
    .filter((name) => !NO_DISK.test(name))
    .flatMap((name) => firstValue(join(root, "sys/block", name), DISK_FILES));
  if (disks.length > 0) found.disks = [...new Set(disks)].sort();
  const cards = namesIn(join(root, "sys/class/net")).flatMap((name) => cardAddress(join(root, "sys/class/net", name)));
  if (cards.length > 0) found.cards = [...new Set(cards)].sort();
  return found;
}

/** A card's burnt-in address. Bridges, tunnels and the pairs that containers get have no device below them, or a made-up address. */
function cardAddress(folder: string): readonly string[] {
  if (readValue(join(folder, "addr_assign_type")) !== "0" || namesIn(join(folder, "device")).length === 0) return [];
  const address = readValue(join(folder, "address"));
  return address === undefined ? [] : [address];
}

function firstValue(folder: string, names: readonly string[]): readonly string[] {
  for (const name of names) {
    const value = readValue(join(folder, name));
    if (value !== undefined) return [value];
  }
  return [];
}

function readValue(path: string): string | undefined {
  const text = unlessAbsent(() => readFileSync(path, "latin1"));
  const value = text?.replaceAll("\0", "").trim().toLowerCase().slice(0, VALUE_LENGTH_MAX);
  if (value === "0" && path.endsWith("addr_assign_type")) return value;
  return value === undefined || isPlaceholder(value) ? undefined : value;
}

/** Texts that say nothing of this one machine. */
function isPlaceholder(value: string): boolean {
  const bare = value.replaceAll(/[-:\s]/g, "");
  return (
    bare.length < 4 ||
    /^(0+|f+|0?12345678?9?0?)$/.test(bare) ||
    /default|o\.e\.m|oem|none|not ?specified|not ?applicable|serial|uninitialized|unknown/.test(value) ||
    bare === "03000200040005000006000700080009" // what many boards are shipped with
  );
}

function namesIn(folder: string): readonly string[] {
  return unlessAbsent(() => readdirSync(folder)) ?? [];
}

/** A file that is absent, or not for this user, says nothing. */
function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // errors of the system carry a code
    return undefined;
  }
}

function entriesOf<V>(record: Readonly<Partial<Record<HardwareSource, V>>>): readonly (readonly [HardwareSource, V])[] {
  return SOURCE_NAMES.flatMap((source) => (record[source] === undefined ? [] : [[source, record[source]] as const]));
}

/** Every source, in the order of the table. */
export const SOURCE_NAMES: readonly HardwareSource[] = [
  "machineId",
  "productUuid",
  "boardSerial",
  "productSerial",
  "deviceTree",
  "soc",
  "disks",
  "cards",
];
