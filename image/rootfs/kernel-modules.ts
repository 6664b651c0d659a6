import { assert } from "../../src/kernel/index.ts";

/** What each kernel module needs loaded first, by paths below the modules' folder, in the order to load from the end. */
export type ModuleNeeds = ReadonlyMap<string, readonly string[]>;

/** Reads modules.dep, which depmod writes: "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz ...". */
export function parseModuleNeeds(text: string): ModuleNeeds {
  const needs = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    const [path, rest] = line.split(":");
    if (path && rest !== undefined) needs.set(path, rest.split(" ").filter(Boolean));
  }
  return needs;
}

/** A module's name as the kernel spells it: "dm_verity" for kernel/drivers/md/dm-verity.ko.xz. */
export function moduleName(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
}

/**
 * The modules of these names with all that they need, in an order in which each can be loaded. Names that this kernel has no
 * module for are left out: what is a module in one kernel is built into another.
 */
export function modulesToLoad(needs: ModuleNeeds, names: readonly string[]): readonly string[] {
  const byName = new Map([...needs.keys()].map((path) => [moduleName(path), path]));
  const order: string[] = [];
  const add = (path: string): void => {
    if (!order.includes(path)) order.push(path);
  };
  for (const name of names) {
    const path = byName.get(name.replaceAll("-", "_"));
    if (path === undefined) continue;
    for (const needed of [...(needs.get(path) ?? [])].reverse()) add(needed);
    add(path);
  }
  assert(new Set(order).size === order.length, "a module is loaded once");
  return order;
}

/** Folders of modules that a box may need: storage, wired and wireless network, buses, sensors, watchdogs, what systemd uses. */
const KEPT_FOLDERS = [
  "arch",
  "block",
  "crypto",
  "drivers/acpi",
  "drivers/ata",
  "drivers/base",
  "drivers/block",
  "drivers/bus",
  "drivers/char",
  "drivers/clk",
  "drivers/cpufreq",
  "drivers/crypto",
  "drivers/dma",
  "drivers/edac",
  "drivers/firmware",
  "drivers/gpio",
  "drivers/hid",
  "drivers/hwmon",
  "drivers/i2c",
  "drivers/leds",
  "drivers/mailbox",
  "drivers/md",
  "drivers/mfd",
  "drivers/misc/eeprom",
  "drivers/mmc",
  "drivers/net/ethernet/aquantia",
  "drivers/net/ethernet/broadcom",
  "drivers/net/ethernet/cadence",
  "drivers/net/ethernet/freescale",
  "drivers/net/ethernet/intel",
  "drivers/net/ethernet/marvell",
  "drivers/net/ethernet/realtek",
  "drivers/net/ethernet/stmicro",
  "drivers/net/mdio",
  "drivers/net/pcs",
  "drivers/net/phy",
  "drivers/net/usb",
  "drivers/net/virtio_net",
  "drivers/net/vmxnet3",
  "drivers/net/hyperv",
  "drivers/nvme",
  "drivers/nvmem",
  "drivers/pci",
  "drivers/phy",
  "drivers/pinctrl",
  "drivers/platform",
  "drivers/power",
  "drivers/pwm",
  "drivers/regulator",
  "drivers/reset",
  "drivers/rtc",
  "drivers/scsi/hv_storvsc",
  "drivers/scsi/scsi_mod",
  "drivers/scsi/sd_mod",
  "drivers/scsi/virtio_scsi",
  "drivers/scsi/vmw_pvscsi",
  "drivers/soc",
  "drivers/spi",
  "drivers/thermal",
  "drivers/tty",
  "drivers/usb",
  "drivers/virtio",
  "drivers/watchdog",
  "fs/autofs",
  "fs/efivarfs",
  "fs/erofs",
  "fs/ext4",
  "fs/fat",
  "fs/fuse",
  "fs/jbd2",
  "fs/mbcache",
  "fs/nls",
  "fs/overlayfs",
  "fs/squashfs",
  "lib",
  "net/8021q",
  "net/bridge",
  "net/core",
  "net/ipv4",
  "net/ipv6",
  "net/llc",
  "net/netfilter",
  "net/packet",
  "net/sched",
  "net/unix",
  "net/wireless",
] as const;

/** The modules that an image keeps: those of the kept folders and all that they need, whichever folder that is in. */
export function modulesToKeep(needs: ModuleNeeds): ReadonlySet<string> {
  const isWanted = (path: string): boolean =>
    KEPT_FOLDERS.some((folder) => path.startsWith(`kernel/${folder}/`) || path.startsWith(`kernel/${folder}.ko`));
  return new Set([...needs].flatMap(([path, needed]) => (isWanted(path) ? [path, ...needed] : [])));
}
