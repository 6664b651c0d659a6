import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type AggregatorStore, type EventBus, openBus, PostgresStore } from "../../sync/aggregator/index.ts";
import { findServiceUrls, loadObjectCredentials } from "../config/index.ts";
import { systemEntropy, systemTimers } from "../node/index.ts";
import { measureDiskSpace, type ObjectStore, openObjects } from "../storage/index.ts";
import { CommandFailure, type CommandInput, UsageError } from "./command.ts";

/** Flags that say where an aggregator's engines are. */
export const SERVICE_FLAGS = {
  database: {
    kind: "text",
    value: "URL",
    doc: "PostgreSQL instead of a file in the home: postgres://user@host:port/name. With a password only as BIZRA_AGGREGATOR_DATABASE.",
  },
  bus: {
    kind: "text",
    value: "URL",
    doc: "Where all events go on to: nats://host:port or kafka://host:port. With a password only as BIZRA_AGGREGATOR_BUS.",
  },
  objects: {
    kind: "text",
    value: "URL",
    doc: "Where it keeps snapshots that nodes bring: a folder, or s3://bucket/prefix?endpoint=URL with BIZRA_OBJECTS_CREDENTIALS as KEY:SECRET.",
  },
} as const;

/** Opens what the flags, or else the environment, name; nothing of what they do not. */
export async function openServices(input: CommandInput): Promise<{
  readonly store?: AggregatorStore;
  readonly bus?: EventBus;
  readonly objects?: ObjectStore;
  /** Whether the folder of the objects lies on a disk with room; always so where they are in S3. */
  readonly hasObjectRoom: () => boolean;
}> {
  const given = findServiceUrls();
  const place = flagOf(input, "objects") ?? given.objects;
  const objects = openObjectsAt(place);
  const folder = objects?.kind === "files" ? folderOf(place ?? "") : undefined;
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const hasObjectRoom = (): boolean => folder === undefined || measureDiskSpace(folder).level === "ample";
  const busUrl = flagOf(input, "bus") ?? given.bus;
  const bus = busUrl === undefined ? undefined : openBus(busUrl);
  if (bus && !bus.ok) throw new UsageError(bus.error.detail);
  const databaseUrl = flagOf(input, "database") ?? given.database;
  const store = databaseUrl === undefined ? undefined : await openDatabaseAt(databaseUrl);
  return { hasObjectRoom, ...(store && { store }), ...(bus && { bus: bus.value }), ...(objects && { objects }) };
}

async function openDatabaseAt(url: string): Promise<AggregatorStore> {
  if (!/^postgres(ql)?:\/\/./.test(url)) throw new UsageError("expected the database as postgres://user@host:port/name");
  const store = await PostgresStore.open(url, systemTimers);
  if (store.ok) return store.value;
  throw new CommandFailure(`${store.error.detail}; check the address, and that the database exists and takes connections`);
}

function openObjectsAt(place: string | undefined): ObjectStore | undefined {
  if (place === undefined) return undefined;
  if (/^https?:/i.test(place)) throw new UsageError("expected the objects as a folder or s3://bucket/prefix?endpoint=URL");
  const credentials = loadObjectCredentials(".", "");
  const opened = openObjects(place, { base: ".", entropy: systemEntropy, credentials: credentials.ok ? credentials.value : undefined });
  if (opened.ok) return opened.value;
  throw new UsageError(opened.error.detail);
}

function folderOf(place: string): string {
  return place.startsWith("file:") ? fileURLToPath(place) : resolve(place);
}

/** A flag's address. Everybody on the machine can read command lines, so one with a password is refused. */
function flagOf(input: CommandInput, name: "database" | "bus" | "objects"): string | undefined {
  const url = input.flag(name);
  if (url === undefined || !URL.parse(url)?.password) return url;
  throw new UsageError(`expected --${name} without a password; give the whole address as BIZRA_AGGREGATOR_${name.toUpperCase()}`);
}
