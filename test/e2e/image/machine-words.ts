import { existsSync } from "node:fs";
import { consolesOf } from "../../../image/boot/grub-config.ts";
import { kernelCommandLine } from "../../../image/boot/initrd-script.ts";
import type { Architecture, Slot } from "../../../image/layout/partitions.ts";
import type { ImageManifest } from "../../../image/manifest.ts";
import { DEBUG_PORT } from "../../../image/rootfs/debug-shell.ts";
import { encodeVerityWord } from "../../../image/verity.ts";
import type { DiskModel, MachineDisk } from "./machine-disk.ts";

/** Kernel and initrd of a slot given to the machine from outside, without firmware and boot loader. */
export type KernelStart = {
  readonly by: "kernel";
  readonly kernel: string;
  readonly initrd: string;
  readonly slot: Slot;
  readonly manifest: ImageManifest;
};

/** Firmware that looks for a boot loader on the disk. */
export type FirmwareStart = {
  readonly by: "firmware";
  /** The firmware's variables, of this machine alone; an empty set is put there where nothing is. Raw, or qcow2 by its ending. */
  readonly vars: string;
  /** Whether it takes nothing unsigned, by the keys of its variables. */
  readonly isSecure?: boolean;
};

/** What a virtual machine is started with. */
export type MachineOrder = {
  readonly architecture: Architecture;
  readonly start: KernelStart | FirmwareStart;
  /** Written in place, so that they last over starts. */
  readonly disks: readonly MachineDisk[];
  /** Folder for its logs; made if need be. */
  readonly folder: string;
  /** Ports of the guest by a name; each gets one of this machine's loopback. The node's and the page's are always there. */
  readonly ports?: Readonly<Record<string, number>>;
  /** The loopback ports to take for some names; the others get what is free. */
  readonly hostPorts?: Readonly<Record<string, number>>;
  readonly network?: "virtio-net-pci" | "e1000e" | "rtl8139";
  readonly memoryMib?: number;
  /** Goes on from what was kept under this name, instead of power-on. */
  readonly from?: string;
  /** More words for the emulator. */
  readonly words?: readonly string[];
};

/** Ports that every machine has: the node's, and the box's page. */
export const GUEST_PORTS: Readonly<Record<string, number>> = { http: 8645, page: 8080 };

/** Where a guest finds what listens on this machine's loopback. */
export const HOST_ADDRESS = "10.0.2.2";

/** What x86-64-v2 has and no more: the oldest machines that boxes run on. */
const CPU = { amd64: "Nehalem", arm64: "cortex-a72" } as const;

const FIRMWARE = {
  amd64: {
    code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
    secure: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    vars: "/usr/share/OVMF/OVMF_VARS_4M.fd",
  },
  arm64: { code: "/usr/share/AAVMF/AAVMF_CODE.fd", secure: "/usr/share/AAVMF/AAVMF_CODE.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.fd" },
} as const;

const DISK_DEVICES: Readonly<Record<DiskModel, (id: string, index: number) => readonly string[]>> = {
  virtio: (id) => [`virtio-blk-pci,drive=${id}`],
  "virtio-scsi": (id) => ["virtio-scsi-pci", `scsi-hd,drive=${id}`],
  sata: (id, index) => [`ide-hd,drive=${id},bus=ide.${index}`],
  nvme: (id) => [`nvme,drive=${id},serial=${id}`],
  usb: (id) => ["qemu-xhci", `usb-storage,drive=${id}`],
  sd: (id) => ["sdhci-pci", `sd-card,drive=${id}`],
};

/** Paths of what a machine leaves or listens on. */
export type MachinePlaces = { readonly log: string; readonly monitor: string; readonly shell: string };

/** The emulator's command line. Always software emulation: a device for hardware's that opens may still hang. */
export function machineWords(order: MachineOrder, ports: Readonly<Record<string, number>>, at: MachinePlaces): readonly string[] {
  const { architecture, start, disks, network = "virtio-net-pci", memoryMib = 768 } = order;
  const isSecure = start.by === "firmware" && start.isSecure === true;
  const board =
    architecture === "amd64"
      ? ["qemu-system-x86_64", "-machine", `q35${isSecure ? ",smm=on" : ""}`]
      : ["qemu-system-aarch64", "-machine", "virt"];
  const forwards = Object.entries({ ...GUEST_PORTS, ...order.ports }).map(
    ([name, port]) => `hostfwd=tcp:127.0.0.1:${ports[name]}-:${port}`,
  );
  return [
    ...board,
    ...["-accel", "tcg,thread=multi", "-cpu", CPU[architecture], "-smp", "2", "-m", String(memoryMib)],
    ...["-nodefaults", "-display", "none", "-no-user-config", "-serial", `file:${at.log}`],
    ...["-qmp", `unix:${at.monitor},server=on,wait=off`],
    ...["-netdev", ["user", "id=net", ...forwards].join(","), "-device", `${network},netdev=net,romfile=`],
    ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci", "-chardev", `socket,id=shell,path=${at.shell},server=on,wait=off`],
    ...["-device", `virtserialport,chardev=shell,name=${DEBUG_PORT}`],
    ...disks.flatMap((disk, index) => diskWords(disk, index)),
    ...(start.by === "kernel" ? kernelWords(architecture, start) : firmwareWords(architecture, start)),
    ...(order.from === undefined ? [] : ["-loadvm", order.from]),
    ...(order.words ?? []),
  ];
}

/** Flushes of the guest reach the file's tables, and do not wait for this machine's disk. */
function diskWords({ path, format, model = "virtio" }: MachineDisk, index: number): readonly string[] {
  const id = `disk${index}`;
  const devices = DISK_DEVICES[model](id, index);
  const boot = (device: string): string => (device.includes("drive=") && model !== "sd" ? `${device},bootindex=${index}` : device);
  return [
    "-drive",
    `file=${path},format=${format},if=none,id=${id},cache=unsafe`,
    ...devices.flatMap((device) => ["-device", boot(device)]),
  ];
}

function kernelWords(architecture: Architecture, { kernel, initrd, slot, manifest }: KernelStart): readonly string[] {
  const line = kernelCommandLine(slot, encodeVerityWord(manifest.verity), consolesOf(architecture));
  return ["-kernel", kernel, "-initrd", initrd, "-append", line];
}

function firmwareWords(architecture: Architecture, { vars, isSecure }: FirmwareStart): readonly string[] {
  const files = FIRMWARE[architecture];
  const format = vars.endsWith(".qcow2") ? "qcow2" : "raw";
  if (!existsSync(vars)) Bun.spawnSync(["qemu-img", "convert", "-f", "raw", "-O", format, files.vars, vars]);
  return [
    ...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${isSecure === true ? files.secure : files.code}`],
    ...["-drive", `if=pflash,format=${format},unit=1,file=${vars}`],
    ...(isSecure === true && architecture === "amd64" ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
  ];
}
