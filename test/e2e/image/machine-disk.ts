import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** How a disk is connected: by virtio, or by what real machines have. */
export type DiskModel = "virtio" | "virtio-scsi" | "sata" | "nvme" | "usb" | "sd";

/** A disk of a machine. */
export type MachineDisk = { readonly path: string; readonly format: "qcow2" | "raw"; readonly model?: DiskModel };

/** A disk as it might be in the field: larger than the image. */
export const DISK_BYTES = 2 * 1024 ** 3;

/**
 * A disk that begins with what another has, and keeps only what is written to it: the other one stays as it is, and must not
 * be written as long as this one is used.
 *
 * It loses at a power cut (SIGKILL of the emulator) as a disk with a volatile cache does: what the guest flushed is there. Of
 * what it did not flush, each cluster of 64 KiB that is written for the first time since the overlay was made is lost, since
 * its place in the file's table was only in the emulator's memory; clusters that were written before change at once. So a
 * trial of power cuts makes a new overlay for each run.
 */
export async function overlayDisk(base: MachineDisk | string, path: string, bytes?: number): Promise<MachineDisk> {
  const below: MachineDisk = typeof base === "string" ? { path: base, format: "raw" } : base;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const size = bytes ?? (below.format === "raw" ? DISK_BYTES : undefined);
  const words = ["create", "-q", "-f", "qcow2", "-b", below.path, "-F", below.format, path];
  await qemuImg([...words, ...(size === undefined ? [] : [String(size)])]);
  return { path, format: "qcow2", ...(below.model === undefined ? {} : { model: below.model }) };
}

/** An empty disk. */
export async function emptyDisk(path: string, bytes: number, model: DiskModel = "virtio"): Promise<MachineDisk> {
  if (existsSync(path)) rmSync(path);
  await qemuImg(["create", "-q", "-f", "qcow2", path, String(bytes)]);
  return { path, format: "qcow2", model };
}

/** Writes a disk out whole, as a raw image that other tools read. */
export async function rawCopy(disk: MachineDisk, path: string): Promise<string> {
  await qemuImg(["convert", "-f", disk.format, "-O", "raw", disk.path, path]);
  return path;
}

async function qemuImg(words: readonly string[]): Promise<void> {
  const child = Bun.spawn({ cmd: ["qemu-img", ...words], stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`qemu-img ${words[0]} failed: ${said}`);
}
