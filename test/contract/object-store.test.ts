/** Objects as files, and at an aggregator that keeps them as files; S3 runs the same suite in test/integration/aggregator. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { localSigner, nativeSuite, sha256 } from "../../src/crypto/index.ts";
import { silentLog, utf8 } from "../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../src/node/ports.ts";
import { type ObjectStore, openObjects } from "../../src/storage/index.ts";
import { Aggregator, type FleetUser, fleetRoutes } from "../../sync/aggregator/index.ts";
import { describeObjectStore } from "./object-store.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-objects-"));
const home = mkdtempSync(join(tmpdir(), "bizra-objects-home-"));
const USERS = new Map<string, FleetUser>();
let aggregator: Aggregator | undefined;

function open(place: string, credentials?: string): ObjectStore {
  const objects = openObjects(place, { base: folder, entropy: systemEntropy, credentials });
  if (!objects.ok) throw new Error(objects.error.detail);
  return objects.value;
}

/** An aggregator on loopback that keeps objects in a folder. */
async function startAggregator(): Promise<Aggregator> {
  const log = silentLog;
  const ports = { clock: systemClock, timers: systemTimers, entropy: systemEntropy, log };
  const objects = open("kept");
  return Aggregator.start({
    ...ports,
    home,
    listen: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    policy: { isOpen: true, knowsNetwork: () => true, speaksFor: () => true },
    witness: localSigner(sha256(utf8("a witness"))),
    suite: nativeSuite,
    build: {},
    metrics: [],
    onDefect: (error) => {
      throw error;
    },
    routes: (store, _ingest, desk) =>
      fleetRoutes({ ...ports, store, desk, users: { find: (name) => USERS.get(name) }, isTls: false, objects, version: "test" }),
  });
}

describeObjectStore({
  name: "files",
  open: async () => open(pathToFileURL(join(folder, "below")).href),
  remove: async () => {},
});

describeObjectStore({
  name: "aggregator",
  below: "backup/0011223344556677/box-1/",
  open: async () => {
    aggregator = await startAggregator();
    return open(aggregator.url);
  },
  remove: async () => {
    await aggregator?.stop();
    rmSync(home, { recursive: true, force: true });
  },
});

describe("objects", () => {
  test("object store: what a crash left half written, never listed", async () => {
    const objects = open("below");
    await objects.put("half/whole", new Uint8Array(1));
    writeFileSync(join(folder, "below", "half", "torn.0011.PART"), "torn");
    expect((await objects.list("half/", "", 10)).map(({ name }) => name)).toEqual(["half/whole"]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("object store: an address that names no objects, refused in words that tell no secret", () => {
    const wrong = [
      "",
      "ftp://host/x",
      "s3://",
      "s3://bucket",
      "http://host/x",
      "http://10.0.0.1",
      "https://host/path",
      "s3://K:hush@b?path=x",
    ];
    for (const text of wrong) {
      const opened = openObjects(text, { base: ".", entropy: systemEntropy });
      expect([text, opened.ok]).toEqual([text, false]);
      expect(JSON.stringify(opened)).not.toContain("hush");
    }
    expect(openObjects("s3://bucket", { base: ".", entropy: systemEntropy, credentials: "KEY:SECRET" })).toMatchObject({ ok: true });
  });
});
