/** A home's place apart, for what binds its keys and how far they have signed. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, sha256 } from "../../../src/crypto/index.ts";
import { silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { bindNewKey, custodyFilesOf, judgeHome, refuseAlone } from "../../../src/node/custody.ts";
import { systemEntropy } from "../../../src/node/ports.ts";
import { distrustOlderJournal, laySignstate, openSignedMark, signstateOf } from "../../../src/node/signstate.ts";
import { nodeFileSystem } from "../../../src/storage/index.ts";
import { createJournal, openJournal } from "../../../src/validator/index.ts";
import { notarize, voteRecord } from "../validator/samples.ts";

const KEY = localSigner(sha256(utf8("a key of a box")));
const NAME = toHex(KEY.publicKey);

let place = "";
let home = "";
let apart = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "bizra-signstate-"));
  [home, apart] = [join(place, "home"), join(place, "apart")];
  mkdirSync(home);
  mkdirSync(apart);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** A journal with votes of some views, told to the mark as a node does. */
function vote(...views: readonly number[]): void {
  const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: systemEntropy };
  if (!existsSync(files.directory)) createJournal(files, KEY.publicKey);
  const mark = openSignedMark(home, KEY.publicKey);
  const journal = openJournal(files, { publicKey: KEY.publicKey, isBlocking: true, onDurable: (round) => mark?.advance(round) });
  for (const view of views) journal.append(voteRecord(notarize(view)));
  journal.syncNow();
  journal.close();
  mark?.flush();
}

const distrust = (): boolean => distrustOlderJournal({ home, validator: KEY }, silentLog);

describe("a place apart", () => {
  test("signstate: a home without one, is as it always was", () => {
    expect(signstateOf(home)).toEqual({ kind: "none" });
    expect(custodyFilesOf(home, KEY.publicKey).directory).toBe(join(home, "custody"));
    expect(openSignedMark(home, KEY.publicKey)).toBeUndefined();
    vote(1);
    expect(distrust()).toBe(false);
    expect(readdirSync(home)).toEqual(["journal"]);
  });

  test("signstate: laid once, keys are bound there, and what bound them before goes along", () => {
    bindNewKey(home, KEY);
    const bound = readFileSync(join(home, "custody", `${NAME}.binding`));
    for (let again = 0; again < 2; again++) laySignstate(home, apart);
    expect(existsSync(join(home, "custody"))).toBe(false);
    expect(readFileSync(join(apart, "custody", `${NAME}.binding`))).toEqual(bound);
    expect(judgeHome(home, KEY.publicKey, true)?.verdict.kind).toBe("bound");
    laySignstate(home, join(place, "another"));
    expect(signstateOf(home)).toEqual({ kind: "there", directory: join(home, "signstate") });
    expect(readFileSync(join(home, "signstate/custody", `${NAME}.binding`))).toEqual(bound);
  });

  test("signstate: one that is not there, keeps the key from signing, whatever the settings say and whatever lies in the home", () => {
    laySignstate(home, apart);
    bindNewKey(home, KEY);
    vote(1);
    cpSync(join(apart, "custody"), join(home, "custody"), { recursive: true });
    renameSync(apart, join(place, "gone"));
    for (const isBound of [true, false]) {
      const verdict = judgeHome(home, KEY.publicKey, isBound)?.verdict;
      expect(verdict).toMatchObject({ kind: "barred", fault: "signstateLost" });
      if (verdict?.kind === "barred") expect(refuseAlone(verdict, home)).toEndWith("Mount it and start again");
    }
    expect(() => bindNewKey(home, KEY)).toThrow(); // nor is a key made that is bound nowhere
    expect(lstatSync(join(home, "signstate")).isSymbolicLink()).toBe(true);
    laySignstate(home, apart);
    expect(signstateOf(home)).toEqual({ kind: "lost" });
  });

  test("signstate: a disk that fails at the first start already, leaves a home whose key signs nothing", () => {
    rmSync(apart, { recursive: true });
    bindNewKey(home, KEY);
    laySignstate(home, apart);
    expect(judgeHome(home, KEY.publicKey, true)?.verdict).toMatchObject({ kind: "barred", fault: "signstateLost" });
    mkdirSync(apart);
    laySignstate(home, apart);
    expect(judgeHome(home, KEY.publicKey, true)?.verdict.kind).toBe("bound");
  });
});

describe("a journal that is older than what its key signed", () => {
  test("signstate: the journal as it was left, is trusted", () => {
    laySignstate(home, apart);
    vote(1, 2, 3);
    expect(openSignedMark(home, KEY.publicKey)?.noted).toEqual({ epoch: 0, view: 3 });
    expect(distrust()).toBe(false);
  });

  test("signstate: an older home that is put back, recovers before it votes; asked twice, once", () => {
    laySignstate(home, apart);
    vote(1);
    cpSync(join(home, "journal"), join(place, "older"), { recursive: true });
    vote(2);
    rmSync(join(home, "journal"), { recursive: true });
    renameSync(join(place, "older"), join(home, "journal"));
    expect(distrust()).toBe(true);
    expect(distrust()).toBe(false);
    const journal = openJournal(
      { fs: nodeFileSystem, directory: join(home, "journal"), entropy: systemEntropy },
      { publicKey: KEY.publicKey, isBlocking: true },
    );
    expect(journal.replay()).toMatchObject({ kind: "intact", recovery: { kind: "recovering" } });
    journal.append({ kind: "recovery", status: { kind: "gated", epoch: 0, firstView: 9 } });
    journal.syncNow();
    journal.close();
    expect(distrust()).toBe(false); // what the others said reaches beyond
    expect(readFileSync(join(home, "audit.jsonl"), "utf8")).toContain("it is an older copy");
  });

  test("signstate: a journal that is gone, is a lost one as ever: nothing is made in its place", () => {
    laySignstate(home, apart);
    vote(1, 2);
    rmSync(join(home, "journal"), { recursive: true });
    expect(distrust()).toBe(false);
    expect(existsSync(join(home, "journal"))).toBe(false);
  });

  test("signstate: a mark that is damaged, stops the start with what to do", () => {
    laySignstate(home, apart);
    vote(1);
    writeFileSync(join(apart, "signed", `${NAME}.signed`), "x");
    expect(distrust).toThrow(/is not what was written: how far the key has signed is not known\. Rotate/);
  });
});
