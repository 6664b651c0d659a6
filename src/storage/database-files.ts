/** The files of a database, by what they are for. */
export interface DatabaseFiles {
  /** SQLite's main file. */
  readonly main: string;
  /** SQLite's write-ahead log. */
  readonly wal: string;
  /** Folder of the page sums. */
  readonly sums: string;
  /** How far the write-ahead log was committed. */
  readonly mark: string;
  /** Stays empty; its lock says that the database is open. */
  readonly lock: string;
  /** Folder in which a new database is built before it is put in place. */
  readonly building: string;
  /** Name of the main file while its connection closes without a checkpoint. */
  readonly aside: string;
}

/** The names of the files of a database at this path. */
export function databaseFiles(path: string): DatabaseFiles {
  return {
    main: path,
    wal: `${path}-wal`,
    sums: `${path}.sums`,
    mark: `${path}.mark`,
    lock: `${path}.lock`,
    building: `${path}.building`,
    aside: `${path}.aside`,
  };
}
