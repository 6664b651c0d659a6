import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { err, ok, type Result } from "../../../src/kernel/index.ts";
import { type AccessList, formatAccessList, parseAccessList } from "./access-list.ts";

/** Bytes of an access file. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** What a file was when it was read; equal marks mean that it has not changed since. */
export type FileMark = string;

/** The mark of a file now; empty when there is none. */
export function markOf(path: string): FileMark {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

/** Reads an access file; a file that is absent lists nobody. The error is a sentence that names the file. */
export function readAccessFile(path: string): Result<AccessList, string> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return ok(new Map());
  if (found.size > FILE_BYTES_MAX) return err(`${path}: expected at most ${FILE_BYTES_MAX} bytes, got ${found.size}`);
  if ((found.mode & 0o077) !== 0) return err(`${path}: expected a file for its owner alone, got mode ${(found.mode & 0o777).toString(8)}`);
  const list = parseAccessList(readFileSync(path, "utf8"));
  return list.ok ? list : err(`${path}: ${list.error}`);
}

/** Puts an access file in place whole, for its owner's eyes alone: a reader sees the one before or this one. */
export function writeAccessFile(path: string, list: AccessList): void {
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const file = openSync(beside, "wx", 0o600);
  try {
    writeSync(file, formatAccessList(list));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(beside, 0o600);
  renameSync(beside, path);
}
