import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/kernel/index.ts";
import { ImageFailure } from "../tools.ts";

/**
 * What a Raspberry Pi's own firmware finds on the first partition: itself, the board's description for the kernel, and
 * U-Boot, which is the UEFI that the rest of the image starts from (docs/adr/raspberry-pi-boot.md).
 *
 * Nothing here is written at run time: no update reaches it, as none reaches the firmware of a PC.
 */

/** Boards by the description that the kernel's package has of them: Raspberry Pi 4, 400, and Compute Module 4 on its board. */
const DEVICE_TREES = ["bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb", "bcm2711-rpi-cm4-io.dtb"] as const;

/** Since this day the firmware finds its files on a partition of a GPT whichever boot loader is in the board's memory. */
const FIRMWARE_SINCE = 20_250_116;

/**
 * The firmware's settings (Raspberry Pi documentation, "config.txt").
 *
 * Without a serial port U-Boot has no console there, so that nothing on open pins can stop it from starting the box. The names
 * of board descriptions are those of Linux.
 */
export function firmwareConfig(): string {
  return `# Written when the image was made; updates do not change it.
arm_64bit=1
kernel=u-boot.bin
upstream_kernel=1
enable_uart=0
disable_splash=1
boot_delay=0
`;
}

/**
 * The files of the first partition, by their names there.
 *
 * @param unpacked folder with the unpacked packages of firmware and U-Boot
 * @param descriptions folder with the kernel's descriptions of boards by Broadcom
 * @throws ImageFailure when a package lacks one of them
 */
export function firmwareFiles(unpacked: string, descriptions: string): ReadonlyMap<string, Uint8Array> {
  const firmware = join(unpacked, "usr/lib/raspi-firmware");
  const overlays = listing(join(firmware, "overlays")).filter((name) => name.endsWith(".dtbo"));
  const sources: readonly (readonly [string, string])[] = [
    ["start4.elf", join(firmware, "start4.elf")],
    ["fixup4.dat", join(firmware, "fixup4.dat")],
    ["LICENCE.TXT", join(unpacked, "usr/share/doc/raspi-firmware/copyright")],
    ["u-boot.bin", join(unpacked, "usr/lib/u-boot/rpi_arm64/u-boot.bin")],
    ...DEVICE_TREES.map((name) => [name, join(descriptions, name)] as const),
    ...overlays.map((name) => [`overlays/${name}`, join(firmware, "overlays", name)] as const),
  ];
  return new Map([["config.txt", utf8(firmwareConfig())], ...sources.map(([name, path]) => [name, contentOf(path)] as const)]);
}

/**
 * Refuses firmware that does not start from this image's partitions.
 *
 * @param version of the package, e.g. 1.20260408+ds-1
 */
export function checkFirmware(version: string): void {
  const day = /^1\.(\d{8})\b/.exec(version)?.[1];
  if (day === undefined || Number(day) < FIRMWARE_SINCE)
    throw new ImageFailure(`expected raspi-firmware of ${FIRMWARE_SINCE} or later, which reads this layout, got ${version}`);
}

function listing(folder: string): readonly string[] {
  return attempt(folder, () => readdirSync(folder).sort());
}

function contentOf(path: string): Uint8Array {
  return attempt(path, () => new Uint8Array(readFileSync(path)));
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOENT") throw error;
    throw new ImageFailure(`expected ${path} among Debian's files for Raspberry Pi`);
  }
}
