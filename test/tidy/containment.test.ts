import { expect, test } from "bun:test";
import { checkContainment, isAllowed } from "./containment.ts";
import { CONTAINMENTS } from "./layout.ts";
import { places, sampleModules } from "./sample.ts";

function objections(path: string, text: string): string[] {
  return places(checkContainment(sampleModules({ [path]: text })));
}

test("containment: every module of the table, refused outside and accepted inside", () => {
  for (const { modules = [], allowed } of CONTAINMENTS) {
    for (const module of modules) {
      const text = `import type { A } from "${module.replace("*", "part")}";`;
      expect(objections("src/ledger/rule.ts", text)).toEqual(["src/ledger/rule.ts:1"]);
      for (const place of allowed) expect(objections(insideOf(place), text)).toEqual([]);
    }
  }
});

test("containment: every use of the table, refused outside and accepted inside", () => {
  for (const { uses = [], allowed } of CONTAINMENTS) {
    for (const use of uses) {
      const [module, name] = use.split("#");
      const text = name === undefined ? `${use};` : `import { ${name} } from "${module}";\n${name}();`;
      expect(objections("src/ledger/rule.ts", text)).not.toEqual([]);
      for (const place of allowed) expect(objections(insideOf(place), text)).toEqual([]);
    }
  }
});

test("containment: each capability that architecture.md names, in the table", () => {
  const cases: Record<string, string> = {
    'import { Database } from "bun:sqlite";': "src/blocks/service.ts",
    'import { createLibp2p } from "libp2p";': "src/node/start.ts",
    'import { tcp } from "@libp2p/tcp";': "src/node/start.ts",
    'import { Hono } from "hono";': "src/node/start.ts",
    "process.env.HOME;": "src/config/resolve.ts",
    "Date.now();": "src/node/start.ts",
    "performance.now();": "src/cli/progress.ts",
    "new Date();": "src/gateway/times.ts",
    "setTimeout(f, 1);": "src/cli/progress.ts",
    "setInterval(f, 1);": "src/monitoring/gauges.ts",
    "Math.random();": "src/network/redial.ts",
    "crypto.getRandomValues(bytes);": "src/identity/keys.ts",
    'import { randomBytes } from "node:crypto"; randomBytes(8);': "src/identity/keys.ts",
  };
  for (const [text, path] of Object.entries(cases)) expect(objections(path, text)).toEqual([`${path}:1`]);
});

test("containment: times that are given, not read, accepted", () => {
  expect(objections("src/gateway/times.ts", "new Date(timeMs).toISOString(); clock.now(); timers.after(5, f);")).toEqual([]);
});

test("containment: tests and scripts, free", () => {
  expect(objections("test/e2e/a.test.ts", "Date.now();")).toEqual([]);
  expect(objections(".ci/a.mjs", "process.env;")).toEqual([]);
});

test("containment: patterns of places, a star stays within one segment", () => {
  expect(isAllowed("src/blocks/store.ts", ["src/*/store.ts"])).toBe(true);
  expect(isAllowed("src/blocks/deep/store.ts", ["src/*/store.ts"])).toBe(false);
  expect(isAllowed("src/storage/deep/a.ts", ["src/storage/"])).toBe(true);
  expect(isAllowed("src/storage-more/a.ts", ["src/storage/"])).toBe(false);
  expect(isAllowed("src/config/loadXts", ["src/config/load.ts"])).toBe(false);
});

function insideOf(place: string): string {
  return `${place.replaceAll("*", "any-context")}${place.endsWith("/") ? "file.ts" : ""}`;
}
