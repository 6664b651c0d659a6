import { bytesText, type Content, countText, durationText, make, shortHex } from "../../../src/page/browser.ts";
import type { SortKey } from "../fleet/listing.ts";
import type { NodeRow } from "./api.ts";
import { nodeHref } from "./view.ts";

/** A column of the table. `phone`: shown on a narrow screen too. */
export type Column = {
  readonly key: SortKey;
  readonly title: string;
  readonly isNumber?: true;
  readonly phone?: true;
  readonly cell: (row: NodeRow) => Content;
};

const figure =
  (name: string, text: (value: number) => string) =>
  (row: NodeRow): Content => {
    const value = row.figures?.[name];
    return value === undefined ? "\u2013" : text(value);
  };
const known = (value: number | undefined, text: (value: number) => string): Content => (value === undefined ? "\u2013" : text(value));

/** The columns, but that of the status, which changes by itself. */
export const COLUMNS: readonly Column[] = [
  {
    key: "node",
    title: "Node",
    phone: true,
    cell: (row) => [
      make("a", { href: nodeHref(row) }, row.node),
      row.enrolment === "revoked" ? make("span", { class: "tag" }, "revoked") : undefined,
      row.role === "observer" ? make("span", { class: "tag" }, "observer") : undefined,
    ],
  },
  { key: "status", title: "Status", phone: true, cell: () => undefined },
  { key: "network", title: "Network", cell: ({ network }) => make("code", { title: network }, shortHex(network)) },
  { key: "site", title: "Site", cell: ({ site }) => site || "\u2013" },
  { key: "software", title: "Version", cell: ({ software }) => software },
  { key: "height", title: "Height", isNumber: true, cell: ({ height }) => known(height, countText) },
  { key: "heightLag", title: "Lag", isNumber: true, phone: true, cell: ({ heightLag }) => known(heightLag, countText) },
  { key: "peers", title: "Peers", isNumber: true, cell: ({ peers }) => known(peers, countText) },
  { key: "rpo", title: "Live RPO", isNumber: true, cell: ({ rpoMs }) => known(rpoMs, durationText) },
  { key: "diskFree", title: "Disk free", isNumber: true, cell: figure("diskFreeBytes", bytesText) },
  { key: "wear", title: "Wear", isNumber: true, cell: figure("storageWearPercent", (value) => `${value} %`) },
  { key: "temperature", title: "Temp.", isNumber: true, cell: figure("temperatureCelsius", (value) => `${value.toFixed(1)} \u00b0C`) },
  { key: "dataUsed", title: "Data", isNumber: true, cell: figure("syncBytes", bytesText) },
];
