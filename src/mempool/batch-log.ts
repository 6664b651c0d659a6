import { isStorageError, type Location, type LogDamage, type RecordLog, StorageError } from "../storage/index.ts";
import { decodeLogRecord, type LogRecord } from "./log-record.ts";
import type { BatchLocation } from "./types.ts";

/**
 * The batch log: the one place where transactions' bytes are written. Records are appended in groups and made durable by
 * one sync off this thread. A full disk voids the group and nothing else; any other failure throws and the log is done.
 */
export class BatchLog {
  readonly #log: RecordLog;

  constructor(log: RecordLog) {
    this.#log = log;
  }

  /** Index that the next record gets. */
  get nextRecord(): number {
    return this.#log.nextIndex;
  }

  /** Bytes on disk. */
  get sizeBytes(): number {
    return this.#log.sizeBytes;
  }

  /**
   * Adds a record to the group that the next `sync` makes durable.
   *
   * @returns where it will stand, or undefined when the disk is full: nothing more fits into this group
   * @throws StorageError when the log cannot go on
   */
  append(record: Uint8Array): BatchLocation | undefined {
    try {
      const { index, segment, offset, length } = this.#log.append(record);
      return { record: index, segment, offset, length };
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // only a full disk leaves a log that can go on
      return undefined;
    }
  }

  /**
   * Makes the group durable.
   *
   * @returns the index below which records are durable; a record of the group that is not below it is gone for want of space
   * @throws StorageError when the log cannot go on: nothing of the group may be called durable
   */
  async sync(): Promise<number> {
    try {
      await this.#log.syncAsync();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // only a full disk leaves a log that can go on
    }
    return this.#log.durableIndex;
  }

  /**
   * The record at a place; undefined when it was pruned.
   *
   * @throws StorageError `damaged`, naming the file, when it is not what was written
   */
  read(location: BatchLocation): LogRecord | undefined {
    if (location.record < this.#log.firstIndex) return undefined;
    const { record: index, segment, offset, length } = location;
    const body = this.#log.read({ index, segment, offset, length });
    if (!body.ok) throw damaged(body.error);
    return decoded(body.value, location);
  }

  /**
   * Visits every record from an index on, in order.
   *
   * @throws StorageError `damaged`, naming the file
   */
  replay(fromRecord: number, visit: (record: LogRecord, location: BatchLocation) => void): void {
    const walked = this.#log.forEach(fromRecord, (body, { index, segment, offset, length }: Location) => {
      const location = { record: index, segment, offset, length };
      visit(decoded(body, location), location);
    });
    if (!walked.ok) throw damaged(walked.error);
  }

  /** How many segments hold only records below this one. */
  countBefore(record: number): number {
    return this.#log.countBefore(record);
  }

  /** Deletes the segments that hold only records below this one, so many at most, the oldest first. */
  dropBefore(record: number, countMax?: number): void {
    this.#log.dropBefore(record, countMax);
  }
}

function damaged({ file, offset, detail }: LogDamage): StorageError {
  return new StorageError("damaged", file, `the batch log is damaged at offset ${offset}: ${detail}`);
}

/** A record that its hash proves but that does not decode was written by something else than this code. */
function decoded(body: Uint8Array, location: BatchLocation): LogRecord {
  const record = decodeLogRecord(body);
  if (!record.ok) {
    throw new StorageError(
      "damaged",
      `segment ${location.segment}`,
      `record ${location.record} of the batch log is no record of a mempool`,
    );
  }
  return record.value;
}
