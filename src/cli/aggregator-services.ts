import { type AggregatorStore, type EventBus, openBus, PostgresStore } from "../../sync/aggregator/index.ts";
import { findServiceUrls } from "../config/index.ts";
import { systemTimers } from "../node/index.ts";
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
} as const;

/** Opens what the flags, or else the environment, name; nothing of what they do not. */
export async function openServices(input: CommandInput): Promise<{ readonly store?: AggregatorStore; readonly bus?: EventBus }> {
  const given = findServiceUrls();
  const busUrl = flagOf(input, "bus") ?? given.bus;
  const bus = busUrl === undefined ? undefined : openBus(busUrl);
  if (bus && !bus.ok) throw new UsageError(bus.error.detail);
  const databaseUrl = flagOf(input, "database") ?? given.database;
  const store = databaseUrl === undefined ? undefined : await openDatabaseAt(databaseUrl);
  return { ...(store && { store }), ...(bus && { bus: bus.value }) };
}

async function openDatabaseAt(url: string): Promise<AggregatorStore> {
  if (!/^postgres(ql)?:\/\/./.test(url)) throw new UsageError("expected the database as postgres://user@host:port/name");
  const store = await PostgresStore.open(url, systemTimers);
  if (store.ok) return store.value;
  throw new CommandFailure(`${store.error.detail}; check the address, and that the database exists and takes connections`);
}

/** A flag's address. Everybody on the machine can read command lines, so one with a password is refused. */
function flagOf(input: CommandInput, name: "database" | "bus"): string | undefined {
  const url = input.flag(name);
  if (url === undefined || !URL.parse(url)?.password) return url;
  throw new UsageError(`expected --${name} without a password; give the whole address as BIZRA_AGGREGATOR_${name.toUpperCase()}`);
}
