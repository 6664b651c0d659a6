/** A machine of two slots around a box: Debian's rauc for bundles and signatures, a script for slots and restarts. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPackages } from "./debian.ts";
import type { Workplace } from "./workplace.ts";

/** The board that bundles are for. */
const BOARD = "bizra-amd64-cloud";

/** How a bundle is made. */
type BundlePlan = { readonly version: string; readonly board?: string; readonly signer?: "maker" | "stranger" };

/** Slots in files: what runs, what is in the other slot, which comes next. */
export class UpdateWorld {
  readonly #folder: string;
  #boots = 1;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes one, and installs rauc where there is none; a sentence where that cannot be. */
  static async make(place: Workplace, runs: string): Promise<UpdateWorld | string> {
    const programs = ["rauc", "mksquashfs", "openssl"];
    if (programs.some((name) => Bun.which(name) === null)) {
      const fault = await installPackages(["rauc", "squashfs-tools", "openssl"]);
      if (fault !== undefined) return `no ${programs.join(", ")} here: ${fault}`;
    }
    const world = new UpdateWorld(place.at("machine"));
    mkdirSync(world.#folder);
    for (const who of ["maker", "stranger"]) {
      const files = ["-keyout", world.at(`${who}.key`), "-out", world.at(`${who}.pem`)];
      await run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7300", "-subj", `/CN=${who}`, ...files]);
    }
    writeFileSync(world.at("other-slot"), "0.9.0");
    world.#runs(runs);
    world.#writePrograms();
    return world;
  }

  /** A path inside. */
  at(name: string): string {
    return join(this.#folder, name);
  }

  /** Words for `box run`. */
  get words(): readonly string[] {
    const files = ["--os-release", this.at("os-release"), "--boot-id", this.at("boot-id")];
    return [...files, "--rauc", this.at("rauc"), "--reboot-command", this.at("reboot")];
  }

  /** What the updater was asked to do to slots, and restarts, in order. */
  get done(): string[] {
    return existsSync(this.at("done")) ? readFileSync(this.at("done"), "utf8").trim().split("\n") : [];
  }

  /** Whether a restart was ordered that has not happened. */
  get wantsReboot(): boolean {
    return existsSync(this.at("wants-reboot"));
  }

  /** The machine has been restarted and comes up with the slot that is next. */
  reboot(): void {
    this.#boots++;
    const next = readFileSync(this.at("next"), "utf8").trim();
    if (next === "other") {
      const [running, other] = [this.#runningVersion, readFileSync(this.at("other-slot"), "utf8").trim()];
      writeFileSync(this.at("other-slot"), running);
      this.#runs(other);
    } else this.#runs(this.#runningVersion);
  }

  /** Makes a bundle. */
  async bundle(name: string, { version, board = BOARD, signer = "maker" }: BundlePlan): Promise<string> {
    const content = this.at(`${name}.content`);
    mkdirSync(content);
    writeFileSync(join(content, "root.img"), noise(name, 300_000));
    writeFileSync(join(content, "boot.img"), noise(`${name} boot`, 20_000));
    const images = "[image.rootfs]\nfilename=root.img\n\n[image.boot]\nfilename=boot.img\n";
    const manifest = `[update]\ncompatible=${board}\nversion=${version}\n\n[bundle]\nformat=verity\n\n${images}`;
    writeFileSync(join(content, "manifest.raucm"), manifest);
    const path = this.at(`${name}.raucb`);
    await run(["rauc", "bundle", `--cert=${this.at(`${signer}.pem`)}`, `--key=${this.at(`${signer}.key`)}`, content, path]);
    return path;
  }

  get #runningVersion(): string {
    return /IMAGE_VERSION=(.*)/.exec(readFileSync(this.at("os-release"), "utf8"))?.[1] ?? "";
  }

  #runs(version: string): void {
    writeFileSync(this.at("os-release"), `ID=bizra\nIMAGE_ID=${BOARD}\nIMAGE_VERSION=${version}\n`);
    writeFileSync(this.at("boot-id"), `boot-${this.#boots}\n`);
    writeFileSync(this.at("next"), "running\n");
    if (this.wantsReboot) Bun.spawnSync(["rm", this.at("wants-reboot")]);
  }

  /** Signatures are Debian's rauc's; slots are files, with the output that its manual shows. */
  #writePrograms(): void {
    const status =
      '{"compatible":"x","booted":"A","boot_primary":"rootfs.0","slots":[{"rootfs.0":{"bootname":"A","state":"booted","boot_status":"good"}},' +
      '{"rootfs.1":{"bootname":"B","state":"inactive","boot_status":"good"}}]}';
    const program = `#!/bin/sh
cd '${this.#folder}'
case "$1" in
info) exec ${Bun.which("rauc") ?? "rauc"} --keyring=maker.pem "$@" ;;
install)
  echo "install" >>done
  rauc --keyring=maker.pem info --output-format=json "$2" 2>/dev/null | sed 's/.*"version":"\\([^"]*\\)".*/\\1/' >other-slot
  echo other >next ;;
status)
  [ $# -gt 2 ] || { echo '${status}'; exit 0; }
  echo "$2 $3" >>done
  case "$2 $3" in "mark-active other") echo other >next ;; "mark-active booted") echo running >next ;; esac ;;
esac
`;
    writeFileSync(this.at("rauc"), program, { mode: 0o755 });
    writeFileSync(this.at("reboot"), `#!/bin/sh\ncd '${this.#folder}'\necho reboot >>done\ntouch wants-reboot\n`, { mode: 0o755 });
  }
}

/** Bytes that nothing compresses, the same for a name each time. */
function noise(name: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => Bun.SHA256.hash(`${name} ${i}`) as Uint8Array);
  return Buffer.concat(blocks).subarray(0, length);
}

async function run(words: readonly string[]): Promise<void> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${said}`);
}
