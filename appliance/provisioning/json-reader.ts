import { err, ok, type Result } from "../../src/kernel/index.ts";

/** A value of a JSON text. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** An object of a JSON text, in the order of its keys. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Where a text is not JSON, and what is right there; lines and columns count from 1. */
export type JsonFault = { readonly line: number; readonly column: number; readonly sentence: string };

/** Objects and arrays inside each other; a file for people needs four. */
const DEPTH_MAX = 16;

/**
 * Reads JSON as a person wrote it with an editor: says the line and column of a mistake, knows the usual ones (a comma
 * too many, curly quotes, a comment), and refuses two equal keys, of which `JSON.parse` keeps the last without a word.
 *
 * @see RFC 8259
 */
export function readJson(text: string): Result<JsonValue, JsonFault> {
  const reader = new Reader(text);
  try {
    return ok(reader.document());
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    const before = text.slice(0, error.at).split(/\r\n|\r|\n/);
    return err({ line: before.length, column: (before.at(-1) ?? "").length + 1, sentence: error.message });
  }
}

/** Unwinds the reader; never leaves this file. */
class Mistake extends Error {
  readonly at: number;

  constructor(at: number, sentence: string) {
    super(sentence);
    this.at = at;
  }
}

const WORDS: Readonly<Record<string, null | boolean>> = { true: true, false: false, null: null };
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A field by its name, where that is one that somebody meant as a name: a displaced text may be a secret. */
function named(key: string): string {
  return /^[A-Za-z]{1,16}$/.test(key) ? `"${key}"` : "this field";
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail("expected nothing more after the closing brace; remove what follows");
    return value;
  }

  #value(depth: number): JsonValue {
    this.#skipSpace();
    if (depth > DEPTH_MAX) this.#fail(`expected at most ${DEPTH_MAX} objects and lists inside each other`);
    const next = this.#text[this.#at];
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#list(depth);
    if (next === '"') return this.#string();
    const word = /[-+.\w]+/y;
    word.lastIndex = this.#at;
    const [found = ""] = word.exec(this.#text) ?? [];
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(found)) return this.#taken(found, Number(found));
    const known = Object.hasOwn(WORDS, found) ? WORDS[found] : undefined;
    if (known !== undefined) return this.#taken(found, known);
    return this.#failHere('expected a value: a text in "double quotes", a number, true, false, a list in [ ] or an object in { }');
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    this.#skipSpace();
    if (this.#skip("}")) return members;
    for (;;) {
      this.#skipSpace();
      const keyAt = this.#at;
      if (this.#text[this.#at] !== '"') this.#failHere('expected the name of a field in "double quotes"');
      const key = this.#string();
      if (members.has(key)) this.#fail(`expected each field once, but ${named(key)} stands here a second time; remove one of them`, keyAt);
      this.#skipSpace();
      if (!this.#skip(":")) this.#failHere(`expected a colon after ${named(key)}`);
      members.set(key, this.#value(depth + 1));
      this.#skipSpace();
      if (this.#skip("}")) return members;
      const commaAt = this.#at;
      if (!this.#skip(",")) this.#failHere(`expected a comma before the next field, or } at the end, after the value of ${named(key)}`);
      this.#skipSpace();
      if (this.#text[this.#at] === "}") this.#fail("expected no comma after the last field; remove this one", commaAt);
    }
  }

  #list(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    this.#skipSpace();
    if (this.#skip("]")) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#skipSpace();
      if (this.#skip("]")) return items;
      const commaAt = this.#at;
      if (!this.#skip(",")) this.#failHere("expected a comma before the next item, or ] at the end of the list");
      this.#skipSpace();
      if (this.#text[this.#at] === "]") this.#fail("expected no comma after the last item; remove this one", commaAt);
    }
  }

  #string(): string {
    const openedAt = this.#at++;
    let value = "";
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined || next === "\n" || next === "\r")
        this.#fail('expected a closing " on the same line as the opening one', openedAt);
      this.#at++;
      if (next === '"') return value;
      if (next !== "\\") {
        if (next < " ") this.#fail("expected no control character inside a text", this.#at - 1);
        value += next;
        continue;
      }
      const letter = this.#text[this.#at] ?? "";
      const hex = /^u([0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at, this.#at + 5))?.[1];
      if (hex !== undefined) {
        value += String.fromCharCode(Number.parseInt(hex, 16));
        this.#at += 5;
      } else {
        const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
        if (meant === undefined) this.#fail("expected \\\\ where a backslash is meant", this.#at - 1);
        value += meant;
        this.#at++;
      }
    }
  }

  #taken<T>(found: string, value: T): T {
    this.#at += found.length;
    return value;
  }

  #skip(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    const space = /[ \t\r\n]*/y;
    space.lastIndex = this.#at;
    this.#at += space.exec(this.#text)?.[0].length ?? 0;
  }

  /** Fails with what stands here, where it is one of the usual mistakes. */
  #failHere(expected: string): never {
    const next = this.#text[this.#at];
    if (next === undefined) this.#fail(`${expected}; the file ends before`);
    if (/[\u2018-\u201f\u00ab\u00bb']/.test(next)) this.#fail('expected straight double quotes (") around names and texts; replace these');
    if (next === "/" || next === "#") this.#fail("expected no comment; JSON has none, remove it");
    this.#fail(expected);
  }

  #fail(sentence: string, at = this.#at): never {
    throw new Mistake(at, sentence);
  }
}
