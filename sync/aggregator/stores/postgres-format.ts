import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { PostgresConnections } from "./postgres-connection.ts";
import { POSTGRES_MIGRATIONS } from "./postgres-migrations.ts";

/** Names the lock that processes take one after another while the tables are brought forward: "BZag". */
const FORMAT_LOCK = 0x42_5a_61_67;

/**
 * Brings a database's tables forward, one transaction a version; several processes may do so at once. The version is in the
 * table `bizra_format`.
 *
 * @param migrations for tests of earlier versions; all of them by default
 * @returns the version that was found, or why this release must not touch the database
 */
export async function bringForward(
  connections: PostgresConnections,
  migrations: readonly (readonly string[])[] = POSTGRES_MIGRATIONS,
): Promise<Result<number, { readonly detail: string }>> {
  let found: number | undefined;
  for (;;) {
    const step = await connections.atomically(async (query) => {
      await query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1::bigint)) AS taken", [FORMAT_LOCK]);
      await query("CREATE TABLE IF NOT EXISTS bizra_format (version bigint PRIMARY KEY, taken_at timestamptz NOT NULL DEFAULT now())", []);
      const rows = await query<{ readonly version: bigint | null }>("SELECT max(version) AS version FROM bizra_format", []);
      const version = Number(rows[0]?.version ?? 0n);
      const migration = migrations[version];
      if (migration === undefined) return { version, isDone: true };
      for (const statement of migration) await query(statement, []);
      await query("INSERT INTO bizra_format (version) VALUES ($1)", [version + 1]);
      return { version, isDone: false };
    });
    found ??= step.version;
    if (step.version > migrations.length)
      return err({ detail: `the database has format ${step.version}, of a later release; this one knows up to ${migrations.length}` });
    if (step.isDone) return ok(found);
  }
}
