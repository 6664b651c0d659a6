/** The aggregator's store on a real PostgreSQL: the contract of every store, and what only a server can do wrong. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemTimers } from "../../../src/node/ports.ts";
import { PostgresStore, StoreUnavailable } from "../../../sync/aggregator/index.ts";
import { PostgresConnections } from "../../../sync/aggregator/stores/postgres-connection.ts";
import { bringForward } from "../../../sync/aggregator/stores/postgres-format.ts";
import { POSTGRES_MIGRATIONS } from "../../../sync/aggregator/stores/postgres-migrations.ts";
import { appendageOf, describeAggregatorStore, nodeOf, refOf } from "../../contract/aggregator-store.ts";
import { findPostgresql, PostgresServer } from "./postgresql.ts";

const postgresql = await findPostgresql();
if ("reason" in postgresql) {
  console.warn(`SKIPPED: the aggregator on PostgreSQL. ${postgresql.reason}`);
  test.skip("aggregator store: PostgreSQL", () => {});
} else {
  const server = new PostgresServer(postgresql.programs, ["fsync=off", "max_connections=200"]); // no power fails in a test
  const opened: PostgresStore[] = [];
  let url = "";
  const open = async (address = url): Promise<PostgresStore> => {
    const store = await PostgresStore.open(address, systemTimers);
    if (!store.ok) throw new Error(store.error.detail);
    opened.push(store.value);
    return store.value;
  };
  beforeAll(() => server.start(), 60_000);
  afterAll(async () => {
    for (const store of opened) await store.close();
    await server.remove();
  });

  describeAggregatorStore({
    name: "PostgreSQL",
    fresh: async () => {
      for (const store of opened.splice(0)) await store.close();
      ({ url } = await server.makeDatabase());
      return open();
    },
    another: () => open(),
    reopen: async () => {
      await server.stop("SIGQUIT");
      await server.start();
      return open();
    },
  });

  describe("PostgreSQL as the aggregator's store", () => {
    test("aggregator store: the server gone and back, told as unavailable, and then as if nothing had been", async () => {
      ({ url } = await server.makeDatabase());
      const store = await open();
      await store.putNode(nodeOf("a"));
      const first = appendageOf(refOf("a"), undefined, 3);
      await store.append([first]);
      await server.stop("SIGQUIT");
      const error = await store.append([appendageOf(refOf("a"), first.after, 2)]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(error).toMatchObject({ code: "failed" });
      await expect(store.findNode(refOf("a"))).rejects.toThrow(StoreUnavailable);
      const refused = await PostgresStore.open(url, systemTimers);
      expect(refused.ok).toBe(false);
      await server.start();
      expect(await store.holdings(refOf("a"))).toEqual([first.after]);
      expect(await store.append([appendageOf(refOf("a"), first.after, 2)])).toEqual(["stored"]);
    }, 240_000);

    test("aggregator store: its connection cut in the middle of a step, nothing of the step is there", async () => {
      const { name, url: address } = await server.makeDatabase();
      const store = await open(address);
      await store.putNode(nodeOf("a"));
      const lock = new Bun.SQL(address, { max: 1 });
      const isLocked = Promise.withResolvers<void>();
      const unlock = Promise.withResolvers<void>();
      const holding = lock.begin(async (transaction) => {
        await transaction.unsafe("LOCK TABLE event");
        isLocked.resolve();
        await unlock.promise;
      });
      await isLocked.promise;
      const waiting = store.append([appendageOf(refOf("a"), undefined, 3)]).catch((reason: unknown) => reason);
      const cut = `SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity WHERE datname = '${name}' AND wait_event_type = 'Lock'`;
      while ((await server.query("postgres", cut)).length === 0) await Bun.sleep(20);
      expect(await waiting).toBeInstanceOf(StoreUnavailable);
      unlock.resolve();
      await holding;
      await lock.close();
      expect(await store.holdings(refOf("a"))).toEqual([]);
      expect(await store.append([appendageOf(refOf("a"), undefined, 3)])).toEqual(["stored"]);
    }, 240_000);

    test("aggregator store: every earlier format, brought forward with what it holds; a later one, left alone", async () => {
      for (let version = 0; version <= POSTGRES_MIGRATIONS.length; version++) {
        const { url: address } = await server.makeDatabase();
        const connections = new PostgresConnections(address, systemTimers);
        expect(await bringForward(connections, POSTGRES_MIGRATIONS.slice(0, version))).toEqual({ ok: true, value: 0 });
        if (version > 0) {
          await connections.query(
            `INSERT INTO node (network, node, identity_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
             VALUES ('${refOf("a").network}', 'a', '\\x${"01".repeat(32)}', '0.1.0', 'unmetered', 'here', 'enrolled', 1000, 2000)`,
          );
        }
        // Three processes of the next release start at once.
        const [store] = await Promise.all([open(address), open(address), open(address)]);
        expect(await store.findNode(refOf("a"))).toEqual(version > 0 ? nodeOf("a") : undefined);
        if (version === 0) await store.putNode(nodeOf("a"));
        expect(await store.append([appendageOf(refOf("a"), undefined, 2)])).toEqual(["stored"]);
        expect(await store.lanesToForward("bus", undefined, 5)).toHaveLength(1);
        await connections.query("INSERT INTO bizra_format (version) VALUES (1000)");
        await connections.close();
        const later = await PostgresStore.open(address, systemTimers);
        expect(later).toMatchObject({ ok: false, error: { detail: expect.stringContaining("later release") } });
      }
    }, 240_000);
  });
}
