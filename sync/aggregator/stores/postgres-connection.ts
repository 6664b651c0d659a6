import { assert, type Timers } from "../../../src/kernel/index.ts";
import { StoreUnavailable } from "../types.ts";
import type { SqlPort, SqlValue } from "./sql-port.ts";

/** Runs one statement; lists travel as the text that PostgreSQL reads as an array; rows have bigint for every whole number and Uint8Array for bytes. */
export type PostgresQuery = <Row>(text: string, values: readonly SqlValue[]) => Promise<readonly Row[]>;

/** Connections of one aggregator. */
const CONNECTIONS_MAX = 8;
/** Milliseconds: for a connection, for a statement by the server's clock, and until a silent server is given up. */
const TIMES = { connectSeconds: 10, statementMs: 30_000, silenceMs: 45_000, closeSeconds: 2 } as const;

/** States of SQL that pass, by their first characters: connection, resources, conflict, lock, intervention, system, read-only. */
const PASSING_STATES = ["08", "53", "40", "55P03", "57", "58", "25006", "25P03"] as const;
const DISK_FULL = "53100";

/**
 * Connections to one PostgreSQL database. A connection that is lost is made anew at the next statement; whoever waits on
 * it is told `StoreUnavailable`. A statement whose fate is unknown counts as failed: callers compare before they repeat.
 */
export class PostgresConnections implements SqlPort {
  readonly #url: string;
  readonly #timers: Timers;
  #sql: Bun.SQL;

  /** @param url postgres://user:password@host:port/database */
  constructor(url: string, timers: Timers) {
    this.#url = url;
    this.#timers = timers;
    this.#sql = this.#connect();
  }

  /** Runs one statement in a step of its own. */
  query<Row>(text: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.#available((sql) => queryOn(sql)<Row>(text, values));
  }

  read<Row>(text: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.query<Row>(text, values);
  }

  /** One statement is a step of its own and needs no transaction around it. */
  change<Row>(...steps: readonly (readonly [text: string, values: readonly SqlValue[]])[]): Promise<readonly Row[]> {
    const [first] = steps;
    if (first && steps.length === 1) return this.query<Row>(...first);
    return this.atomically(async (query) => {
      let rows: readonly Row[] = [];
      for (const [text, values] of steps) rows = await query<Row>(text, values);
      return rows;
    });
  }

  /** Runs statements in one transaction; durable when it resolves, undone when it rejects. */
  atomically<T>(action: (query: PostgresQuery) => Promise<T>): Promise<T> {
    return this.#available((sql) => sql.begin((transaction) => action(queryOn(transaction))));
  }

  /** Lets go of every connection. */
  async close(): Promise<void> {
    await this.#sql.close({ timeout: TIMES.closeSeconds });
  }

  #connect(): Bun.SQL {
    return new Bun.SQL(this.#url, {
      max: CONNECTIONS_MAX,
      bigint: true,
      connectionTimeout: TIMES.connectSeconds,
      connection: {
        application_name: "bizra-aggregator",
        statement_timeout: String(TIMES.statementMs),
        idle_in_transaction_session_timeout: String(TIMES.statementMs),
        synchronous_commit: "on", // what is acknowledged to a node survives a power cut, whatever the server's default is
        timezone: "UTC",
      },
    });
  }

  async #available<T>(action: (sql: Bun.SQL) => Promise<T>): Promise<T> {
    const sql = this.#sql;
    const silence = Promise.withResolvers<never>();
    const cancel = this.#timers.after(TIMES.silenceMs, () => {
      // The connections of a server that went silent would keep all later statements waiting as well.
      if (this.#sql === sql) this.#sql = this.#connect();
      sql.close({ timeout: 0 }).catch(() => undefined); // they are given up either way
      silence.reject(new StoreUnavailable("failed", `PostgreSQL was silent for ${TIMES.silenceMs} ms`));
    });
    try {
      return await Promise.race([action(sql), silence.promise]);
    } catch (error) {
      throw translated(error);
    } finally {
      cancel();
    }
  }
}

/** Whole numbers as the text of an array, for `$n::bigint[]`. */
export function numberList(numbers: readonly number[]): string {
  assert(numbers.every(Number.isSafeInteger), "a list of numbers holds whole numbers");
  return `{${numbers.join(",")}}`;
}

/** Text that PostgreSQL can keep: it knows every character but U+0000, which people do not see either. */
export function keepableText(text: string): string {
  return text.replaceAll("\u0000", "\ufffd");
}

/** Texts may come from anywhere; what PostgreSQL cannot keep is replaced wherever it would go in. */
function keptValue(value: SqlValue): SqlValue {
  return typeof value === "string" ? keepableText(value) : value;
}

function queryOn(sql: Bun.SQL | Bun.TransactionSQL): PostgresQuery {
  return async <Row>(text: string, values: readonly SqlValue[]): Promise<readonly Row[]> => {
    const rows: Record<string, unknown>[] = await sql.unsafe(text, values.map(keptValue));
    for (const row of rows) {
      for (const [name, value] of Object.entries(row)) {
        if (value instanceof Buffer) row[name] = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      }
    }
    return rows as unknown as readonly Row[]; // a row is what its statement selects
  };
}

/** A failure of the database as the port's own; anything else is a defect and stays what it is. */
function translated(error: unknown): unknown {
  if (!(error instanceof Bun.SQL.PostgresError)) return error;
  const state = error.code === "ERR_POSTGRES_SERVER_ERROR" ? String(error.errno) : undefined;
  if (state === DISK_FULL) return new StoreUnavailable("full", error.message, { cause: error });
  if (state !== undefined && !PASSING_STATES.some((passing) => state.startsWith(passing))) return error;
  return new StoreUnavailable("failed", error.message, { cause: error });
}
