import { type Content, make, momentText } from "../../../src/page/browser.ts";

/** A table that scrolls by itself where the page is narrow. */
export function scrollTable(titles: readonly string[], body: HTMLElement): HTMLElement {
  const head = titles.map((title) => make("th", { scope: "col" }, title));
  return make("div", { class: "scroll", tabindex: 0, role: "region" }, make("table", {}, make("thead", {}, make("tr", {}, head)), body));
}

/** A row of cells. */
export function cellRow(...cells: readonly Content[]): HTMLTableRowElement {
  return make(
    "tr",
    {},
    cells.map((cell) => make("td", {}, cell)),
  );
}

/** A time that stays on one line. */
export function momentCell(rfc3339: string): HTMLElement {
  return make("span", { class: "moment" }, momentText(rfc3339));
}

/** A row that says, over all columns, that there is nothing. */
export function emptyRow(columns: number, text: string): HTMLTableRowElement {
  return make("tr", {}, make("td", { colspan: columns }, text));
}
