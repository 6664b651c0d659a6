import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepBallast } from "../../../src/cli/box/ballast.ts";

const MIB = 1024 * 1024;
let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bizra-ballast-"));
  mkdirSync(join(home, "box"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const ballast = (): string => join(home, "box/ballast");

test("box: with plenty of room, some is kept aside in blocks of its own, once", () => {
  keepBallast(home, 100 * MIB);
  const { size, blocks, ino } = statSync(ballast());
  expect([size, blocks * 512 >= 4 * MIB]).toEqual([4 * MIB, true]);
  keepBallast(home, 100 * MIB);
  expect(statSync(ballast()).ino).toBe(ino);
});

test("box: on a full disk, the room is given back; in between, nothing is laid and nothing taken away", () => {
  keepBallast(home, 20 * MIB);
  expect(existsSync(ballast())).toBe(false);
  keepBallast(home, 100 * MIB);
  keepBallast(home, 20 * MIB);
  expect(existsSync(ballast())).toBe(true);
  for (let again = 0; again < 2; again++) keepBallast(home, 7 * MIB);
  expect(existsSync(ballast())).toBe(false);
});

test("box: a disk that takes nothing, is left without", () => {
  rmSync(join(home, "box"), { recursive: true });
  keepBallast(home, 100 * MIB);
  expect(existsSync(ballast())).toBe(false);
});

test("box: by what the disk itself says, it is laid or not, and nothing fails", () => {
  keepBallast(home);
  keepBallast(home);
});
