import { expect, test } from "bun:test";
import { describeFindings } from "./finding.ts";
import { checkCycles, checkFloors, checkFrontDoors } from "./floors.ts";
import { places, sampleModules } from "./sample.ts";

function objections(path: string, specifier: string): string[] {
  return describeFindings(checkFloors(sampleModules({ [path]: `import { a } from "${specifier}";` })));
}

test("floors: a lower floor by its front door or the own area, no objection", () => {
  expect(objections("src/state/store.ts", "../kernel/index.ts")).toEqual([]);
  expect(objections("src/state/deep/rule.ts", "../../ledger/index.ts")).toEqual([]);
  expect(objections("src/state/store.ts", "./types.ts")).toEqual([]);
  expect(objections("src/protocol/vote.ts", "../crypto/portable.ts")).toEqual([]);
  expect(objections("src/main.ts", "./cli/index.ts")).toEqual([]);
  expect(objections("appliance/console/page.ts", "../../src/events/index.ts")).toEqual([]);
});

test("floors: packages and the runtime's modules, no matter of floors", () => {
  expect(objections("src/kernel/a.ts", "zod")).toEqual([]);
  expect(objections("src/kernel/a.ts", "node:fs")).toEqual([]);
});

test("floors: a higher floor, refused", () => {
  expect(objections("src/kernel/a.ts", "../crypto/index.ts")).toEqual([
    "src/kernel/a.ts:1: imports src/crypto/index.ts: src/crypto stands on floor 1, src/kernel on floor 0",
  ]);
  expect(objections("src/cli/a.ts", "../main.ts")).toHaveLength(1);
});

test("floors: a neighbour on the same floor, refused", () => {
  expect(objections("src/ledger/a.ts", "../consensus/index.ts")).toEqual([
    "src/ledger/a.ts:1: imports src/consensus/index.ts: src/ledger and src/consensus share floor 3; they meet in a higher one",
  ]);
  expect(objections("src/gateway/a.ts", "../../appliance/index.ts")).toHaveLength(1);
});

test("floors: storage, open to its neighbours and blind to them", () => {
  expect(objections("src/blocks/store.ts", "../storage/index.ts")).toEqual([]);
  expect(objections("src/blocks/store.ts", "../storage/database.ts")).toHaveLength(1);
  expect(objections("src/storage/database.ts", "../blocks/index.ts")).toHaveLength(1);
});

test("floors: past the front door, refused even for types", () => {
  expect(objections("src/state/a.ts", "../kernel/bytes.ts")).toEqual([
    "src/state/a.ts:1: imports src/kernel/bytes.ts: other areas enter src/kernel by index.ts",
  ]);
  const typed = sampleModules({ "src/state/a.ts": 'import type { Clock } from "../kernel/ports.ts";' });
  expect(checkFloors(typed)).toHaveLength(1);
});

test("floors: the aggregator, only the areas it is given", () => {
  expect(objections("sync/aggregator/ingest.ts", "../../src/events/index.ts")).toEqual([]);
  expect(objections("sync/aggregator/ingest.ts", "../../src/ledger/index.ts")).toHaveLength(1);
});

test("floors: code outside the product, not imported by it", () => {
  expect(objections("src/state/a.ts", "../../test/tidy/lines.ts")).toHaveLength(1);
  expect(objections("src/cli/version.ts", "../../package.json")).toEqual([]);
});

test("floors: a folder without a floor, refused", () => {
  expect(places(checkFloors(sampleModules({ "src/shiny/a.ts": "" })))).toEqual(["src/shiny/a.ts"]);
  expect(places(checkFloors(sampleModules({ "src/stray.ts": "" })))).toEqual(["src/stray.ts"]);
});

test("cycles: files that import one another, the circle is named", () => {
  const circle = sampleModules({
    "src/state/a.ts": 'import { b } from "./b.ts";',
    "src/state/b.ts": 'import type { C } from "./c.ts";',
    "src/state/c.ts": 'export * from "./a.ts";',
    "src/state/d.ts": 'import { a } from "./a.ts";',
  });
  expect(describeFindings(checkCycles(circle))).toEqual([
    "src/state/c.ts:1: closes a circle of imports: src/state/a.ts -> src/state/b.ts -> src/state/c.ts -> src/state/a.ts",
  ]);
});

test("cycles: a file that imports itself, found", () => {
  expect(checkCycles(sampleModules({ "src/state/a.ts": 'import { a } from "./a.ts";' }))).toHaveLength(1);
});

test("cycles: two ways to one file, no circle", () => {
  const diamond = sampleModules({
    "a.ts": 'import "./b.ts"; import "./c.ts";',
    "b.ts": 'import "./d.ts";',
    "c.ts": 'import "./d.ts";',
    "d.ts": "",
  });
  expect(checkCycles(diamond)).toEqual([]);
});

test("front doors: absent or without a word about the area, refused", () => {
  expect(places(checkFrontDoors(sampleModules({ "src/state/a.ts": "" })))).toEqual(["src/state/index.ts"]);
  expect(places(checkFrontDoors(sampleModules({ "src/state/index.ts": 'export * from "./a.ts";' })))).toEqual(["src/state/index.ts:1"]);
  expect(checkFrontDoors(sampleModules({ "src/state/index.ts": "/** What it is for. */\n", "src/main.ts": "" }))).toEqual([]);
});

test("floors: the simulator's front door, open to the command line alone", () => {
  expect(objections("src/cli/commands/a.ts", "../../../test/sim/index.ts")).toEqual([]);
  expect(objections("src/cli/commands/a.ts", "../../../test/sim/cluster.ts")).toHaveLength(1);
  expect(objections("src/node/a.ts", "../../test/sim/index.ts")).toHaveLength(1);
});
