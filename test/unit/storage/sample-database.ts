import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  type Database,
  type DatabaseOptions,
  isStorageError,
  MemoryFileSystem,
  nodeFileSystem,
  openDatabase,
  parentOf,
  type StorageError,
} from "../../../src/storage/index.ts";

/** Small pages, so that every byte of every file can be tried. */
export const SAMPLE: Omit<DatabaseOptions, "path"> = {
  applicationId: 0x53414d50,
  migrations: [(db) => db.run("CREATE TABLE reading (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT")],
  durability: "full",
  create: true,
  pageBytes: 512,
};

/** A folder of its own for the action, removed afterwards. */
export function inFolder<T>(action: (folder: string) => T): T {
  const folder = mkdtempSync(`${tmpdir()}/bizra-database-`);
  try {
    return action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens the sample database in a folder. */
export function openSample(folder: string, options: Partial<DatabaseOptions> = {}): Database {
  return openDatabase({ ...SAMPLE, path: `${folder}/sample.db`, ...options });
}

/** The refusal to open it. */
export function refusalOfSample(folder: string, options: Partial<DatabaseOptions> = {}): StorageError {
  try {
    openSample(folder, options).abandon();
  } catch (error) {
    if (isStorageError(error)) return error;
    throw error; // only storage errors are expected
  }
  throw new Error("the database opened");
}

/** Adds rows of this many bytes, each in a commit of its own. */
export function addRows(db: Database, count: number, bytes = 100): void {
  const insert = db.prepare<unknown, [{ content: Uint8Array }]>("INSERT INTO reading (content) VALUES ($content)");
  for (let row = 0; row < count; row++) db.atomically(() => insert.run({ content: new Uint8Array(bytes).fill(row) }));
}

/** Rows in the table. */
export function countRows(db: Database): number {
  return db.askNumber("SELECT count(*) FROM reading");
}

/** Every file below a folder, by path relative to it: what a process killed now would leave. */
export function imageOf(folder: string): Map<string, Uint8Array> {
  const image = new Map<string, Uint8Array>();
  const visit = (path: string): void => {
    for (const name of nodeFileSystem.list(path)) {
      const entry = `${path}/${name}`;
      if (statSync(entry).isDirectory()) visit(entry);
      // Not of the lock: closing it here would give the lock of this process back.
      else if (!name.endsWith(".lock")) image.set(entry.slice(folder.length + 1), new Uint8Array(readFileSync(entry)));
    }
  };
  visit(folder);
  return image;
}

/** Puts an image into an empty folder. */
export function putImage(image: ReadonlyMap<string, Uint8Array>, folder: string): void {
  for (const [path, content] of image) {
    nodeFileSystem.makeDirectory(parentOf(`${folder}/${path}`));
    const file = nodeFileSystem.open(`${folder}/${path}`, "createNew");
    file.write(0, content);
    file.close();
  }
}

/** A simulated disk that holds an image in `/home`. */
export function diskWith(image: ReadonlyMap<string, Uint8Array>): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("/home");
  for (const path of image.keys()) fs.makeDirectory(parentOf(`/home/${path}`));
  fs.restore(new Map([...image].map(([path, content]) => [`/home/${path}`, content])), "/home");
  return fs;
}
