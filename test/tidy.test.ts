/** The style guide, executed over the whole repository. Each check is a pure function of test/tidy/, tested there on bad samples. */
import { expect, test } from "bun:test";
import { checkComments, checkConstructs } from "./tidy/bans.ts";
import { checkContainment } from "./tidy/containment.ts";
import { checkDocumentedExports } from "./tidy/documentation.ts";
import { checkDocuments } from "./tidy/documents.ts";
import { describeFindings, type Finding } from "./tidy/finding.ts";
import { checkCycles, checkFloors, checkFrontDoors, isProduct } from "./tidy/floors.ts";
import { checkForeignPlaces } from "./tidy/foreign-places.ts";
import { checkDeclaredNames, checkPaths } from "./tidy/names.ts";
import { checkPins } from "./tidy/pins.ts";
import { projectPaths, readText } from "./tidy/project-files.ts";
import { checkRuleNumbers, SPECIFICATION } from "./tidy/rule-numbers.ts";
import { checkSizes, sizeFigures } from "./tidy/sizes.ts";
import { parseModule } from "./tidy/source-module.ts";
import { checkTests } from "./tidy/test-style.ts";

const paths = projectPaths();
const sources = paths.filter((path) => /\.(ts|tsx|mjs)$/.test(path)).map(readText);
const texts = paths.filter((path) => /\.(ts|tsx|mjs|md|json|toml|cddl|html|css|sh|lock|yml|yaml|txt)$|\/run$/.test(path)).map(readText);
const modules = sources.map(({ path, text }) => parseModule(path, text));
const product = modules.filter(({ path }) => isProduct(path));
const scripts = modules.filter(({ path }) => path.startsWith(".ci/"));

function expectNone(findings: readonly Finding[]): void {
  expect(describeFindings(findings)).toEqual([]);
}

test("tidy: the import graph of the product, every import goes down a floor and through a front door", () => {
  expectNone(checkFloors(modules));
});

test("tidy: the import graph of all files, no circle", () => {
  expectNone(checkCycles(modules));
});

test("tidy: the areas of the product, each has a front door that says what it is for", () => {
  expectNone(checkFrontDoors(product));
});

test("tidy: outside capabilities, each is touched only where it is contained", () => {
  expectNone(checkContainment(modules));
});

test("tidy: the constructs the house style does without, none is used", () => {
  expectNone(checkConstructs(modules));
});

test("tidy: comments, none announces undone work or silences the type checker", () => {
  expectNone(checkComments(modules));
});

test("tidy: names of files and folders, kebab-case and never empty of meaning", () => {
  expectNone(checkPaths(paths));
});

test("tidy: names of declarations, never empty of meaning", () => {
  expectNone(checkDeclaredNames(modules));
});

test("tidy: exports of the product and of the scripts, all documented", () => {
  expectNone(checkDocumentedExports([...product, ...scripts]));
});

test("tidy: sizes of source files, none is too long", () => {
  const figures = sizeFigures(product);
  const proofs = sizeFigures(modules.filter(({ path }) => path.startsWith("test/")));
  console.log(
    `tidy: ${figures.files} product files of ${figures.lines} lines: median ${figures.median} (60-180 wanted), ` +
      `p90 ${figures.p90} (<= 350 wanted), longest ${figures.longest}; ${proofs.files} test files of ${proofs.lines} lines`,
  );
  expectNone(checkSizes(sources));
});

test("tidy: tests, each says what it proves, runs, and waits for nothing but what it proves", () => {
  expectNone(checkTests(modules));
});

test("tidy: documents, every link leads somewhere and every document can be reached", () => {
  expectNone(
    checkDocuments(
      texts.filter(({ path }) => path.endsWith(".md")),
      paths,
    ),
  );
});

test("tidy: texts, none names a place that one machine or company has", () => {
  expectNone(checkForeignPlaces(texts));
});

test("tidy: versions, all exact, agreeing and hashed", () => {
  expectNone(
    checkPins({
      manifest: readText("package.json").text,
      toolchain: readText(".ci/toolchain/package.json").text,
      toolchainLock: readText(".ci/toolchain/package-lock.json").text,
    }),
  );
});

test.skipIf(!paths.includes(SPECIFICATION))("tidy: rules of the consensus, the same numbers in specification, code and tests", () => {
  expectNone(checkRuleNumbers(readText(SPECIFICATION), modules));
});
