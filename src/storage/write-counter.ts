import { nodeFileSystem } from "./node-file-system.ts";
import { isStorageError } from "./storage-error.ts";

/** Bytes that this process has caused to be written since it started; undefined where the system does not count them. */
export interface WriteCount {
  /** Handed to write calls. */
  readonly calledBytes: number;
  /**
   * Charged to this process as pages got dirty. On kernels with large folios a small overwrite is charged the whole folio
   * (up to a megabyte), so this can exceed what the disk sees by far; without a journal's own writes it can also be less.
   */
  readonly chargedBytes: number;
}

/** Reads /proc/self/io. @see proc_pid_io(5) */
export function countWrites(): WriteCount | undefined {
  try {
    const text = new TextDecoder().decode(nodeFileSystem.readFile("/proc/self/io"));
    const read = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return { calledBytes: read("wchar"), chargedBytes: read("write_bytes") };
  } catch (error) {
    if (!isStorageError(error)) throw error; // not Linux, or not allowed
    return undefined;
  }
}
