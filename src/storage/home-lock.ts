import { acquireFileLock, type FileLock } from "./file-lock.ts";

/**
 * Takes the home of a node for this process alone, for as long as it lives.
 *
 * @param home an existing folder; `home.lock` in it stays empty
 * @throws StorageError `busy` when a running process has it, `denied`, `missing`
 */
export function acquireHomeLock(home: string): FileLock {
  return acquireFileLock(`${home}/home.lock`);
}
