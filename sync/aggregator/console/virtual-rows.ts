import { make } from "../../../src/page/browser.ts";

/** Rows beyond the visible ones that are made too, above and below. */
const OVERSCAN = 12;

/** A range of rows, from one up to another (not included). */
export type RowRange = { readonly from: number; readonly to: number };

/** The rows that a scrolled box shows, with some beyond. */
export function visibleRange(scrollTop: number, boxHeight: number, rowHeight: number, count: number): RowRange {
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
  const to = Math.min(count, Math.ceil((scrollTop + boxHeight) / rowHeight) + OVERSCAN);
  return { from: Math.min(from, to), to };
}

/** The body of a table of any length in a box that scrolls: only the visible rows are there, the others are room. */
export class VirtualRows {
  readonly body = make("tbody");
  readonly #box: HTMLElement;
  readonly #rowHeight: number;
  readonly #makeRow: (index: number) => HTMLTableRowElement | undefined;
  #count = 0;

  /** @param makeRow a row by its place; undefined while it is not known yet */
  constructor(box: HTMLElement, rowHeight: number, makeRow: (index: number) => HTMLTableRowElement | undefined) {
    this.#box = box;
    this.#rowHeight = rowHeight;
    this.#makeRow = makeRow;
  }

  /** The rows that are in sight now. */
  get range(): RowRange {
    return visibleRange(this.#box.scrollTop, this.#box.clientHeight, this.#rowHeight, this.#count);
  }

  /** Makes the rows in sight again; the link that had the focus keeps it. */
  render(count: number): void {
    this.#count = count;
    const { from, to } = this.range;
    const active = document.activeElement;
    const focused = active instanceof HTMLAnchorElement && this.body.contains(active) ? active.getAttribute("href") : undefined;
    const rows = Array.from({ length: to - from }, (_, i) => {
      const row = this.#makeRow(from + i) ?? make("tr", { class: "pending" }, make("td", { colspan: 99 }, "\u2026"));
      row.setAttribute("aria-rowindex", String(from + i + 2));
      return row;
    });
    this.body.replaceChildren(this.#room(from), ...rows, this.#room(count - to));
    if (focused) this.body.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #room(rows: number): HTMLTableRowElement {
    const row = make("tr", { class: "room", "aria-hidden": "true" });
    row.style.height = `${rows * this.#rowHeight}px`;
    return row;
  }
}
