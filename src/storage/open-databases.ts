import { isStorageError } from "./storage-error.ts";

/** A database that can be let go without moving a page. */
export interface Abandonable {
  /** Lets go at once. */
  abandon(): void;
}

/** Also keeps them from the garbage collector, which would close their connections, and SQLite then checkpoints. */
const open = new Set<Abandonable>();
let isHooked = false;

/** Makes sure that the database is let go before the runtime closes its connection at exit: SQLite would checkpoint then, without sums. */
export function rememberOpenDatabase(database: Abandonable): void {
  open.add(database);
  if (isHooked) return;
  isHooked = true;
  process.on("exit", () => {
    for (const left of open) abandonAtExit(left);
  });
}

function abandonAtExit(database: Abandonable): void {
  try {
    database.abandon();
  } catch (error) {
    if (!isStorageError(error)) throw error; // its folder is gone or refuses writes: then no checkpoint will succeed either
  }
}

/** The database is closed. */
export function forgetOpenDatabase(database: Abandonable): void {
  open.delete(database);
}
