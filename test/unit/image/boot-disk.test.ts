import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grubConfig } from "../../../image/boot/grub-config.ts";
import { DISK_WORD, INITRD_SCRIPT, PARTITION_FOLDER } from "../../../image/boot/initrd-script.ts";
import { systemFiles } from "../../../image/rootfs/system-files.ts";

let folder = "";
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-boot-disk-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A part of the first program, from a line that begins so to one that begins otherwise. */
function part(from: string, to: string): string {
  const text = INITRD_SCRIPT.slice(INITRD_SCRIPT.indexOf(from), INITRD_SCRIPT.indexOf(to));
  if (text === "") throw new Error(`there is no part from ${from} to ${to}`);
  return text;
}

/** Disks as the kernel shows them: partitions by label, and what the boot loader wrote into the counters. */
type Disks = Readonly<Record<string, { readonly labels: readonly string[]; readonly boot?: string }>>;

const IMAGE = ["esp", "bootstate", "boot-A", "root-A", "boot-B", "root-B", "PROVISION", "signstate", "data"];

/** Runs a part of the first program over disks. */
async function run(disks: Disks, mark: string, script: string): Promise<string> {
  const root = join(folder, `case-${count++}`);
  mkdirSync(join(root, "dev"), { recursive: true });
  mkdirSync(join(root, "rules.d"), { recursive: true });
  for (const [disk, { labels, boot }] of Object.entries(disks)) {
    for (const [index, label] of labels.entries()) {
      const name = `${disk}${/\d$/.test(disk) ? "p" : ""}${index + 1}`;
      mkdirSync(join(root, "sys/block", disk, name), { recursive: true });
      writeFileSync(join(root, "sys/block", disk, name, "uevent"), `DEVTYPE=partition\nPARTN=${index + 1}\nPARTNAME=${label}\n`);
      writeFileSync(join(root, "dev", name), label === "bootstate" ? `\0\0# GRUB Environment Block\nGOOD=A\nBOOT=${boot}\n####\0\0` : "");
    }
    mkdirSync(join(root, "sys/block", disk, "queue"), { recursive: true });
  }
  const here = script
    .replaceAll("/sys/block", join(root, "sys/block"))
    .replaceAll("/dev/", `${root}/dev/`)
    .replaceAll("/run/udev/rules.d", join(root, "rules.d"));
  const file = join(root, "part.sh");
  writeFileSync(file, `slot=A mark=${mark}\nsay() { echo "say $*"; }\ngive_up() { echo "give up $*"; exit 1; }\nsleep() { :; }\n${here}`);
  const child = Bun.spawn({ cmd: ["sh", file], stdout: "pipe", stderr: "pipe" });
  const out = await new Response(child.stdout).text();
  return out.replaceAll(`${root}/`, "");
}

const FIND = `${part("# Partitions of a name", "IFS=: read")}echo "$disk $root $(partition data)"\n`;

describe("the disk that was booted", () => {
  test("image: one disk with an image, is taken with and without a mark, whatever else is plugged in", async () => {
    const disks = { sda: { labels: ["Windows", "data"] }, nvme0n1: { labels: IMAGE, boot: "2026-1-2-3-4-5" } };
    expect(await run(disks, "", FIND)).toBe("nvme0n1 dev/nvme0n1p4 dev/nvme0n1p9\n");
    expect(await run(disks, "2026-1-2-3-4-5", FIND)).toBe("nvme0n1 dev/nvme0n1p4 dev/nvme0n1p9\n");
  });

  test("image: two disks with the same image, are told apart by the mark of this start, in either order", async () => {
    for (const [booted, other] of [
      ["sda", "sdb"],
      ["sdb", "sda"],
    ] as const) {
      const disks = { [booted]: { labels: IMAGE, boot: "2026-1-2-3-4-5" }, [other]: { labels: IMAGE, boot: "2026-1-2-3-4-50" } };
      expect(await run(disks, "2026-1-2-3-4-5", FIND)).toBe(
        `say several disks have an image; the one that was booted is ${booted}\n${booted} dev/${booted}4 dev/${booted}9\n`,
      );
    }
  });

  test("image: a disk whose name begins like the booted one's, gives none of its partitions", async () => {
    const disks = { sda: { labels: IMAGE.slice(0, 8), boot: "1" }, sdaa: { labels: IMAGE, boot: "2" } };
    expect(await run(disks, "1", FIND)).toEndWith("sda dev/sda4 \n");
  });

  test("image: counters that were not written, leave the first disk with the slot, which is said", async () => {
    const disks = { vda: { labels: IMAGE, boot: "old" } };
    expect(await run(disks, "new", FIND)).toBe("say no disk has the mark new; the first with slot A is taken\nvda dev/vda4 dev/vda9\n");
  });

  test("image: no disk with the slot, is an attempt that failed", async () => {
    expect(await run({ vda: { labels: ["data"] } }, "", FIND)).toBe("give up there is no partition root-A\n");
  });

  test("image: the running system, gets links to that disk's partitions, and no name that udev could take for more", async () => {
    const rules = `disk=sdb\n${part("mkdir -p /run/udev/rules.d", "mkdir -p /sysroot/data")}cat /run/udev/rules.d/*\n`;
    const disks = { sda: { labels: IMAGE }, sdb: { labels: ["data", 'x", RUN+="/bin/sh', "root-A"] } };
    expect(await run(disks, "", rules)).toBe(
      'SUBSYSTEM=="block", KERNEL=="sdb1", SYMLINK+="bizra/data"\nSUBSYSTEM=="block", KERNEL=="sdb3", SYMLINK+="bizra/root-A"\n',
    );
  });

  test("image: nothing of the system, finds a partition by its label on whatever disk", () => {
    const identity = { version: "1.0.0", architecture: "amd64", kernel: "cloud", variant: "release" } as const;
    const texts = systemFiles(identity).map((file) => (file.kind === "text" ? file.text : ""));
    expect(texts.join("\n")).not.toMatch(/PARTLABEL|by-partlabel|by-label|by-uuid|by-partuuid/);
    expect(texts.some((text) => text.includes(`${PARTITION_FOLDER}/bootstate /bootstate`))).toBe(true);
  });

  test("image: the boot loader, takes the disk that it came from, and tells the kernel what it wrote there", () => {
    const text = grubConfig("amd64");
    expect(text.indexOf('"$cmdpath"')).toBeLessThan(text.indexOf("search --no-floppy"));
    expect(text).toMatch(/save_env -f \S+ [^\n]* BOOT\n/);
    expect(text).toContain(`${DISK_WORD}=$BOOT; then`);
  });
});
