import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressImage } from "../../../image/disk/compressed.ts";
import { writeRawImage } from "../../../image/disk/raw-image.ts";
import { lookAt } from "../../../image/disk/target.ts";
import { flashImage } from "../../../image/flash.ts";
import { layOut, MIB, partitionsOf } from "../../../image/layout/partitions.ts";

/** A disk of the real kind, but with partitions of one MiB. */
const layout = layOut(partitionsOf("amd64").map((partition) => ({ ...partition, sizeMib: 1 })));
const content = Uint8Array.from({ length: MIB }, (_, i) => (i * 31 + (i >> 10)) & 255);
const contents = new Map([
  ["boot-A", content],
  ["data", content.subarray(0, 100_000)],
] as const);

let folder = "";
const at = (name: string): string => join(folder, name);
const quiet = (): void => {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bizra-flash-"));
  writeRawImage(at("a.img"), layout, contents);
  await compressImage(at("a.img"), at("a.img.zst"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const order = (image: string, target: string, mayErase = false) => ({
  image: at(image),
  target: at(target),
  diskBytes: layout.diskBytes,
  mayErase,
});

describe("flash", () => {
  test("image: a compressed image, arrives whole, and holes are not written", async () => {
    const steps: string[] = [];
    const { bytes, writtenBytes } = await flashImage(order("a.img.zst", "new"), (step) => void steps.push(step));
    expect(Buffer.compare(readFileSync(at("new")), readFileSync(at("a.img")))).toBe(0);
    expect(bytes).toBe(layout.diskBytes);
    expect(writtenBytes).toBeLessThan(5 * MIB); // both tables, one full partition, one with a part
    expect([steps[0], steps.at(-1)]).toEqual(["writing", "comparing"]);
  });

  test("image: a disk that was used, ends with the image's bytes and nothing of what was there", async () => {
    writeFileSync(at("used"), Buffer.alloc(layout.diskBytes, 0x77));
    await expect(flashImage(order("a.img", "used"), quiet)).rejects.toThrow("--erase");
    expect(readFileSync(at("used"))[0]).toBe(0x77);
    await flashImage(order("a.img", "used", true), quiet);
    expect(Buffer.compare(readFileSync(at("used")), readFileSync(at("a.img")))).toBe(0);
  });

  test("image: a target that loses what was written, is found out", async () => {
    const faulty = async (): Promise<void> => {
      await flashImage(order("a.img", "faulty"), (step, done) => {
        // What a card that is smaller than it says does: it takes all and keeps some.
        if (step === "writing" && done === layout.diskBytes) writeFileSync(at("faulty"), Buffer.alloc(10 * MIB), { flag: "r+" });
      });
    };
    await expect(faulty()).rejects.toThrow("does not hold what was written");
  });

  test("image: something that is no image, is refused before the target is touched", async () => {
    writeFileSync(at("other.img"), Buffer.alloc(layout.diskBytes));
    writeFileSync(at("untouched"), "");
    await expect(flashImage(order("other.img", "untouched"), quiet)).rejects.toThrow("nothing was written");
    expect(statSync(at("untouched")).size).toBe(0);
  });

  test("image: an image that is cut short, compressed or not, is said to be", async () => {
    writeFileSync(at("short.img"), readFileSync(at("a.img")).subarray(0, 5 * MIB));
    await expect(flashImage(order("short.img", "t1"), quiet)).rejects.toThrow("cut short");
    const compressed = readFileSync(at("a.img.zst"));
    writeFileSync(at("short.img.zst"), compressed.subarray(0, compressed.length - 40));
    await expect(flashImage(order("short.img.zst", "t2"), quiet)).rejects.toThrow(/whole compressed image|cut short/);
  });

  test("image: a place where nothing can be written, is said in a sentence", async () => {
    await expect(flashImage(order("a.img", "no/such/folder"), quiet)).rejects.toThrow("cannot be written");
    await expect(flashImage(order("none.img", "t3"), quiet)).rejects.toThrow("cannot be written");
  });

  test("image: a mounted disk, is refused and left alone", async () => {
    writeFileSync(at("mounted"), "");
    const look = (path: string) => ({ ...lookAt(path), uses: ["it is mounted at /home"] });
    await expect(flashImage(order("a.img", "mounted", true), quiet, look)).rejects.toThrow("mounted at /home");
    truncateSync(at("mounted"), 0);
  });
});
