import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServiceUrls, formatFault, loadConfiguration, loadObjectCredentials } from "../../../src/config/index.ts";

const home = mkdtempSync(join(tmpdir(), "bizra-config-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test("credentials of objects: from the environment before the file, and none where neither is given", () => {
  writeFileSync(join(home, "s3"), "KEY:SECRET\n", { mode: 0o600 });
  expect(loadObjectCredentials(home, "s3", {})).toEqual({ ok: true, value: "KEY:SECRET" });
  expect(loadObjectCredentials(home, "s3", { BIZRA_OBJECTS_CREDENTIALS: "A:B" })).toEqual({ ok: true, value: "A:B" });
  expect(loadObjectCredentials(home, "", {})).toEqual({ ok: true, value: undefined });
  expect(findServiceUrls({ BIZRA_AGGREGATOR_OBJECTS: "s3://bucket" })).toMatchObject({ objects: "s3://bucket", bus: undefined });
});

test("credentials of objects: a file that is absent, or open to others, refused by the name of its setting and without what is in it", () => {
  const refusal = (name: string): string => {
    const loaded = loadObjectCredentials(home, name, {});
    return loaded.ok ? "" : formatFault(loaded.error);
  };
  expect(refusal("absent")).toContain("create it, or correct backup.credentialsFile");
  writeFileSync(join(home, "open"), "KEY:SECRET\n");
  chmodSync(join(home, "open"), 0o644);
  expect(refusal("open")).toContain("expected a file readable by its owner alone");
  expect(refusal("open")).not.toContain("SECRET");
});

test("backup.objects: folders, buckets and aggregators; an address with a name or a password in it, refused without telling it", () => {
  const load = (objects: string) => loadConfiguration({ home, flags: { "backup-objects": objects }, environment: {} });
  for (const objects of ["", "/mnt/b@ckups", "s3://bucket/prefix?endpoint=https://host", "https://aggregator:8700", "file:///mnt/x"]) {
    const loaded = load(objects);
    expect([objects, loaded.ok && loaded.value.values.backup.objects]).toEqual([objects, objects]);
  }
  for (const objects of ["s3://KEY:hush@bucket", "https://root:hush@aggregator:8700", "S3://KEY:hush@bucket"]) {
    const loaded = load(objects);
    expect([objects, loaded.ok]).toEqual([objects, false]);
    expect(loaded.ok ? "" : loaded.error.map(formatFault).join()).not.toContain("hush");
  }
});
