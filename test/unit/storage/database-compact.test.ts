import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { addRows, countRows, imageOf, inFolder, openSample, putImage } from "./sample-database.ts";

/** A thousand rows, most of them deleted again, so that most of the file holds nothing. */
function fill(db: ReturnType<typeof openSample>): void {
  const insert = db.prepare<unknown, [Uint8Array]>("INSERT INTO reading (content) VALUES (?)");
  db.atomically(() => {
    for (let count = 0; count < 1_000; count++) insert.run(new Uint8Array(700).fill(count));
  });
  db.checkpoint();
  db.atomically(() => db.run("DELETE FROM reading WHERE id <= 900"));
}

test("database: room given back, the file is shorter, proves itself and goes on", () => {
  inFolder((folder) => {
    const db = openSample(folder);
    fill(db);
    db.checkpoint();
    const before = statSync(db.path).size;
    db.compact();
    expect(statSync(db.path).size).toBeLessThan(before / 4);
    expect(countRows(db)).toBe(100);
    for (const _ of db.scrub());
    addRows(db, 5, 700);
    db.close();
    const again = openSample(folder);
    expect(countRows(again)).toBe(105);
    for (const _ of again.scrub());
    again.close();
  });
});

test("database: killed before, in and after giving room back, every row is there", () => {
  inFolder((folder) => {
    const db = openSample(folder);
    const images: ReadonlyMap<string, Uint8Array>[] = [];
    fill(db);
    images.push(imageOf(folder));
    db.run("VACUUM");
    images.push(imageOf(folder)); // committed to the log, not yet moved
    db.checkpoint();
    images.push(imageOf(folder));
    addRows(db, 3, 700);
    images.push(imageOf(folder));
    db.close();
    for (const [at, image] of images.entries()) {
      inFolder((other) => {
        putImage(image, other);
        const opened = openSample(other);
        expect(countRows(opened)).toBe(at === 3 ? 103 : 100);
        for (const _ of opened.scrub());
        opened.compact();
        expect(countRows(opened)).toBe(at === 3 ? 103 : 100);
        opened.close();
      });
    }
  });
});
