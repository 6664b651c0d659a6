import { afterAll, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../../../../src/kernel/index.ts";
import { UserChanges } from "../../../../../sync/aggregator/fleet/user-changes.ts";
import { type AuditEntry, noteUserChange, StoreUnavailable } from "../../../../../sync/aggregator/index.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-users-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const entryOf = (target: string): AuditEntry => ({
  atMs: 7,
  actor: "ada",
  action: "user.added",
  target,
  outcome: "ok",
  detail: "role viewer",
});

/** Changes in a file of their own, over an audit that takes so many entries before it fails. */
function world(takes = Number.POSITIVE_INFINITY) {
  const path = join(folder, `changes-${++files}`);
  const audited: string[] = [];
  let left = takes;
  const store = {
    addAudit: async ({ target }: AuditEntry): Promise<void> => {
      if (left-- <= 0) throw new StoreUnavailable("failed", "the database is gone");
      audited.push(target);
    },
  };
  const parts = { path, store, timers: { after: () => () => {} }, log: silentLog, onDefect: () => {} };
  return { path, audited, changes: new UserChanges(parts), heal: () => (left = Number.POSITIVE_INFINITY) };
}

test("user changes: each is in the audit once, in order, whenever it came; the file is its owner's alone", async () => {
  const { path, audited, changes } = world();
  await changes.look();
  for (const name of ["a", "b"]) noteUserChange(path, entryOf(name));
  expect(statSync(path).mode & 0o077).toBe(0);
  await changes.look(); // put aside
  noteUserChange(path, entryOf("c"));
  expect(audited).toEqual([]);
  for (let i = 0; i < 3; i++) await changes.look();
  expect(audited).toEqual(["a", "b", "c"]);
  expect([existsSync(path), existsSync(`${path}.taken`)]).toEqual([false, false]);
});

test("user changes: a store that fails half way, nothing is lost and all comes again", async () => {
  const { path, audited, changes, heal } = world(1);
  for (const name of ["a", "b"]) noteUserChange(path, entryOf(name));
  await changes.look();
  await changes.look();
  expect([audited, existsSync(`${path}.taken`)]).toEqual([["a"], true]);
  heal();
  await changes.look();
  expect(audited).toEqual(["a", "a", "b"]);
});

test("user changes: a line cut off by a crash is left out, the others count", async () => {
  const { path, audited, changes } = world();
  noteUserChange(path, entryOf("a"));
  appendFileSync(path, '{"atMs":7,"actor":"ad');
  appendFileSync(path, "\n");
  noteUserChange(path, entryOf("b"));
  for (let i = 0; i < 2; i++) await changes.look();
  expect(audited).toEqual(["a", "b"]);
});
