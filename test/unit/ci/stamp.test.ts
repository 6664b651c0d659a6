import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashOfFiles, stampOfBinary, stampOfTree, stampPath } from "../../../.ci/stamp.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-stamp-"));
  mkdirSync(join(folder, "src", "deep"), { recursive: true });
  writeFileSync(join(folder, "src", "a.ts"), "one");
  writeFileSync(join(folder, "src", "deep", "b.ts"), "two");
  writeFileSync(join(folder, "notes.md"), "free");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hash = (): string => hashOfFiles(folder, ["src", "absent"]);

test("stamp: the same files, the same hash, whatever lies beside them", () => {
  const before = hash();
  writeFileSync(join(folder, "notes.md"), "changed");
  expect(hash()).toBe(before);
});

test("stamp: a byte changed, a file added, removed or renamed, another hash each time", () => {
  const hashes = [hash()];
  writeFileSync(join(folder, "src", "a.ts"), "onf");
  hashes.push(hash());
  writeFileSync(join(folder, "src", "c.ts"), "");
  hashes.push(hash());
  renameSync(join(folder, "src", "deep", "b.ts"), join(folder, "src", "deep", "d.ts"));
  hashes.push(hash());
  rmSync(join(folder, "src", "deep", "d.ts"));
  hashes.push(hash());
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("stamp: a binary without its stamp or a stamp without its binary, none", () => {
  const binary = join(folder, "bizra");
  expect(stampOfBinary(binary)).toBeUndefined();
  writeFileSync(stampPath(binary), "{}");
  expect(stampOfBinary(binary)).toBeUndefined();
});

test("stamp: the working tree, version of package.json and a commit or the admission that there is none", () => {
  const { version, commit, inputs } = stampOfTree();
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(commit).toMatch(/^([0-9a-f]{40}(\+changes)?|unknown)$/);
  expect(inputs).toMatch(/^[0-9a-f]{64}$/);
});
