import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { blockUses, lookAt, refusalOf, type TargetFacts } from "../../../image/disk/target.ts";
import { encodeGpt } from "../../../image/layout/gpt.ts";
import { layOut, MIB, partitionsOf } from "../../../image/layout/partitions.ts";

const EMPTY = new Uint8Array(40_000);
const disk: TargetFacts = { path: "/dev/sdx", kind: "disk", bytes: 100, isReadOnly: false, uses: [], start: EMPTY };

/** The table of another system: same form, another disk identity. */
function foreignTable(): Uint8Array {
  const { primary } = encodeGpt(layOut(partitionsOf("amd64")));
  const foreign = primary.slice();
  foreign[512 + 56] = 1; // the disk's identity, whose checksum is no longer right then
  return foreign;
}

describe("target", () => {
  test("image: an empty disk of enough room, may be written", () => {
    expect(refusalOf(disk, 100, false)).toBeUndefined();
    expect(refusalOf({ ...disk, kind: "absent" }, 100, false)).toBeUndefined();
  });

  test("image: a partition, something used, protected or too small, is refused whatever its owner says", () => {
    const cases: readonly [Partial<TargetFacts>, string][] = [
      [{ kind: "partition" }, "whole disk"],
      [{ kind: "other" }, "neither a disk nor a file"],
      [{ uses: ["sdx1 is mounted at /media"] }, "mounted at /media"],
      [{ isReadOnly: true }, "write-protected"],
      [{ bytes: 99 }, "99 bytes, the image needs 100"],
    ];
    for (const [change, words] of cases) {
      expect(refusalOf({ ...disk, ...change }, 100, false)).toContain(words);
      expect(refusalOf({ ...disk, ...change }, 100, true)).toContain(words);
    }
  });

  test("image: a disk with something else on it, is refused until its owner says that it may go", () => {
    const record = EMPTY.slice();
    record.set([0x55, 0xaa], 510);
    const text = new TextEncoder().encode("letters to my mother".repeat(100));
    for (const start of [record, text, foreignTable()]) {
      expect(refusalOf({ ...disk, bytes: 1e9, start }, 100, false)).toContain("--erase");
      expect(refusalOf({ ...disk, bytes: 1e9, start }, 100, true)).toBeUndefined();
    }
  });

  test("image: a disk with an image from before, may be written again", () => {
    const { primary } = encodeGpt(layOut(partitionsOf("amd64")));
    expect(refusalOf({ ...disk, bytes: 1000 * MIB, start: primary }, 900 * MIB, false)).toBeUndefined();
  });
});

describe("what uses a disk", () => {
  let root = "";
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "bizra-target-"));
    put("sys/class/block/sdx/dev", "8:16\n");
    put("sys/class/block/sdx/sdx1/dev", "8:17\n");
    put("sys/class/block/sdx/sdx1/partition", "1\n");
    put("sys/class/block/sdx/sdx2/dev", "8:18\n");
    put("sys/class/block/sdx/sdx2/partition", "2\n");
    mkdirSync(join(root, "sys/class/block/sdx/sdx2/holders"));
    symlinkSync("../dm-0", join(root, "sys/class/block/sdx/sdx2/holders/dm-0"));
    put("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 8:17 / /media/stick rw - vfat /dev/sdx1 rw\n");
    put("proc/swaps", "Filename Type Size\n/dev/sdx2 partition 100\n");
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("image: mounts, swap and devices built upon its partitions, are each named", () => {
    expect(blockUses(join(root, "sys/class/block/sdx"), "sdx", root)).toEqual([
      "sdx1 is mounted at /media/stick",
      "/dev/sdx2 is swap",
      "sdx2 is part of dm-0",
    ]);
  });

  test("image: a file, is looked at as one, also when a loop device is made of it", () => {
    const path = join(root, "disk.img");
    writeFileSync(path, "x".repeat(100));
    expect(lookAt(path, root)).toMatchObject({ kind: "file", bytes: 100, uses: [] });
    put("sys/class/block/loop0/loop/backing_file", `${path}\n`);
    expect(lookAt(path, root).uses).toEqual(["loop0 is made of it"]);
    expect(lookAt(join(root, "none"), root).kind).toBe("absent");
    expect(lookAt(root, root).kind).toBe("other");
  });
});
