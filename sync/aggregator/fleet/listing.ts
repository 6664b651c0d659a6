import type { NodeRow } from "./rows.ts";
import { NODE_STATES, type NodeState } from "./status.ts";

/** What nodes are sorted by. */
export const SORT_KEYS = [
  "node",
  "network",
  "site",
  "status",
  "software",
  "height",
  "heightLag",
  "peers",
  "rpo",
  "diskFree",
  "wear",
  "temperature",
  "dataUsed",
] as const;

/** One of `SORT_KEYS`. */
export type SortKey = (typeof SORT_KEYS)[number];

/** Which nodes, and in what order. */
export type ListQuery = {
  readonly sort: SortKey;
  readonly order: "ascending" | "descending";
  readonly state: NodeState | undefined;
  readonly network: string | undefined;
  /** Found in name, site, software or network, without regard to case. */
  readonly text: string;
};

/** Where a row stands in an order; undefined stands last, whichever way. */
type Value = string | number | undefined;

const VALUES = {
  node: ({ node }) => node,
  network: ({ network }) => network,
  site: ({ site }) => site,
  // The worst first in a falling order, the older first among equals.
  status: ({ status }) => NODE_STATES.indexOf(status.state) * 1e12 + (status.ageMs ?? 1e12 - 1),
  software: ({ software }) => software,
  height: ({ height }) => height,
  heightLag: ({ heightLag }) => heightLag,
  peers: ({ peers }) => peers,
  rpo: ({ rpoMs }) => rpoMs,
  diskFree: ({ figures }) => figures?.["diskFreeBytes"],
  wear: ({ figures }) => figures?.["storageWearPercent"],
  temperature: ({ figures }) => figures?.["temperatureCelsius"],
  dataUsed: ({ figures }) => figures?.["syncBytes"],
} as const satisfies Record<SortKey, (row: NodeRow) => Value>;

/** Counts of nodes by state. */
export type StateCounts = Readonly<Record<NodeState, number>>;

/** The rows that a query wants, in its order, and how many of each state there are whatever state it asks for. */
export function listRows(rows: readonly NodeRow[], query: ListQuery): { readonly rows: readonly NodeRow[]; readonly counts: StateCounts } {
  const text = query.text.toLowerCase();
  const isWanted = (row: NodeRow): boolean =>
    (query.network === undefined || row.network === query.network) &&
    (text === "" || [row.node, row.site, row.software, row.network].some((field) => field.toLowerCase().includes(text)));
  const counts = { online: 0, degraded: 0, unknown: 0 };
  const wanted: NodeRow[] = [];
  for (const row of rows) {
    if (!isWanted(row)) continue;
    counts[row.status.state]++;
    if (query.state === undefined || row.status.state === query.state) wanted.push(row);
  }
  return { rows: sortRows(wanted, query), counts };
}

function sortRows(rows: readonly NodeRow[], { sort, order }: ListQuery): readonly NodeRow[] {
  const figureOf: (row: NodeRow) => Value = VALUES[sort];
  const sign = order === "ascending" ? 1 : -1;
  const keyed = rows.map((row) => ({ row, value: figureOf(row) }));
  keyed.sort(
    (a, b) => compareValues(a.value, b.value, sign) || compareTexts(a.row.node, b.row.node) || compareTexts(a.row.network, b.row.network),
  );
  return keyed.map(({ row }) => row);
}

function compareValues(a: Value, b: Value, sign: number): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * compareTexts(String(a), String(b));
}

/** By UTF-16 code units, so that every machine has the same order. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
