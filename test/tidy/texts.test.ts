import { expect, test } from "bun:test";
import { checkDocuments } from "./documents.ts";
import { describeFindings } from "./finding.ts";
import { checkForeignPlaces } from "./foreign-places.ts";
import { checkPins } from "./pins.ts";
import { checkRuleNumbers } from "./rule-numbers.ts";
import { places, sampleModules } from "./sample.ts";

test("documents: a link that leads nowhere, found on its line", () => {
  const documents = [{ path: "README.md", text: "See\n[the plan](docs/plan.md) and [a section](#here)." }];
  expect(places(checkDocuments(documents, ["README.md"]))).toEqual(["README.md:2"]);
});

test("documents: a document that nothing leads to, found", () => {
  const documents = [
    { path: "README.md", text: "[one](docs/one.md) [out](https://example.org/two.md)" },
    { path: "docs/one.md", text: "[up](../README.md)" },
    { path: "docs/two.md", text: "[one](one.md)" },
  ];
  expect(places(checkDocuments(documents, ["README.md", "docs/one.md", "docs/two.md"]))).toEqual(["docs/two.md"]);
});

test("documents: reached by another document, by its folder, or with an anchor, accepted", () => {
  const documents = [
    { path: "README.md", text: "[one](docs/one.md#part) `[not](a-link.md)`" },
    { path: "docs/one.md", text: '[decisions](adr/ "all of them") and [grammar](./grammar.cddl)' },
    { path: "docs/adr/0001-a.md", text: "" },
  ];
  expect(checkDocuments(documents, ["README.md", "docs/one.md", "docs/adr/0001-a.md", "docs/grammar.cddl"])).toEqual([]);
});

test("foreign places: folders of one machine and registry hosts, found", () => {
  const bad = [
    `cd /${"work"}/main`,
    `"../${"shared"}/vectors"`,
    `https://registry.${"npmjs"}.org/x`,
    `www.${"npmjs"}.com`,
    `registry.${"example"}.net`,
  ];
  for (const text of bad) expect(places(checkForeignPlaces([{ path: "a.md", text: `fine\n${text}` }]))).toEqual(["a.md:2"]);
});

test("foreign places: words and paths that only look alike, accepted", () => {
  const fine = "src/network/work/a.ts homework/b shared/state the registry. Then /tmp/x";
  expect(checkForeignPlaces([{ path: "a.md", text: fine }])).toEqual([]);
});

const pins = {
  packageManager: "bun@1.4.5",
  engines: { bun: "1.4.5" },
  dependencies: { zod: "4.6.7" },
  devDependencies: { "bun-types": "1.4.5" },
  overrides: { heavy: "npm:empty@1.0.0" },
  trustedDependencies: [],
};
const lock = { packages: { "": {}, "node_modules/bun": { version: "1.4.5", integrity: "sha512-x" } } };

function pinProblems(manifest: object, toolchain = "1.4.5", toolchainLock: object = lock): string[] {
  return describeFindings(
    checkPins({
      manifest: JSON.stringify({ ...pins, ...manifest }),
      toolchain: JSON.stringify({ dependencies: { bun: toolchain } }),
      toolchainLock: JSON.stringify(toolchainLock),
    }),
  );
}

test("pins: all exact and agreeing, accepted", () => {
  expect(pinProblems({})).toEqual([]);
});

test("pins: a range, another Bun anywhere, a trusted package or a missing hash, found", () => {
  expect(pinProblems({ dependencies: { zod: "^4.6.7" } })).toEqual(['package.json: zod "^4.6.7" is not an exact version']);
  expect(pinProblems({ overrides: { heavy: "npm:empty@latest" } })).toHaveLength(1);
  expect(pinProblems({ packageManager: "bun@1.4.4" })).toHaveLength(1);
  expect(pinProblems({ engines: { bun: ">=1.4" } })).toHaveLength(1);
  expect(pinProblems({ devDependencies: { "bun-types": "1.4.4" } })).toHaveLength(1);
  expect(pinProblems({ trustedDependencies: ["esbuild"] })).toHaveLength(1);
  expect(pinProblems({ trustedDependencies: undefined })).toHaveLength(1);
  expect(pinProblems({}, "1.4.5", { packages: { "node_modules/bun": { version: "1.4.5" } } })).toHaveLength(1);
  expect(pinProblems({}, "1.4.5", { packages: { "node_modules/bun": { version: "1.4.4", integrity: "x" } } })).toHaveLength(1);
});

function ruleProblems(specification: string, code: string, proof: string): string[] {
  const modules = sampleModules({ "src/consensus/a.ts": code, "test/rules/a.test.ts": proof });
  return describeFindings(checkRuleNumbers({ path: "docs/consensus.md", text: specification }, modules)).map((text) =>
    text.replace(/^.*?: /, ""),
  );
}

test("rule numbers: the same three times, accepted", () => {
  expect(ruleProblems("| R0 | admission |\nJ1 first", "// R0, J1", 'test("R0: a, b", f); test("J1: a, b", f);')).toEqual([]);
});

test("rule numbers: stated but not in code or tests, found", () => {
  expect(ruleProblems("R0 and R12", "/** R0 */", 'test("R0: a, b", f);')).toEqual([
    "rule R12 is stated here, but no comment of src/ refers to it",
    "rule R12 is stated here, but test/rules/ has no test of it",
  ]);
});

test("rule numbers: in code or tests but not stated, found", () => {
  expect(ruleProblems("R0", "// R0 R3", 'test("R0: a, b", f); test("J9: a, b", f);')).toEqual([
    "rule R3 is referred to, but docs/consensus.md does not state it",
    "rule J9 is tested, but docs/consensus.md does not state it",
  ]);
});

test("rule numbers: names that only look like rules, left alone", () => {
  expect(ruleProblems("", 'const R1 = 1; const s = "R2"; // ISO-R3 R1000 xR4 R5b', "")).toEqual([]);
});
