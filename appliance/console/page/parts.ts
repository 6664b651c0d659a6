import { type Content, draw, make } from "../../../src/page/browser.ts";
import type { BoxFacts } from "../ports.ts";
import type { ApiFault } from "./api.ts";

/** A part of the page under a heading. */
export function section(id: string, title: string, ...content: readonly Content[]): HTMLElement {
  return make("section", { "aria-labelledby": `${id}-title` }, make("h2", { id: `${id}-title` }, title), ...content);
}

/** Facts as a list of terms. */
export function factList(facts: BoxFacts): HTMLElement {
  return make(
    "dl",
    { class: "facts" },
    facts.map(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]),
  );
}

/** A QR code from rows of 0 and 1, as one drawing. */
export function qrDrawing(rows: readonly string[], label: string): SVGElement {
  const path = rows.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === "1" ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  const size = rows.length;
  return draw(
    "svg",
    { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    draw("path", { d: path }),
  );
}

/** A place where the outcome of what somebody did is said. */
export function saying(id: string): { readonly element: HTMLElement; say(sentence: string, isBad: boolean): void } {
  const element = make("p", { id, class: "said", role: "status", hidden: true });
  return {
    element,
    say(sentence, isBad) {
      element.hidden = false;
      element.classList.toggle("bad", isBad);
      element.textContent = sentence;
    },
  };
}

/** A fault for people: its mistakes where it has some. */
export function faultText({ title, mistakes = [] }: ApiFault): string {
  return [title, ...mistakes].join("\n");
}

/** A labelled input. */
export function field(
  id: string,
  label: string,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
): readonly [HTMLElement, HTMLInputElement] {
  return [
    make("label", { for: id }, label),
    make("input", { id, autocapitalize: "none", autocomplete: "off", spellcheck: "false", ...attributes }),
  ];
}
