import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A program of RAUC's words, with the output of `rauc` 1.8 as recorded from Debian's package (info, refusals) and as its
 * manual shows it (status). What it says is in files of its folder; what it was asked is in `asked`.
 */
const PROGRAM = (folder: string) => `#!/bin/sh
cd '${folder}'
echo "$*" >>asked
case "$1" in
info)
  if [ "$2" = --no-verify ]; then cat unverified 2>/dev/null || exit 1; exit 0; fi
  echo 'rauc-Message: 01:52:08.628: Reading bundle: /new' >&2
  if [ -s refusal ]; then cat refusal >&2; exit 1; fi
  cat info ;;
status)
  if [ $# -gt 2 ]; then [ -e broken ] && { echo 'Error creating proxy: Could not connect' >&2; exit 1; }; echo "rauc status: marked slot"; exit 0; fi
  [ -s status ] || { echo 'Error retrieving slot status via D-Bus: error creating proxy: Could not connect: No such file or directory' >&2; exit 1; }
  cat status ;;
install)
  if [ -e busy ]; then rm busy; echo 'Failed Already processing a different method' >&2; exit 1; fi
  if [ -s failure ]; then cat failure >&2; exit 1; fi
  echo 'Installing "$2" succeeded' ;;
*) exit 2 ;;
esac
`;

/** A fake updater in a folder of its own. */
export class FakeRauc {
  readonly program: string;
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.program = join(folder, "rauc");
    writeFileSync(this.program, PROGRAM(folder), { mode: 0o755 });
  }

  /** Makes it say something. */
  says(file: "info" | "unverified" | "refusal" | "status" | "failure" | "busy" | "broken", text: string): this {
    writeFileSync(join(this.#folder, file), text);
    return this;
  }

  /** What it was asked, in order. */
  get asked(): string[] {
    const path = join(this.#folder, "asked");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }
}

/** What `rauc info --output-format=json` says of a bundle. */
export function infoOf(compatible: string, version: string): string {
  return JSON.stringify({ compatible, version, description: null, build: null, hooks: [], images: [{ rootfs: { filename: "root.img" } }] });
}

/** What `rauc status --output-format=json` says of two slots, of which A runs. */
export function statusOf(bootedIs: "good" | "bad", otherIs: "good" | "bad"): string {
  const slot = (name: string, state: string, health: string) => ({
    [name]: { class: "rootfs", device: "/dev/x", type: "raw", bootname: name.endsWith("0") ? "A" : "B", state, boot_status: health },
  });
  const boot = { "boot.0": { class: "boot", device: "/dev/y", type: "raw", bootname: null, state: "active", boot_status: null } };
  return JSON.stringify({
    compatible: "bizra-amd64-cloud",
    booted: "A",
    boot_primary: "rootfs.0",
    slots: [slot("rootfs.0", "booted", bootedIs), slot("rootfs.1", "inactive", otherIs), boot],
  });
}
