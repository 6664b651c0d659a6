import type { Architecture, Board } from "../layout/partitions.ts";

/** The Debian release that images are made of. */
export const SUITE = "trixie";

/**
 * The release whose firmware for Raspberry Pi is taken. That of Debian 13 is of April 2024 and finds no files on a disk with a GPT
 * once the board's own boot loader is of February 2025 or newer; nothing else is taken from there.
 */
export const FIRMWARE_SUITE = "forky";

/** Which kernel an image carries: one with the drivers of real machines, or the smaller one of virtual machines. */
export const KERNELS = ["generic", "cloud"] as const;

/** One of them. */
export type Kernel = (typeof KERNELS)[number];

/**
 * What the root consists of; dependencies come with it. Without maintainer scripts nothing is "essential" by itself, so
 * all that a box runs is named.
 */
const ROOT_PACKAGES = [
  "base-files",
  "base-passwd",
  "bash",
  "ca-certificates",
  "coreutils",
  "dash",
  "dbus",
  "dmsetup",
  "dosfstools",
  "e2fsprogs",
  "findutils",
  "grep",
  "hostname",
  "iproute2",
  "kmod",
  "libc-bin",
  "liblzma5",
  "mawk",
  "mount",
  "rauc",
  "rauc-service",
  "sed",
  "systemd",
  "systemd-repart",
  "systemd-resolved",
  "systemd-sysv",
  "systemd-timesyncd",
  "tzdata",
  "udev",
  "util-linux",
] as const;

/** What to take from Debian for one kind of image. */
export type PackagePlan = {
  /** Installed with their dependencies. */
  readonly root: readonly string[];
  /** An empty package that depends on the newest kernel; that one is taken, without what would build an initrd on the box. */
  readonly kernelOf: string;
  /** Packages of which single files are taken, without dependencies. */
  readonly parts: { readonly busybox: string; readonly grub: string; readonly board: readonly string[] };
};

/** The packages of an image. */
export function packagesOf(architecture: Architecture, kernel: Kernel, board?: Board): PackagePlan {
  return {
    root: ROOT_PACKAGES,
    kernelOf: kernel === "cloud" ? `linux-image-cloud-${architecture}` : `linux-image-${architecture}`,
    parts: {
      busybox: "busybox-static",
      grub: `grub-efi-${architecture}-bin`,
      board: board === "raspberry-pi" ? ["raspi-firmware", "u-boot-rpi"] : [],
    },
  };
}
