import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeyFile } from "../../src/identity/index.ts";
import { toHex } from "../../src/kernel/index.ts";
import { findNextKey, layNextKey, readTombstone, systemEntropy, takeUpNextKey } from "../../src/node/index.ts";
import { finishRotation } from "../../src/node/rotation.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { createJournal, openJournal } from "../../src/validator/index.ts";

const COST = { n: 2 ** 12, r: 8, p: 1 } as const;
const FLOOR = { epoch: 3, view: 17 };

/** A home with a signing key and its journal, and another key that waits. */
async function inHome(use: (home: string, keys: { old: Uint8Array; next: Uint8Array }) => void | Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "bizra-rotation-"));
  try {
    mkdirSync(join(home, "keys"));
    const old = await makeKeyFile("validator", "words", COST, systemEntropy);
    const next = await makeKeyFile("validator", "words", COST, systemEntropy);
    writeFileSync(join(home, "keys/validator.json"), old.text);
    createJournal({ fs: nodeFileSystem, directory: join(home, "journal"), entropy: systemEntropy }, old.signer.publicKey);
    layNextKey(home, next.text, next.signer.publicKey);
    await use(home, { old: old.signer.publicKey, next: next.signer.publicKey });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The floor of the journal in place, which must be this key's. */
function floorOf(home: string, publicKey: Uint8Array): unknown {
  const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: systemEntropy };
  const journal = openJournal(files, { publicKey, isBlocking: true });
  const replay = journal.replay();
  journal.close();
  return replay.kind === "intact" ? replay.floor : replay;
}

function expectTaken(home: string, { old, next }: { old: Uint8Array; next: Uint8Array }): void {
  expect(readFileSync(join(home, "keys/validator.json"), "utf8")).toContain(toHex(next));
  expect(floorOf(home, next)).toEqual(FLOOR);
  expect([findNextKey(home), existsSync(join(home, "journal.next"))]).toEqual([undefined, false]);
  expect(readTombstone(home, old)).toMatchObject({ publicKey: toHex(old), successor: toHex(next), floor: FLOOR });
  expect(readdirSync(join(home, "retired")).sort()).toEqual([`${toHex(old)}.journal`, `${toHex(old)}.json`]);
}

test("rotation: the next key taken up, its journal in place above the floor, the old one retired with its own", () =>
  inHome((home, keys) => {
    takeUpNextKey(home, FLOOR);
    expectTaken(home, keys);
    finishRotation(home);
    expectTaken(home, keys);
  }));

test("rotation: cut off after any of its steps, finished at the next start", () =>
  inHome((home, keys) => {
    const whole = `${home}.whole`;
    cpSync(home, whole, { recursive: true });
    takeUpNextKey(home, FLOOR);
    const tombstone = readFileSync(join(home, "retired", `${toHex(keys.old)}.json`));
    const steps = [
      (): void => {},
      (): void => renameSync(join(home, "journal"), join(home, "retired", `${toHex(keys.old)}.journal`)),
      (): void => renameSync(join(home, "journal.next"), join(home, "journal")),
    ];
    try {
      for (const done of steps.keys()) {
        rmSync(home, { recursive: true });
        cpSync(whole, home, { recursive: true });
        mkdirSync(join(home, "retired"));
        writeFileSync(join(home, "retired", `${toHex(keys.old)}.json`), tombstone);
        // A later step stands on a floor that an earlier one made durable.
        if (done === 2) takeFloor(home, keys.next);
        for (const step of steps.slice(0, done + 1)) step();
        finishRotation(home);
        expectTaken(home, keys);
      }
    } finally {
      rmSync(whole, { recursive: true, force: true });
    }
  }));

test("rotation: cut off before the tombstone, the old key goes on; a journal without its key is made again", () =>
  inHome(async (home, { old }) => {
    finishRotation(home);
    expect(floorOf(home, old)).toEqual({ epoch: 0, view: 0 });
    rmSync(join(home, "keys/validator.next.json"));
    const other = await makeKeyFile("validator", "words", COST, systemEntropy);
    layNextKey(home, other.text, other.signer.publicKey);
    expect(findNextKey(home)).toEqual(other.signer.publicKey);
    expect(() => layNextKey(home, other.text, other.signer.publicKey)).toThrow("a next key already");
  }));

test("rotation: a retired key without its successor, or with another, is not started with", () =>
  inHome(async (home, { old }) => {
    const before = readFileSync(join(home, "keys/validator.json"));
    takeUpNextKey(home, FLOOR);
    writeFileSync(join(home, "keys/validator.json"), before);
    expect(() => finishRotation(home)).toThrow(`the key ${toHex(old)} was retired`);
    const other = await makeKeyFile("validator", "words", COST, systemEntropy);
    layNextKey(home, other.text, other.signer.publicKey);
    expect(() => finishRotation(home)).toThrow("was retired");
    writeFileSync(join(home, "retired", `${toHex(old)}.json`), "{}");
    expect(() => finishRotation(home)).toThrow("not what was written");
  }));

function takeFloor(home: string, publicKey: Uint8Array): void {
  const files = { fs: nodeFileSystem, directory: join(home, "journal.next"), entropy: systemEntropy };
  const journal = openJournal(files, { publicKey, isBlocking: true });
  journal.append({ kind: "floor", round: FLOOR });
  journal.syncNow();
  journal.close();
}
