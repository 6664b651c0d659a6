/**
 * Why the disk, or what is on it, did not serve.
 *
 * - `diskFull`: no space left (ENOSPC, quota); nothing written before is harmed, the caller may try again later
 * - `damaged`: bytes on disk are not the ones that were written; `path` names the file
 * - `busy`: another process, or another opener in this one, holds it
 * - `tooNew`: written by a later release, whose format this one does not know
 * - `missing`: no such file or folder, or a file is gone that must be there
 * - `exists`: would overwrite what is there
 * - `denied`: permissions, or a read-only file system
 * - `ioFailed`: a read, write or sync failed; what was not yet synced is uncertain
 * - `poisoned`: an earlier failure made this object refuse all further work
 */
export type StorageErrorCode = "diskFull" | "damaged" | "busy" | "tooNew" | "missing" | "exists" | "denied" | "ioFailed" | "poisoned";

/** A failure of the environment: thrown by storage, handled in a service (degrade, retry, stop), never swallowed. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /** What kind of failure it is. */
  readonly code: StorageErrorCode;
  /** The file or folder it concerns. */
  readonly path: string;

  constructor(code: StorageErrorCode, path: string, sentence: string, options?: ErrorOptions) {
    super(`${path}: ${sentence}`, options);
    this.code = code;
    this.path = path;
  }
}

/** Whether a caught value is a StorageError, of this kind when one is given. */
export function isStorageError(error: unknown, code?: StorageErrorCode): error is StorageError {
  return error instanceof StorageError && (code === undefined || error.code === code);
}

/** Error names of the operating system, as kinds of StorageError; every name not listed is `ioFailed`. */
const CODE_OF_ERRNO: ReadonlyMap<string, StorageErrorCode> = new Map([
  ["ENOSPC", "diskFull"],
  ["EDQUOT", "diskFull"],
  ["EFBIG", "diskFull"],
  ["ENOENT", "missing"],
  ["ENOTDIR", "missing"],
  ["EEXIST", "exists"],
  ["ENOTEMPTY", "exists"],
  ["EACCES", "denied"],
  ["EPERM", "denied"],
  ["EROFS", "denied"],
]);

/** Runs a system call and turns its errno into a StorageError; anything that is no system error passes unchanged. */
export function translatingErrno<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw storageErrorOf(operation, path, error);
  }
}

/** The StorageError for a caught system error; a value that is no system error comes back as it is. */
export function storageErrorOf(operation: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  const code = CODE_OF_ERRNO.get(error.code) ?? "ioFailed";
  return new StorageError(code, path, `${operation} failed (${error.code})`, { cause: error });
}
