import { countText, fill, make } from "../../../src/page/browser.ts";
import type { SortKey } from "../fleet/listing.ts";
import { NODE_STATES } from "../fleet/status.ts";
import type { NodeRow, NodesAnswer } from "./api.ts";
import { COLUMNS } from "./row-cells.ts";
import { MARKS, statusContent } from "./status-view.ts";
import type { View, ViewParts } from "./view.ts";
import { VirtualRows } from "./virtual-rows.ts";

/** Height of a row in CSS pixels; console.css says the same. */
const ROW_HEIGHT = 40;
/** Rows of one question. */
const PAGE = 100;

/** The table of nodes: any number, of which the aggregator sorts, filters and sends what is in sight. */
export function nodesView({ api, time, onAnswer }: ViewParts): View {
  let rows = new Map<number, NodeRow>();
  let total = 0;
  let sort: SortKey = "status";
  let order: "ascending" | "descending" = "descending";
  let state: string | undefined;
  let asked = 0;

  const box = make("div", { class: "table-box", id: "nodes-box", tabindex: 0, role: "region", "aria-label": "Nodes" });
  const virtual = new VirtualRows(box, ROW_HEIGHT, (index) => {
    const row = rows.get(index);
    return row && rowOf(row);
  });
  const heads = COLUMNS.map(({ key, title, isNumber, phone }) =>
    make(
      "th",
      { scope: "col", class: classOf(isNumber, phone) },
      make("button", { type: "button", id: `sort-${key}`, class: "sort", onclick: () => void sortBy(key) }, title),
    ),
  );
  const table = make("table", { class: "nodes" }, make("thead", {}, make("tr", { "aria-rowindex": 1 }, heads)), virtual.body);
  box.append(table);
  const search = make("input", {
    id: "search",
    type: "search",
    placeholder: "Name, site, version, network",
    "aria-label": "Search nodes",
    maxlength: 100,
  });
  const states = ["all", ...NODE_STATES].map((name) =>
    make("button", {
      type: "button",
      id: `state-${name}`,
      class: "chip",
      "aria-pressed": String(name === "all"),
      onclick: () => void choose(name),
    }),
  );
  const shown = make("p", { id: "shown", class: "quiet", role: "status" });
  const element = make(
    "section",
    { class: "nodes-view" },
    make("h1", {}, "Nodes"),
    make("div", { class: "bar" }, make("div", { class: "chips", role: "group", "aria-label": "State" }, states), search),
    shown,
    box,
  );

  const nowMs = (): number => time.nowMs() ?? 0;
  const rowOf = (row: NodeRow): HTMLTableRowElement => {
    const cells = COLUMNS.map(({ key, cell, isNumber, phone }) =>
      key === "status" ? statusCell(row) : make("td", { class: classOf(isNumber, phone) }, cell(row)),
    );
    return make("tr", { "data-node": row.node }, cells);
  };
  const statusCell = (row: NodeRow): HTMLTableCellElement => {
    const cell = make("td", { class: "status phone" }, statusContent(row.status, nowMs()));
    statusCells.push({ cell, row });
    return cell;
  };
  let statusCells: { readonly cell: HTMLTableCellElement; readonly row: NodeRow }[] = [];
  const render = (): void => {
    statusCells = [];
    virtual.render(total);
    for (const [i, { key }] of COLUMNS.entries()) {
      if (key === sort) heads[i]?.setAttribute("aria-sort", order);
      else heads[i]?.removeAttribute("aria-sort");
    }
  };
  const show = ({ counts }: NodesAnswer): void => {
    table.setAttribute("aria-rowcount", String(total + 1));
    const all = counts.online + counts.degraded + counts.unknown;
    for (const [i, button] of states.entries()) {
      const name = NODE_STATES[i - 1];
      const mark = name && make("span", { class: `mark ${name}`, "aria-hidden": "true" }, MARKS[name]);
      fill(button, mark, ` ${name ?? "all"} ${countText(name ? counts[name] : all)}`);
      button.setAttribute("aria-pressed", String((name ?? undefined) === state));
    }
    shown.textContent = total === 0 ? "No node is like that." : `${countText(total)} ${total === 1 ? "node" : "nodes"}`;
    render();
  };
  const ask = async (isNew: boolean): Promise<void> => {
    const mine = ++asked;
    const { from, to } = virtual.range;
    const offset = isNew ? 0 : Math.floor(from / PAGE) * PAGE;
    const limit = isNew ? PAGE : Math.min(500, Math.max(PAGE, Math.ceil((to - offset) / PAGE) * PAGE));
    const answer = await api.get<NodesAnswer>("/nodes", { offset, limit, sort, order, state, text: search.value.trim() });
    onAnswer(answer.ok ? undefined : answer.error);
    if (mine !== asked || !answer.ok) return; // a later question is on its way
    rows = new Map(answer.value.nodes.map((row, i) => [offset + i, row]));
    total = answer.value.total;
    show(answer.value);
  };
  const askAnew = (): Promise<void> => {
    box.scrollTop = 0;
    return ask(true);
  };
  const sortBy = (key: SortKey): Promise<void> => {
    order = key === sort && order === "ascending" ? "descending" : "ascending";
    if (key !== sort && key === "status") order = "descending"; // the worst first
    sort = key;
    return askAnew();
  };
  const choose = (name: string): Promise<void> => {
    state = name === "all" ? undefined : name;
    return askAnew();
  };
  search.addEventListener("input", () => void askAnew());
  box.addEventListener("scroll", () => {
    render();
    const { from, to } = virtual.range;
    if (!rows.has(from) || (to > 0 && !rows.has(to - 1))) void ask(false);
  });
  return {
    element,
    title: "Nodes",
    everyMs: 3_000,
    refresh: () => ask(false),
    tick: (now) => {
      for (const { cell, row } of statusCells) fill(cell, statusContent(row.status, now));
    },
  };
}

function classOf(isNumber: true | undefined, phone: true | undefined): string {
  return `${isNumber ? "number" : ""} ${phone ? "phone" : ""}`.trim();
}
