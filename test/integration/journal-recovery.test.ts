import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../src/cli/network-files.ts";
import { Prng } from "../../src/kernel/index.ts";
import { bindNewKey, examineHome, openSetup, recoverHomeJournal, StartRefused } from "../../src/node/index.ts";
import { nodeFileSystem } from "../../src/storage/index.ts";
import { openJournal } from "../../src/validator/index.ts";

const folders: string[] = [];
const askPassphrase = (): Promise<undefined> => Promise.resolve(undefined);

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function makeHome(validators: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bizra-recovery-"));
  folders.push(folder);
  const random = new Prng(validators);
  const plan = { directory: join(folder, "net"), chainName: "unit", validators, timeMs: 1_790_000_000_000, settingsOf: () => ({}) };
  const { homes } = await createNetwork(plan, { bytes: (count) => random.bytes(count) });
  return homes[0] as string;
}

async function openJournalOf(home: string) {
  const { validator } = await openSetup(home, {}, askPassphrase);
  const files = { fs: nodeFileSystem, directory: join(home, "journal"), entropy: { bytes: (count: number) => new Uint8Array(count) } };
  return openJournal(files, { publicKey: validator.publicKey, isBlocking: true });
}

async function refusalOf(home: string): Promise<string> {
  try {
    await recoverHomeJournal(home, askPassphrase);
  } catch (error) {
    if (error instanceof StartRefused) return error.message;
    throw error;
  }
  return "it was recovered";
}

test("J7: a lost journal beside other validators, is not begun anew by the operator", async () => {
  const home = await makeHome(4);
  bindNewKey(home, (await openSetup(home, {}, askPassphrase)).validator);
  rmSync(join(home, "journal"), { recursive: true });
  expect(await refusalOf(home)).toContain("other validators");
  expect((await openJournalOf(home)).replay().kind).toBe("lost");
});

test("DR-3: a key without journal and binding, is not recovered by a flag: it came alone", async () => {
  const home = await makeHome(1);
  rmSync(join(home, "journal"), { recursive: true });
  expect(await refusalOf(home)).toContain("the key file came alone");
}, 60_000);

test("J7: a single validator that was shown a vote its journal lacks, is found and let go on by its operator", async () => {
  const home = await makeHome(1);
  expect(await refusalOf(home)).toContain("sound");
  const stuck = await openJournalOf(home);
  stuck.append({ kind: "recovery", status: { kind: "recovering" } });
  stuck.syncNow();
  stuck.close();
  await recoverHomeJournal(home, askPassphrase);
  const journal = await openJournalOf(home);
  expect(journal.replay()).toMatchObject({ kind: "intact", recovery: { kind: "intact" } });
  journal.close();
  expect((await examineHome(home, { reexecutes: false, askPassphrase, onProgress: () => {} })).ok).toBe(true);
});
