/** A real writer, killed with SIGKILL; its files copied, a byte changed, opened again. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Prng, present } from "../../../src/kernel/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import { countRows, imageOf, inFolder, openSample, putImage } from "./sample-database.ts";

const folder = mkdtempSync(`${tmpdir()}/bizra-killed-`);
let image: ReadonlyMap<string, Uint8Array>;
let acknowledged = 0;

/** Adds rows for ever, saying each once its commit has returned; checkpoints now and then. */
const WRITER = `
  const { openSample, addRows } = await import(${JSON.stringify(`${import.meta.dir}/sample-database.ts`)});
  const db = openSample(${JSON.stringify(folder)});
  for (let row = 1; ; row++) {
    addRows(db, 1, 50 + (row % 7) * 90);
    if (row % 17 === 0) db.checkpoint();
    process.stdout.write(row + "\\n");
  }`;

beforeAll(async () => {
  const writer = Bun.spawn([process.execPath, "-e", WRITER], { stdout: "pipe", stderr: "inherit" });
  let said = "";
  for await (const chunk of writer.stdout) {
    said += new TextDecoder().decode(chunk);
    acknowledged = said.trimEnd().split("\n").length;
    if (acknowledged >= 60) break;
  }
  writer.kill("SIGKILL");
  await writer.exited;
  image = imageOf(folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("killed database: opened again at once, every acknowledged row is there", () => {
  inFolder((other) => {
    putImage(image, other);
    const db = openSample(other, { expectCommitsAtLeast: acknowledged + 1 });
    expect(countRows(db)).toBeGreaterThanOrEqual(acknowledged);
    expect(db.commitCount).toBe(countRows(db) + 1);
    for (const _ of db.scrub());
    db.close();
  });
  const db = openSample(folder); // nothing stale keeps the killed process's place
  expect(countRows(db)).toBeGreaterThanOrEqual(acknowledged);
  db.close();
});

test("killed database: a byte changed anywhere, the file is named or the loss shows", () => {
  const prng = new Prng(41);
  const outcomes = { named: 0, markOnly: 0, leftover: 0, lossShown: 0 };
  for (const [path, content] of image) {
    const places = new Set<number>();
    for (let at = 0; at < Math.min(content.length, 48); at += 5) places.add(at);
    while (places.size < Math.min(content.length, 24)) places.add(prng.below(content.length));
    for (const at of places) {
      const changed = content.slice();
      changed[at] = (changed[at] as number) ^ (1 << prng.below(8));
      outcomes[outcomeOf(new Map([...image, [path, changed]]), path)]++;
    }
  }
  expect(outcomes.named).toBeGreaterThan(60);
  expect(outcomes.markOnly).toBeGreaterThan(5);
  // Only in a commit that returned, or not, in the instant of the kill.
  expect(outcomes.lossShown).toBeLessThanOrEqual(3);
});

function outcomeOf(changed: ReadonlyMap<string, Uint8Array>, path: string): "named" | "markOnly" | "leftover" | "lossShown" {
  return inFolder((other) => {
    putImage(changed, other);
    try {
      const db = openSample(other, { expectCommitsAtLeast: acknowledged + 1 });
      const { report } = db;
      db.abandon();
      if (path.endsWith(".mark") && report.isMarkUnreadable) return "markOnly";
      if (path.endsWith("-wal") && report.hasChangedLeftovers) return "leftover";
      if (report.droppedBytes > 0 || report.droppedSumsBytes > 0) return "lossShown";
      throw new Error(`a byte of ${path} changed and nobody noticed`);
    } catch (error) {
      if (!isStorageError(error, "damaged")) throw error; // the verdict under test
      expect(present(error.path.split("/sample.db")[1], "the path names a file of the database")).toBe(path.slice("sample.db".length));
      return "named";
    }
  });
}
