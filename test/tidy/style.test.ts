import { expect, test } from "bun:test";
import { checkComments, checkConstructs } from "./bans.ts";
import { checkDocumentedExports } from "./documentation.ts";
import { checkDeclaredNames, checkPaths } from "./names.ts";
import { places, sampleModules } from "./sample.ts";
import { checkSizes, LINES_MAX, sizeFigures } from "./sizes.ts";
import { checkTests } from "./test-style.ts";

const unfinished = ["TO", "DO"].join("");

test("constructs: each banned one, found on its line", () => {
  const banned = [
    "let a: any;",
    "f(x as any);",
    "type T = Map<string, any>;",
    "x!.y();",
    "const v = xs[0]!;",
    "let late!: string;",
    "enum Colour { red }",
    "const enum Fixed { one }",
    "export default 3;",
    "export default function f() {}",
    "namespace Old { export const a = 1; }",
  ];
  for (const line of banned) expect(places(checkConstructs(sampleModules({ "a.ts": `const before = 1;\n${line}` })))).toEqual(["a.ts:2"]);
});

test("constructs: words that only look like them, accepted", () => {
  const fine =
    'const any = 1; if (!x) y(); a !== b; const s = "x!.y as any enum"; // any, enum\ndeclare global { interface Window {} }\nexport {};';
  expect(checkConstructs(sampleModules({ "a.ts": fine }))).toEqual([]);
});

test("comments: undone work and silenced checks, found; in code or strings, left alone", () => {
  expect(places(checkComments(sampleModules({ "a.ts": `const a = 1;\n// ${unfinished}: later` })))).toEqual(["a.ts:2"]);
  expect(places(checkComments(sampleModules({ "a.ts": `/**\n * ${["FIX", "ME"].join("")} */` })))).toEqual(["a.ts:1"]);
  expect(places(checkComments(sampleModules({ "a.ts": `// @ts-${"ignore"}\nf();` })))).toEqual(["a.ts:1"]);
  expect(checkComments(sampleModules({ "a.ts": `const s = "${unfinished}"; // a todo list is a list` }))).toEqual([]);
});

test("paths: capitals, underscores and empty words, found", () => {
  const bad = [
    "src/state/BlockStore.ts",
    "src/state/block_store.ts",
    "src/util/a.ts",
    "src/state/block-manager.ts",
    "src/state/node-info.ts",
    "test/helpers.ts",
  ];
  expect(places(checkPaths(bad))).toEqual(bad);
});

test("paths: kebab-case with suffixes, accepted", () => {
  expect(
    checkPaths(["src/state/block-store.ts", "src/crypto/verify.worker.ts", "test/unit/a/x2-y.test.ts", ".ci/test.mjs", "README.md"]),
  ).toEqual([]);
});

test("declared names: empty words, found whole and in any case", () => {
  const bad = [
    "export class PeerManager {}",
    "function parseHelper() {}",
    "const URL_UTILS = 1;",
    "export interface CommonPart {}",
    "export type BlockInfo = 1;",
    "class NodeData {}",
  ];
  for (const text of bad) expect(places(checkDeclaredNames(sampleModules({ "a.ts": text })))).toEqual(["a.ts:1"]);
});

test("declared names: full words that contain one, and local data, accepted", () => {
  const fine = "const data = 1; const commonality = 2; class Utilization {} export function information() { const util = 1; return util; }";
  expect(checkDeclaredNames(sampleModules({ "a.ts": fine }))).toEqual([]);
});

test("documentation: an export without a doc comment directly above, found", () => {
  const bare = [
    "export function f() {}",
    "export const a = 1;",
    "export class C {}",
    "export type T = 1;",
    "export interface I {}",
    "export abstract class D {}",
    "export async function g() {}",
    "// a line comment\nexport const b = 1;",
    "/* no doc comment */\nexport const c = 1;",
    "/** Of another thing. */\nconst d = 1;\nexport const e = d;",
    "const h = 1;\nexport { h };",
  ];
  for (const text of bare) expect(checkDocumentedExports(sampleModules({ "a.ts": text }))).toHaveLength(1);
});

test("documentation: documented exports, re-exports and overloads, accepted", () => {
  const fine = [
    "/** What it is. */\nexport const a = 1;",
    "/** What it is. */\n\nexport function f() {}",
    'export * from "./b.ts";',
    'export type { B } from "./b.ts";',
    "/** Both ways. */\nexport function g(a: string): void;\nexport function g(a: number): void;\nexport function g() {}",
    "function internal() {}",
  ];
  for (const text of fine) expect(checkDocumentedExports(sampleModules({ "a.ts": text }))).toEqual([]);
});

test("sizes: one line too many, found; the most allowed, accepted", () => {
  expect(places(checkSizes([{ path: "a.ts", text: "x\n".repeat(LINES_MAX + 1) }]))).toEqual(["a.ts"]);
  expect(checkSizes([{ path: "a.ts", text: "x\n".repeat(LINES_MAX) }])).toEqual([]);
});

test("sizes: figures of some files, median and p90 by rank", () => {
  const files = Array.from({ length: 10 }, (_, i) => ({ path: `${i}.ts`, text: "x\n".repeat(i + 1) }));
  expect(sizeFigures(files)).toEqual({ files: 10, lines: 55, median: 6, p90: 10, longest: 10 });
  expect(sizeFigures([])).toEqual({ files: 0, lines: 0, median: 0, p90: 0, longest: 0 });
});

test("tests: focus, promises, titles without area and waiting, found", () => {
  const bad = [
    'test.only("a: b, c", f);',
    'describe.only("a", f);',
    'test.todo("a: b, c");',
    'test("works", f);',
    "await Bun.sleep(5);",
    "setTimeout(f, 5);",
  ];
  for (const text of bad) expect(places(checkTests(sampleModules({ "test/unit/a.test.ts": text })))).toEqual(["test/unit/a.test.ts:1"]);
});

test("tests: good ones, computed titles and waiting where time is the point, accepted", () => {
  const fine = 'test("vote guard: second vote of a view, refused", f); test(title, f); test.skipIf(x)("a", f); regex.test("x");';
  expect(checkTests(sampleModules({ "test/unit/a.test.ts": fine, "test/e2e/b.test.ts": "await Bun.sleep(5);" }))).toEqual([]);
});
