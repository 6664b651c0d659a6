/** Bytes that a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Size and kind of a directory entry. */
export interface FileStat {
  /** Bytes; 0 for a folder. */
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
}

/** How a file is opened: only to read; to read and write what exists; or new, refusing (`exists`) one that is there. */
export type OpenMode = "read" | "readWrite" | "createNew";

/** An open file. Every method throws StorageError; positions and sizes are bytes from the start. */
export interface OpenFile {
  /** Where it was opened; a later rename does not change it. */
  readonly path: string;
  /** Current length in bytes. */
  size(): number;
  /** Reads into `target` from `position` until it is full or the file ends; gives the count read. */
  read(position: number, target: Uint8Array): number;
  /**
   * Writes all of `bytes` at `position`, extending the file when needed. Not durable until a sync returns.
   * After a failure any prefix may have been written.
   */
  write(position: number, bytes: Uint8Array): void;
  /** Cuts or zero-extends to this length. Not durable until a sync returns. */
  truncate(sizeBytes: number): void;
  /**
   * Makes content and length durable. When it throws, what was written since the last sync is in doubt for ever: the
   * kernel forgets the failed pages, so a repeated sync that succeeds proves nothing about them.
   *
   * @see https://wiki.postgresql.org/wiki/Fsync_Errors
   */
  sync(): void;
  /** As `sync`, off this thread: durable is what was written before the call. */
  syncAsync(): Promise<void>;
  /** Releases the handle; syncs nothing. */
  close(): void;
}

/**
 * The file operations that storage stands on: a real disk, or one with a fault model. Every method throws StorageError.
 *
 * A new, renamed or removed entry is durable only after `syncDirectory` of its folder. Names are paths with `/`.
 */
export interface FileSystem {
  open(path: string, mode: OpenMode): OpenFile;
  /** The whole content. */
  readFile(path: string): Uint8Array;
  /** Undefined when there is no such entry. */
  stat(path: string): FileStat | undefined;
  /** Names (not paths) in the folder, in code unit order. */
  list(directory: string): readonly string[];
  /** Moves a file or folder, replacing a file of the new name in one step. */
  rename(from: string, to: string): void;
  /** Removes a file, or an empty folder. */
  remove(path: string): void;
  /** Makes a folder that only its owner can enter (0700); harmless when it exists. Its parent must exist. */
  makeDirectory(path: string): void;
  /** Makes creations, renames and removals in this folder durable. */
  syncDirectory(path: string): void;
}

/** The folder part of a path: `.` when it names none. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/**
 * Puts a whole file in place so that after a crash the old or the new content is there, never a mixture: writes it
 * beside, syncs, renames, syncs the folder.
 */
export function replaceFile(fs: FileSystem, path: string, content: Uint8Array): void {
  const beside = `${path}.new`;
  if (fs.stat(beside) !== undefined) fs.remove(beside);
  const file = fs.open(beside, "createNew");
  try {
    file.write(0, content);
    file.sync();
  } finally {
    file.close();
  }
  fs.rename(beside, path);
  fs.syncDirectory(parentOf(path));
}
