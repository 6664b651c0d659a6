/** Objects by name: one suite, run by every implementation. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ObjectStore } from "../../src/storage/index.ts";

/** An implementation under test. */
export type ObjectsSubject = {
  readonly name: string;
  /** Where the suite may put objects, with a slash at its end; everywhere when it is left out. */
  readonly below?: string;
  readonly open: () => Promise<ObjectStore>;
  readonly remove: () => Promise<void>;
};

/** Runs the suite. */
export function describeObjectStore(subject: ObjectsSubject): void {
  describe(`object store: ${subject.name}`, () => {
    let objects: ObjectStore;
    const at = subject.below ?? "";
    beforeAll(async () => {
      objects = await subject.open();
    });
    afterAll(() => subject.remove());

    test("object store: what is put is there, whole, until it is replaced or deleted", async () => {
      const large = new Uint8Array(300_000).map((_, at) => (at * 7) % 251);
      expect(await objects.get(`${at}snapshots/none`)).toBeUndefined();
      await objects.put(`${at}snapshots/a.zst`, large);
      await objects.put(`${at}snapshots/empty`, new Uint8Array(0));
      expect(await objects.get(`${at}snapshots/a.zst`)).toEqual(large);
      expect(await objects.get(`${at}snapshots/empty`)).toEqual(new Uint8Array(0));
      expect(await objects.getPart(`${at}snapshots/a.zst`, 7, 4_000)).toEqual(large.slice(7, 4_000));
      expect(await objects.getPart(`${at}snapshots/a.zst`, 299_990, 400_000)).toEqual(large.slice(299_990));
      expect(await objects.getPart(`${at}snapshots/none`, 0, 5)).toBeUndefined();
      await objects.put(`${at}snapshots/a.zst`, large.subarray(0, 5));
      expect(await objects.get(`${at}snapshots/a.zst`)).toEqual(large.slice(0, 5));
      await objects.delete(`${at}snapshots/a.zst`);
      await objects.delete(`${at}snapshots/a.zst`);
      await objects.delete(`${at}nowhere/at-all`);
      expect(await objects.get(`${at}snapshots/a.zst`)).toBeUndefined();
    });

    test("object store: names that begin with a prefix, in order, a page at a time", async () => {
      const names = ["p/a1", "p/a2", "p/b/c", "p/c", "p0"].map((name) => at + name);
      await Promise.all(names.map((name) => objects.put(name, new Uint8Array(name.length))));
      const below = names.filter((name) => name.startsWith(`${at}p/`)).sort();
      expect(await objects.list(`${at}p/`, "", 100)).toEqual(below.map((name) => ({ name, sizeBytes: name.length })));
      expect((await objects.list(`${at}p/a`, "", 100)).map(({ name }) => name)).toEqual([`${at}p/a1`, `${at}p/a2`]);
      const first = await objects.list(`${at}p`, "", 2);
      const second = await objects.list(`${at}p`, first[1]?.name ?? "", 10);
      expect([...first, ...second].map(({ name }) => name)).toEqual([...below, `${at}p0`].sort());
      expect(await objects.list(`${at}q`, "", 10)).toEqual([]);
    });

    test("object store: a name that would lead elsewhere, refused", async () => {
      for (const name of ["", "../x", "a/../../x", "/x", "a//b", "a/", ".", "A", "a\u0000", "a b", "é", "x".repeat(513)]) {
        await expect(objects.put(name, new Uint8Array(1))).rejects.toThrow("expected 1-512");
        await expect(objects.get(name)).rejects.toThrow("expected 1-512");
        await expect(objects.delete(name)).rejects.toThrow("expected 1-512");
      }
      await expect(objects.list("../", "", 1)).rejects.toThrow("expected the beginning");
    });

    test("object store: two at once under one name, one of them whole", async () => {
      const [ones, twos] = [1, 2].map((fill) => new Uint8Array(100_000).fill(fill));
      await Promise.all([ones, twos].map((bytes) => objects.put(`${at}race`, bytes ?? new Uint8Array(0))));
      const got = await objects.get(`${at}race`);
      expect(got).toEqual(got?.[0] === 1 ? ones : twos);
    });
  });
}
