import { describe, expect, test } from "bun:test";
import { withoutSections } from "../../../.ci/elf.ts";

const HEADER_BYTES = 64;
const ENTRY_BYTES = 56;

/** A library of one segment after its tables, and so many bytes of sections behind it. */
function library(segmentBytes: number, sectionBytes: number): Uint8Array {
  const start = HEADER_BYTES + ENTRY_BYTES;
  const bytes = new Uint8Array(start + segmentBytes + sectionBytes).fill(0xaa, start);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setBigUint64(40, BigInt(start + segmentBytes), true);
  view.setUint16(54, ENTRY_BYTES, true);
  view.setUint16(56, 1, true);
  view.setUint16(60, 7, true);
  view.setUint16(62, 6, true);
  view.setBigUint64(HEADER_BYTES + 8, BigInt(start), true);
  view.setBigUint64(HEADER_BYTES + 32, BigInt(segmentBytes), true);
  return bytes;
}

describe("trimming of addons", () => {
  test("withoutSections: a library, its segments as they were and no section table", () => {
    const whole = library(100, 400);
    const trimmed = withoutSections(whole);
    expect(trimmed.length).toBe(whole.length - 400);
    expect(trimmed.subarray(HEADER_BYTES)).toEqual(whole.subarray(HEADER_BYTES, trimmed.length));
    const header = new DataView(trimmed.buffer);
    expect([header.getBigUint64(40, true), header.getUint16(60, true), header.getUint16(62, true)]).toEqual([0n, 0, 0]);
    expect(withoutSections(trimmed)).toEqual(trimmed);
  });

  test("withoutSections: other files, and one cut short, refused", () => {
    expect(() => withoutSections(new Uint8Array(200))).toThrow("no 64-bit");
    expect(() => withoutSections(library(100, 0).subarray(0, -1))).toThrow("cut short");
    expect(() => withoutSections(library(0, 0).subarray(0, 80))).toThrow("program table");
  });
});
