import { describe, expect, test } from "bun:test";
import { generateX25519Identity } from "age-encryption";
import { localSigner, sha256 } from "../../../../src/crypto/index.ts";
import { Prng, present, utf8 } from "../../../../src/kernel/index.ts";
import { MemoryFileSystem } from "../../../../src/storage/index.ts";
import { fetchBackup, listBackups, newestUntil, openBackup, type RestoreFault, type TakenBackup } from "../../../../sync/restore/index.ts";
import { encodeBackupManifest, verifyBackupManifest } from "../../../../sync/restore/manifest.ts";
import { CONFIGURATION, IDENTITY, MemoryObjects, NODE, SECRETS, sourceAt, TRUST, writerOn } from "./backup-fixture.ts";

const PATH = "/home/snapshot.state";

async function taken(store: MemoryObjects): Promise<TakenBackup> {
  return present(await writerOn(store).writer.take(await sourceAt(7)), "a backup");
}

/** Restores the backup of this name; gives the height, or why not. */
async function restored(
  store: MemoryObjects,
  name: string,
  secret: string,
  fs = new MemoryFileSystem(),
): Promise<number | RestoreFault["code"]> {
  if (fs.stat("/home") === undefined) fs.makeDirectory("/home");
  const opened = await openBackup(store, present(store.objects.get(name), "a manifest"), TRUST, { identity: secret });
  if (!opened.ok) return opened.error.code;
  expect(opened.value.configuration).toBe(CONFIGURATION);
  const state = await fetchBackup(store, opened.value, fs, PATH);
  if (!state.ok) expect(fs.stat(PATH)).toBeUndefined();
  return state.ok ? state.value.height : state.error.code;
}

describe("backup", () => {
  test("backup: either recipient, gets the state of a final block back; a third key gets nothing", async () => {
    const store = new MemoryObjects();
    const { name, objects } = await taken(store);
    expect(objects).toBeGreaterThan(2);
    expect([await restored(store, name, SECRETS[0]), await restored(store, name, SECRETS[1])]).toEqual([7, 7]);
    expect(await restored(store, name, await generateX25519Identity())).toBe("notForThisKey");
  });

  test("backup: any object spoiled, shortened or gone, is named and nothing is put in place", async () => {
    const store = new MemoryObjects();
    const { name } = await taken(store);
    const prng = new Prng(3);
    for (const object of [...store.objects.keys()].filter((each) => each !== name)) {
      const whole = present(store.objects.get(object), "an object");
      const flipped = whole.slice();
      const at = prng.below(flipped.length);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      store.objects.set(object, flipped);
      expect(await restored(store, name, SECRETS[0])).toBe("damaged");
      store.objects.set(object, whole.subarray(1));
      expect(await restored(store, name, SECRETS[0])).toBe("damaged");
      store.objects.delete(object);
      expect(await restored(store, name, SECRETS[0])).toBe("missing");
      store.objects.set(object, whole);
    }
    expect(await restored(store, name, SECRETS[0])).toBe(7);
  });

  test("backup: every bit of a manifest's head turned, is refused; cut anywhere, too", async () => {
    const store = new MemoryObjects();
    const { name } = await taken(store);
    const bytes = present(store.objects.get(name), "a manifest");
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verifyBackupManifest(flipped).ok).toBe(false);
    }
    for (let length = 0; length < bytes.length; length += 11) expect(verifyBackupManifest(bytes.subarray(0, length)).ok).toBe(false);
  });

  test("backup: a manifest of another node, network or identity, and one that proves another block, are refused", async () => {
    const store = new MemoryObjects();
    const { name } = await taken(store);
    const bytes = present(store.objects.get(name), "a manifest");
    const opener = { identity: SECRETS[0] };
    const codeOf = async (trust: Partial<typeof TRUST>, of = bytes): Promise<string> => {
      const opened = await openBackup(store, of, { ...TRUST, ...trust }, opener);
      return opened.ok ? "opened" : opened.error.code;
    };
    expect(await codeOf({ node: "another" })).toBe("otherNode");
    expect(await codeOf({ chainId: sha256(utf8("another")) })).toBe("otherNetwork");
    expect(await codeOf({ identityKey: TRUST.chainId })).toBe("otherIdentity");
    expect(await codeOf({ identityKey: IDENTITY.publicKey })).toBe("opened");
    const fewer = { ...TRUST.genesisSet, hash: sha256(utf8("another set")) };
    expect(await codeOf({ genesisSet: fewer })).toBe("notFinal");
    const stated = verifyBackupManifest(bytes);
    if (!stated.ok) throw new Error(stated.error);
    expect(await codeOf({}, encodeBackupManifest({ ...stated.value, height: 8 }, IDENTITY))).toBe("otherState");
    const stranger = localSigner(sha256(utf8("a stranger")));
    const forged = encodeBackupManifest({ ...stated.value, identityKey: stranger.publicKey }, stranger);
    expect([await codeOf({}, forged), await codeOf({ identityKey: IDENTITY.publicKey }, forged)]).toEqual(["opened", "otherIdentity"]);
  });

  test("backup: parts that did not change, are stored once; a store that fails leaves no manifest", async () => {
    const store = new MemoryObjects();
    const { writer, clock } = writerOn(store);
    const first = present(await writer.take(await sourceAt(7)), "a backup");
    clock.nowMs += 600_000;
    const second = present(await writer.take(await sourceAt(8)), "a backup");
    expect(second.objects).toBe(first.objects);
    expect(second.writtenBytes).toBeLessThan(first.writtenBytes);
    store.failsAfter = store.puts + 1;
    clock.nowMs += 600_000;
    await expect(writer.take(await sourceAt(9, 100))).rejects.toThrow("the store is gone");
    expect((await listBackups(store, TRUST.chainId, NODE)).map(({ height }) => height)).toEqual([7, 8]);
    expect([await restored(store, first.name, SECRETS[0]), await restored(store, second.name, SECRETS[1])]).toEqual([7, 8]);
  });

  test("backup: after eight days of one each ten minutes, retention keeps hours and days, and every kept one restores", async () => {
    const store = new MemoryObjects();
    const { writer, clock } = writerOn(store);
    for (let height = 1; height <= 8 * 12; height++) {
      await writer.take(await sourceAt(height, 50));
      await writer.prune();
      clock.nowMs += 2 * 3_600_000;
    }
    const entries = await listBackups(store, TRUST.chainId, NODE);
    expect([entries.length > 17, entries.length < 32, entries.every(({ node }) => node === NODE)]).toEqual([true, true, true]);
    for (const { name, height } of entries) expect(await restored(store, name, SECRETS[0])).toBe(height);
    const parts = [...store.objects.keys()].filter((name) => name.includes("/parts/"));
    expect(parts.length).toBeLessThanOrEqual(2 * entries.length);
    const [newest] = newestUntil(entries, {});
    expect(newest?.height).toBe(96);
    expect(newestUntil(entries, { atMs: (newest?.takenAtMs ?? 0) - 1 })[0]?.height).toBe(95);
  });
});
