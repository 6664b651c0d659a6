import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BROKER_DATABASE } from "../../../appliance/broker/index.ts";
import { TELEMETRY_APPLICATION_ID, TELEMETRY_MIGRATIONS } from "../../../appliance/telemetry/index.ts";
import { examineSideFiles } from "../../../src/node/side-files.ts";
import { openDatabase } from "../../../src/storage/index.ts";
import { SYNC_APPLICATION_ID, SYNC_MIGRATION, SYNC_MIGRATIONS } from "../../../sync/agent/index.ts";

const homes: string[] = [];
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true });
});

const FILES = [
  { name: "sync.db", applicationId: SYNC_APPLICATION_ID, migrations: SYNC_MIGRATIONS, severity: "error" },
  { name: "broker.db", ...BROKER_DATABASE, severity: "error" },
  { name: "telemetry.db", applicationId: TELEMETRY_APPLICATION_ID, migrations: TELEMETRY_MIGRATIONS, severity: "warning" },
] as const;

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), "side-files-"));
  homes.push(home);
  return home;
}

function fullHome(): string {
  const home = makeHome();
  for (const { name, applicationId, migrations } of FILES)
    openDatabase({ path: join(home, name), applicationId, migrations, durability: "full", create: true }).close();
  return home;
}

test("side files: none there, or all sound, nothing found", () => {
  expect(examineSideFiles(makeHome())).toEqual([]);
  expect(examineSideFiles(fullHome())).toEqual([]);
});

test("side files: a bit of each flipped, named with what its loss costs", () => {
  for (const { name, severity } of FILES) {
    const home = fullHome();
    const path = join(home, name);
    const bytes = readFileSync(path);
    const at = Math.floor(bytes.length / 2) + 40;
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, bytes);
    const found = examineSideFiles(home);
    expect(found).toMatchObject([{ severity, file: path }]);
    expect(found[0]?.detail).toContain("which are lost with it");
  }
});

test("side files: another program's file, an error that does not ask to move it", () => {
  const home = fullHome();
  rmSync(join(home, "sync.db"));
  writeFileSync(join(home, "sync.db"), readFileSync(join(home, "broker.db")));
  expect(examineSideFiles(home)).toMatchObject([{ severity: "error" }]);
});

test("side files: a sync.db of the first format, examined like any other", () => {
  const home = makeHome();
  const options = { applicationId: SYNC_APPLICATION_ID, migrations: [SYNC_MIGRATION], durability: "normal", create: true } as const;
  openDatabase({ path: join(home, "sync.db"), ...options }).close();
  expect(examineSideFiles(home)).toEqual([]);
});
