/** SQLite as the aggregator's store; PostgreSQL runs the same suite in test/integration/aggregator. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase, openMemoryDatabase } from "../../src/storage/index.ts";
import {
  AGGREGATOR_APPLICATION_ID,
  AGGREGATOR_MIGRATIONS,
  AGGREGATOR_PAGE_BYTES,
  SqliteStore,
  StoreUnavailable,
} from "../../sync/aggregator/index.ts";
import { appendageOf, describeAggregatorStore, nodeOf, refOf } from "./aggregator-store.ts";

const directory = mkdtempSync(join(tmpdir(), "bizra-store-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;
let current: { readonly database: Database; readonly store: SqliteStore } | undefined;

function open(path: string, migrations = AGGREGATOR_MIGRATIONS): { readonly database: Database; readonly store: SqliteStore } {
  const base = { path, applicationId: AGGREGATOR_APPLICATION_ID, migrations, pageBytes: AGGREGATOR_PAGE_BYTES } as const;
  const database = openDatabase({ ...base, durability: "full", create: true });
  return { database, store: new SqliteStore(database) };
}

function opened(): { readonly database: Database; readonly store: SqliteStore } {
  if (!current) throw new Error("fresh comes first");
  return current;
}

describeAggregatorStore({
  name: "SQLite",
  fresh: async () => {
    current?.database.abandon();
    current = open(join(directory, `${++made}.db`));
    return current.store;
  },
  another: async () => opened().store,
  reopen: async () => {
    opened().database.abandon(); // closes the files and moves nothing, as a kill does
    current = open(join(directory, `${made}.db`));
    return current.store;
  },
});

describe("SQLite as the aggregator's store", () => {
  test("aggregator store: a database without room, told as full, and what it held stays", async () => {
    const { database, store } = open(join(directory, "refusing.db"));
    await store.putNode(nodeOf("a"));
    database.run("PRAGMA max_page_count = 60");
    const large = appendageOf(refOf("a"), undefined, 5_000);
    const error = await store.append([large]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error).toMatchObject({ code: "full" });
    database.abandon();
    expect(await open(join(directory, "refusing.db")).store.holdings(refOf("a"))).toEqual([]);
  });

  test("aggregator store: every earlier format, brought forward with what it holds", async () => {
    for (let version = 1; version <= AGGREGATOR_MIGRATIONS.length; version++) {
      const path = join(directory, `format-${version}.db`);
      const base = {
        path,
        applicationId: AGGREGATOR_APPLICATION_ID,
        pageBytes: AGGREGATOR_PAGE_BYTES,
        durability: "full",
        create: true,
      } as const;
      const old = openDatabase({ ...base, migrations: AGGREGATOR_MIGRATIONS.slice(0, version) });
      old.run(
        `INSERT INTO node (network, node, identity_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
         VALUES ('${refOf("a").network}', 'a', x'${"01".repeat(32)}', '0.1.0', 'unmetered', 'here', 'enrolled', 1000, 2000)`,
      );
      old.close();
      const { store } = open(path);
      expect(await store.findNode(refOf("a"))).toEqual(nodeOf("a"));
      expect(await store.append([appendageOf(refOf("a"), undefined, 2)])).toEqual(["stored"]);
      expect(await store.lanesToForward("bus", undefined, 5)).toHaveLength(1);
      await store.close();
    }
    expect(
      openMemoryDatabase({ applicationId: AGGREGATOR_APPLICATION_ID, migrations: AGGREGATOR_MIGRATIONS }).askNumber("PRAGMA user_version"),
    ).toBe(AGGREGATOR_MIGRATIONS.length);
  });
});
