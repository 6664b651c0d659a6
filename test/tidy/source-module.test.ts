import { expect, test } from "bun:test";
import { parseModule } from "./source-module.ts";

function usesOf(text: string): string[] {
  return parseModule("a.ts", text).uses.map(({ name }) => name);
}

test("source module: every way to name a module, all are imports", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'export * from "./c.ts";',
    'export { d } from "./d.ts";',
    'const e = await import("./e.ts");',
    'type F = import("./f.ts").F;',
    'new Worker(new URL("./g.worker.ts", import.meta.url));',
  ].join("\n");
  const { imports } = parseModule("x.ts", text);
  expect(imports.map(({ specifier, line }) => `${line} ${specifier}`)).toEqual([
    "1 ./a.ts",
    "2 ./b.ts",
    "3 ./c.ts",
    "4 ./d.ts",
    "5 ./e.ts",
    "6 ./f.ts",
    "7 ./g.worker.ts",
  ]);
});

test("source module: a URL that is no module, not an import", () => {
  expect(parseModule("x.ts", 'new URL("./path", base);').imports).toEqual([]);
});

test("source module: globals reached in several ways, one name", () => {
  expect(usesOf("Date.now();")).toContain("Date.now");
  expect(usesOf("globalThis.Date.now();")).toContain("Date.now");
  expect(usesOf('Date["now"]();')).toContain("Date.now");
  expect(usesOf("const { now } = Date;")).toContain("Date.now");
  expect(usesOf("const later = { now: Date.now };")).toContain("Date.now");
  expect(usesOf("import.meta.env.HOME;")).toContain("import.meta.env.HOME");
});

test("source module: dates, only those without arguments read the clock", () => {
  expect(usesOf("new Date();")).toContain("new Date()");
  expect(usesOf("Date();")).toContain("Date()");
  expect(usesOf("new Date(5);")).not.toContain("new Date()");
});

test("source module: imported names however they come in, named by their module", () => {
  expect(usesOf('import { randomBytes } from "node:crypto"; randomBytes(3);')).toContain("node:crypto#randomBytes");
  expect(usesOf('import { randomBytes as r } from "node:crypto"; r(3);')).toContain("node:crypto#randomBytes");
  expect(usesOf('import crypto from "node:crypto"; crypto.randomBytes(3);')).toContain("node:crypto#randomBytes");
  expect(usesOf('import * as c from "node:crypto"; c.randomBytes(3);')).toContain("node:crypto#randomBytes");
  expect(usesOf('import { env } from "node:process"; env.HOME;')).toContain("process.env.HOME");
  expect(usesOf('import process from "node:process"; process.env.HOME;')).toContain("process.env.HOME");
});

test("source module: labels that only look like a global, no use", () => {
  const text = "const o = { setTimeout: 1 }; o.setTimeout; interface T { setTimeout(): void } class C { setTimeout() {} }";
  expect(usesOf(text)).not.toContain("setTimeout");
});

test("source module: names in comments and strings, no use", () => {
  expect(usesOf('// Date.now()\nconst s = "Date.now()";')).not.toContain("Date.now");
});

test("source module: text that does not parse, an error that names the file", () => {
  expect(() => parseModule("bad.ts", "const = ;")).toThrow("bad.ts");
});
