/** Files as the aggregator's objects; S3 runs the same suite in test/integration/aggregator. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemEntropy } from "../../src/node/ports.ts";
import { openObjects } from "../../sync/aggregator/index.ts";
import { describeObjectStore } from "./object-store.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-objects-"));

function open() {
  const objects = openObjects(pathToFileURL(join(folder, "below")).href, systemEntropy);
  if (!objects.ok) throw new Error(objects.error.detail);
  return objects.value;
}

describeObjectStore({
  name: "files",
  open: async () => open(),
  remove: async () => rmSync(folder, { recursive: true, force: true }),
});

describe("files as the aggregator's objects", () => {
  test("object store: what a crash left half written, never listed", async () => {
    const objects = open();
    await objects.put("half/whole", new Uint8Array(1));
    writeFileSync(join(folder, "below", "half", "torn.0011.PART"), "torn");
    expect((await objects.list("half/", "", 10)).map(({ name }) => name)).toEqual(["half/whole"]);
  });

  test("object store: an address that names no objects, refused in words", () => {
    for (const text of ["", "nowhere", "s3://", "http://host/x", "s3://bucket"])
      expect(openObjects(text, systemEntropy)).toMatchObject({ ok: false });
  });
});
