import { assert } from "../kernel/index.ts";

/** What an element may hold: text goes in as text, never as markup. */
export type Content = Node | string | undefined | readonly Content[];

/** Attributes by name; `on...` are listeners, false and undefined leave one out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

/** Makes an element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, content);
  return element;
}

/** Makes an element of a drawing. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...content: readonly Content[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  append(element, content);
  return element;
}

/** Replaces what an element holds. */
export function fill(element: Element, ...content: readonly Content[]): void {
  element.replaceChildren();
  append(element, content);
}

/** The element with this id, of this kind; the page has it. */
export function byId<T extends HTMLElement>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  assert(found instanceof kind, `the page has the element ${id}`);
  return found;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
}

function append(element: Element, content: readonly Content[]): void {
  for (const item of content) {
    if (item === undefined) continue;
    if (typeof item === "string" || item instanceof Node) element.append(item);
    else append(element, item);
  }
}
