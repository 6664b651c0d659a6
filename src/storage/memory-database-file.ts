import { Database as Sqlite } from "bun:sqlite";
import { assert, type Prng } from "../kernel/index.ts";
import { Database } from "./database.ts";
import { type DatabaseOptions, openMemoryDatabase, prepareForUse } from "./open-database.ts";
import { StorageError } from "./storage-error.ts";

/** What a simulated database is about to do, or has done; a test may throw to stop the process at that boundary. */
export interface DatabaseEffect {
  readonly operation: "commit" | "committed" | "checkpoint";
  readonly path: string;
}

/** How a commit fails on a simulated disk: for want of room, undoing it; or with its sync, leaving it there or not. */
export type CommitFailure = "diskFull" | "ioFailed";

/** Unsynced commits whose loss can be told apart; an older one is lost together with the next. */
const TAIL_IMAGES_MAX = 4;

type FileOptions = Pick<DatabaseOptions, "path" | "applicationId" | "migrations" | "durability">;

/**
 * A database in memory that outlives the handles opened on it, as a file outlives processes: for the simulator, whose
 * disk SQLite cannot be put on. With `full` durability a step is there exactly when its commit was reached; with
 * `normal` a power cut may take back what was committed since the last sync. Damage at rest is not modelled here: the
 * real files' sums have tests of their own.
 */
export class MemoryDatabaseFile {
  readonly #options: FileOptions;
  readonly #prng: Prng;
  readonly #onEffect: (effect: DatabaseEffect) => void;
  #sqlite: Sqlite;
  #handle: Database | undefined;
  /** Content at the last sync and after each later commit, for `normal` durability. */
  #tail: Uint8Array[] = [];
  #failing: CommitFailure | undefined;

  /** @param prng decides what a power cut takes and whether a failed sync's commit is there */
  constructor(options: FileOptions, prng: Prng, onEffect: (effect: DatabaseEffect) => void) {
    this.#options = options;
    this.#prng = prng;
    this.#onEffect = onEffect;
    this.#sqlite = connect(templateOf(options));
    this.#noteTail();
  }

  /** Opens it for a new process; a handle of an earlier one is dead. */
  open(): Database {
    this.#handle?.abandon();
    const { path, applicationId, migrations } = this.#options;
    const database = new Database(path, this.#sqlite, undefined, {
      beforeCommit: () => this.#beforeCommit(),
      afterCommit: () => this.#afterCommit(),
      onSync: () => this.#onSync(),
    });
    this.#handle = database;
    prepareForUse(database, { applicationId, migrations });
    return database;
  }

  /** The process ends, and with `isPowerCut` the machine: what was not durable may be gone. */
  crash(isPowerCut: boolean): void {
    this.#handle?.abandon();
    this.#handle = undefined;
    this.#failing = undefined;
    if (!isPowerCut || this.#tail.length < 2) return;
    const kept = this.#tail[this.#prng.below(this.#tail.length)];
    assert(kept !== undefined, "the last synced content is in the list");
    this.restore(kept);
  }

  /** Lets go of the content: nobody opens it again. */
  close(): void {
    this.crash(false);
    this.#sqlite.close(true);
  }

  /** Makes the next commit fail. */
  failNextCommit(how: CommitFailure): void {
    this.#failing = how;
  }

  /** The committed content. */
  image(): Uint8Array {
    return new Uint8Array(this.#sqlite.serialize());
  }

  /** Puts an older content back, durably; no process has it open. */
  restore(image: Uint8Array): void {
    assert(this.#handle === undefined, "a database is restored while nobody uses it");
    this.#sqlite.close(true);
    this.#sqlite = connect(image);
    this.#tail = [];
    this.#noteTail();
  }

  #beforeCommit(): void {
    this.#onEffect({ operation: "commit", path: this.#options.path });
    const how = this.#failing;
    if (how === undefined || (how === "ioFailed" && this.#prng.chance(0.5))) return;
    this.#failing = undefined;
    throw new StorageError(how, this.#options.path, how === "diskFull" ? "commit failed (ENOSPC)" : "write failed (EIO)");
  }

  #afterCommit(): void {
    if (this.#failing === "ioFailed") {
      this.#failing = undefined;
      throw new StorageError("ioFailed", this.#options.path, "sync failed (EIO)");
    }
    this.#noteTail();
    this.#onEffect({ operation: "committed", path: this.#options.path });
  }

  #onSync(): void {
    this.#onEffect({ operation: "checkpoint", path: this.#options.path });
    this.#tail = [];
    this.#noteTail();
  }

  #noteTail(): void {
    if (this.#options.durability === "full") return;
    this.#tail.push(this.image());
    if (this.#tail.length > TAIL_IMAGES_MAX) this.#tail.splice(1, 1);
  }
}

/** New databases of a kind start from one image: making their tables again and again is most of what a start costs. */
const templates = new Map<string, Uint8Array>();

function templateOf({ applicationId, migrations }: FileOptions): Uint8Array {
  const key = `${applicationId}:${migrations.length}`;
  const known = templates.get(key);
  if (known) return known;
  const made = openMemoryDatabase({ applicationId, migrations });
  const image = made.image();
  made.close();
  templates.set(key, image);
  return image;
}

function connect(image: Uint8Array): Sqlite {
  return Sqlite.deserialize(image, { strict: true, safeIntegers: true });
}
