import { closeSync, copyFileSync, existsSync, openSync, readFileSync, truncateSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { consolesOf } from "../../../image/boot/grub-config.ts";
import { kernelCommandLine } from "../../../image/boot/initrd-script.ts";
import type { Architecture, Slot } from "../../../image/layout/partitions.ts";
import type { ImageManifest } from "../../../image/manifest.ts";
import { encodeVerityWord } from "../../../image/verity.ts";

/** What a virtual machine is started with. */
export type MachineOrder = {
  readonly architecture: Architecture;
  /** The raw image; a copy of it is run. */
  readonly image: string;
  readonly manifest: ImageManifest;
  /** Kernel and initrd of the slot, outside of the image: started directly, without firmware and boot loader. */
  readonly boot: { readonly kernel: string; readonly initrd: string };
  readonly slot: Slot;
  /** Folder for its disk and logs. */
  readonly folder: string;
};

/** A disk as it might be in the field: larger than the image. */
const DISK_BYTES = 2 * 1024 ** 3;
/** What x86-64-v2 has and no more: the oldest machines that boxes run on. */
const CPU = { amd64: "Nehalem", arm64: "cortex-a72" } as const;

/**
 * A box as a virtual machine, emulated in software: slow, but the same everywhere. Hardware acceleration is not used even
 * where there is a device for it, since some that open hang.
 */
export class Machine {
  readonly log: string;
  readonly http: string;
  readonly #child: Bun.Subprocess;

  private constructor(child: Bun.Subprocess, log: string, port: number) {
    this.#child = child;
    this.log = log;
    this.http = `http://127.0.0.1:${port}`;
  }

  /** Starts it; resolves at once. */
  static async start(order: MachineOrder): Promise<Machine> {
    const { architecture, manifest, slot, boot } = order;
    const disk = join(order.folder, "disk.img");
    copyFileSync(order.image, disk);
    truncateSync(disk, DISK_BYTES);
    const log = join(order.folder, "serial.log");
    closeSync(openSync(log, "w"));
    const port = await freePort();
    const machine = architecture === "amd64" ? ["qemu-system-x86_64", "-machine", "q35"] : ["qemu-system-aarch64", "-machine", "virt"];
    const words = [
      ...machine,
      ...["-accel", "tcg,thread=multi", "-cpu", CPU[architecture], "-smp", "2", "-m", "768"],
      ...["-nodefaults", "-display", "none", "-no-user-config", "-no-reboot", "-serial", `file:${log}`],
      ...["-drive", `file=${disk},format=raw,if=none,id=disk,cache=unsafe`, "-device", "virtio-blk-pci,drive=disk"],
      ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:8645`, "-device", "virtio-net-pci,netdev=net,romfile="],
      ...["-device", "virtio-rng-pci", "-kernel", boot.kernel, "-initrd", boot.initrd],
      ...["-append", kernelCommandLine(slot, encodeVerityWord(manifest.verity), consolesOf(architecture))],
    ];
    const child = Bun.spawn({ cmd: words, stdin: "ignore", stdout: "ignore", stderr: "inherit" });
    return new Machine(child, log, port);
  }

  /** Waits until something answers on the node's port as wanted; throws with the end of the console's log when it does not. */
  async answers(path: string, limitMs: number, isWanted: (answer: Response) => boolean | Promise<boolean>): Promise<Response> {
    const untilMs = performance.now() + limitMs;
    while (performance.now() < untilMs && this.#child.exitCode === null) {
      const answer = await fetch(`${this.http}${path}`, { signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
        if (!(error instanceof Error)) throw error;
        return undefined; // nobody there yet
      });
      if (answer !== undefined && (await isWanted(answer.clone()))) return answer;
      await Bun.sleep(500);
    }
    throw new Error(`the machine did not answer ${path} as wanted within ${limitMs} ms; its console ends:\n${this.said().slice(-3_000)}`);
  }

  /** Waits until the console has shown something. */
  async says(words: string, limitMs: number): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (!this.said().includes(words)) {
      if (performance.now() >= untilMs || this.#child.exitCode !== null)
        throw new Error(`the machine's console did not show "${words}" within ${limitMs} ms; it ends:\n${this.said().slice(-3_000)}`);
      await Bun.sleep(500);
    }
  }

  /** What the console showed until now. */
  said(): string {
    return existsSync(this.log) ? readFileSync(this.log, "latin1") : "";
  }

  /** Pulls the plug. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** A port of this machine that nobody uses at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
