import type { NodeRef } from "../types.ts";

/** A value that a statement takes. */
export type SqlValue = string | number | Uint8Array | null;

/**
 * How what is the same on every database asks: one text for all, with `$1` for the first value. Rows have bigint for whole
 * numbers and Uint8Array for bytes. Rejects with `StoreUnavailable`.
 */
export interface SqlPort {
  /** Rows of one statement that changes nothing. */
  read<Row>(text: string, values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Runs statements as one durable step; the rows are those of the last. */
  change<Row>(...steps: readonly (readonly [text: string, values: readonly SqlValue[]])[]): Promise<readonly Row[]>;
}

/** Row ids that are remembered. */
const IDS_MAX = 100_000;

/** Row ids of nodes, which never change. */
export class NodeIds {
  readonly #sql: SqlPort;
  readonly #ids = new Map<string, number>();

  constructor(sql: SqlPort) {
    this.#sql = sql;
  }

  /** The id of a node's row; undefined for a node that is not there. */
  async find({ network, node }: NodeRef): Promise<number | undefined> {
    const key = `${network}/${node}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const [row] = await this.#sql.read<{ readonly id: bigint }>("SELECT id FROM node WHERE network = $1 AND node = $2", [network, node]);
    if (!row) return undefined;
    if (this.#ids.size >= IDS_MAX) this.#ids.clear();
    this.#ids.set(key, Number(row.id));
    return Number(row.id);
  }
}
