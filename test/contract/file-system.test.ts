/** The file system port: one suite, run by the disk of this machine and by the simulated one. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  type FileSystem,
  isStorageError,
  MemoryFileSystem,
  nodeFileSystem,
  replaceFile,
  type StorageErrorCode,
} from "../../src/storage/index.ts";

const root = mkdtempSync(`${tmpdir()}/bizra-file-system-`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const implementations: readonly (readonly [string, FileSystem, string])[] = [
  ["node", nodeFileSystem, root],
  ["memory", new MemoryFileSystem(), ""],
];

function refusal(action: () => unknown): StorageErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (!isStorageError(error)) throw error; // the verdict under test
    return error.code;
  }
  return undefined;
}

describe.each(implementations)("%s", (_, fs, base) => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test("file system: bytes written at positions, read back with the gap as zeros", () => {
    const file = fs.open(`${base}/written`, "createNew");
    file.write(0, bytes(1, 2, 3));
    file.write(5, bytes(9));
    expect(file.size()).toBe(6);
    const target = new Uint8Array(10);
    expect(file.read(1, target)).toBe(5);
    expect(Array.from(target.subarray(0, 5))).toEqual([2, 3, 0, 0, 9]);
    expect(file.read(6, target)).toBe(0);
    file.close();
    expect(fs.readFile(`${base}/written`)).toEqual(bytes(1, 2, 3, 0, 0, 9));
  });

  test("file system: a file cut and extended, keeps what it holds and zeros after it", () => {
    const file = fs.open(`${base}/cut`, "createNew");
    file.write(0, bytes(1, 2, 3, 4));
    file.truncate(2);
    file.truncate(3);
    file.sync();
    file.close();
    expect(fs.readFile(`${base}/cut`)).toEqual(bytes(1, 2, 0));
  });

  test("file system: an existing file opened to write, keeps its content", async () => {
    replaceFile(fs, `${base}/kept`, bytes(1, 2));
    const file = fs.open(`${base}/kept`, "readWrite");
    file.write(2, bytes(3));
    await file.syncAsync();
    file.close();
    expect(fs.readFile(`${base}/kept`)).toEqual(bytes(1, 2, 3));
  });

  test("file system: a file replaced, holds the new content and leaves nothing beside", () => {
    replaceFile(fs, `${base}/whole`, bytes(1));
    replaceFile(fs, `${base}/whole`, bytes(2, 2));
    expect(fs.readFile(`${base}/whole`)).toEqual(bytes(2, 2));
    expect(fs.stat(`${base}/whole.new`)).toBeUndefined();
  });

  test("file system: entries of a folder, listed in order and moved with it", () => {
    fs.makeDirectory(`${base}/folder`);
    fs.makeDirectory(`${base}/folder`);
    for (const name of ["b", "a", "C"]) fs.open(`${base}/folder/${name}`, "createNew").close();
    expect(fs.list(`${base}/folder`)).toEqual(["C", "a", "b"]);
    fs.syncDirectory(`${base}/folder`);
    fs.rename(`${base}/folder`, `${base}/moved`);
    expect(fs.stat(`${base}/folder`)).toBeUndefined();
    expect(fs.list(`${base}/moved`)).toHaveLength(3);
    expect(fs.stat(`${base}/moved`)).toEqual({ sizeBytes: 0, isDirectory: true });
    fs.remove(`${base}/moved/a`);
    expect(fs.stat(`${base}/moved/a`)).toBeUndefined();
    expect(fs.stat(`${base}/moved/b`)).toEqual({ sizeBytes: 0, isDirectory: false });
  });

  test("file system: what cannot be done, is refused by kind", () => {
    fs.makeDirectory(`${base}/full`);
    fs.open(`${base}/full/one`, "createNew").close();
    expect(refusal(() => fs.open(`${base}/full/one`, "createNew"))).toBe("exists");
    expect(refusal(() => fs.open(`${base}/absent`, "read"))).toBe("missing");
    expect(refusal(() => fs.open(`${base}/absent`, "readWrite"))).toBe("missing");
    expect(refusal(() => fs.readFile(`${base}/absent`))).toBe("missing");
    expect(refusal(() => fs.list(`${base}/absent`))).toBe("missing");
    expect(refusal(() => fs.remove(`${base}/absent`))).toBe("missing");
    expect(refusal(() => fs.rename(`${base}/absent`, `${base}/other`))).toBe("missing");
    expect(refusal(() => fs.makeDirectory(`${base}/absent/inner`))).toBe("missing");
    expect(refusal(() => fs.remove(`${base}/full`))).toBe("exists");
    expect(refusal(() => fs.makeDirectory(`${base}/full/one`))).toBe("exists");
    expect(fs.stat(`${base}/absent/inner`)).toBeUndefined();
  });

  test("file system: a file removed while open, still readable by its handle", () => {
    const file = fs.open(`${base}/unlinked`, "createNew");
    file.write(0, bytes(7));
    fs.remove(`${base}/unlinked`);
    const target = new Uint8Array(1);
    expect(file.read(0, target)).toBe(1);
    expect(Array.from(target)).toEqual([7]);
    file.close();
  });
});
