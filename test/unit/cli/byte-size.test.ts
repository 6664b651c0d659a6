import { expect, test } from "bun:test";
import { parseByteSize } from "../../../src/cli/byte-size.ts";
import { UsageError } from "../../../src/cli/command.ts";

const MIB = 1_024 ** 2;

test("sizes: numbers with a binary unit, read; anything else and what is out of bounds, refused with what is expected", () => {
  const parse = (text: string): number => parseByteSize(text, "--event-quota", MIB, 2 ** 50);
  expect(["1024KiB", "500MiB", "64GiB", "1024TiB"].map(parse)).toEqual([MIB, 500 * MIB, 64 * 1_024 * MIB, 2 ** 50]);
  for (const text of ["", "64", "64GB", "64 GiB", "-1GiB", "1.5GiB", "1023KiB", "1025TiB", "99999999GiB", "1e3GiB"])
    expect(() => parse(text)).toThrow(UsageError);
  expect(() => parse("64GB")).toThrow('expected --event-quota as a size such as 500MiB, 64GiB or 2TiB, from 1MiB to 1024TiB, got "64GB"');
});
