/** What a stopped keeper's home holds of a lost box, read by the command, on the very database that a keeper wrote. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandFailure, type CommandInput } from "../../../src/cli/command.ts";
import { eventsKept } from "../../../src/cli/commands/events-kept.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";
import { localSigner, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { openDatabase } from "../../../src/storage/index.ts";
import { EscrowKeeper, EscrowTable, SYNC_APPLICATION_ID, SYNC_MIGRATIONS, SYNC_PAGE_BYTES } from "../../../sync/agent/index.ts";
import { encodeEscrowRequest } from "../../../sync/protocol/index.ts";
import { network } from "../sync/agent/agent-world.ts";
import { type EscrowBox, EscrowWorld, parcelOf } from "../sync/agent/escrow-world.ts";

const directory = mkdtempSync(join(tmpdir(), "bizra-kept-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;

/** A keeper's home, with parcels of boxes as they were deposited; `change` is what happens to its file afterwards. */
async function homeWith(deposits: readonly Uint8Array[], change: (table: ReturnType<typeof open>) => void = () => {}): Promise<string> {
  const home = mkdtempSync(join(directory, `${++made}-`));
  const database = open(home);
  const ports = { flush: async () => {}, network, verify: nativeSuite.verify, isWitness: () => true, log: silentLog };
  const clock = { nowMs: () => made, monotonicMs: () => made };
  const keeper = new EscrowKeeper({ ...ports, clock, store: new EscrowTable(database) });
  for (const parcel of deposits) await keeper.answer("a peer", encodeEscrowRequest({ kind: "deposit", parcel }));
  change(database);
  database.close();
  return home;
}

function open(home: string) {
  const options = { applicationId: SYNC_APPLICATION_ID, migrations: SYNC_MIGRATIONS, pageBytes: SYNC_PAGE_BYTES } as const;
  return openDatabase({ path: join(home, "sync.db"), ...options, durability: "normal", create: true });
}

async function run(
  flags: Readonly<Record<string, string>>,
): Promise<{ code: number; results: unknown[]; texts: string[]; notes: string[] }> {
  const said = { results: [] as unknown[], texts: [] as string[], notes: [] as string[] };
  const input: CommandInput = { flag: (name) => flags[name], flags: () => [], has: () => false, positionals: [] };
  const terminal: Terminal = {
    isJson: false,
    isInteractive: false,
    print: () => {},
    note: (line) => said.notes.push(line),
    result(value, text) {
      said.results.push(value);
      said.texts.push(text());
    },
    askSecret: async () => undefined,
  };
  return { code: await eventsKept.run(input, terminal), ...said };
}

function lostBox(name = "a", alerts = 9): EscrowBox {
  const box = new EscrowWorld([name]).box(name);
  box.alert(alerts);
  return box;
}

test("events kept: nodes with what is kept of each, and a lost box's events in order with their hashes", async () => {
  const [box, other] = [lostBox(), lostBox("b", 2)];
  const home = await homeWith([parcelOf(box, 1, 4), parcelOf(box, 5, 9), parcelOf(other, 1, 2)]);
  const listed = await run({ home });
  expect(listed.code).toBe(0);
  const { nodes } = listed.results[0] as { nodes: { node: string; records: number; identity: string; faults: number; released: string }[] };
  expect(nodes.map(({ node, records, faults, released }) => `${node} ${records} ${faults} ${released}`).toSorted()).toEqual([
    "a 9 0 0.0",
    "b 2 0 0.0",
  ]);
  const shown = await run({ home, node: "a" });
  expect([shown.code, shown.notes]).toEqual([0, []]);
  const told = box.log.read("crit", { epoch: 1, sequence: 0 }, 100);
  expect(shown.results.map((item) => (item as { hash: string }).hash)).toEqual(told.ok ? told.value.map(({ hash }) => toHex(hash)) : []);
  expect(shown.texts[0]).toContain("1.1 alert.raised alert=a severity=warning detail=number 0");
  expect((await run({ home, node: toHex(box.identity.publicKey).slice(0, 12) })).results).toEqual(shown.results);
});

test("events kept: records missing between two parcels, said and no fault", async () => {
  const box = lostBox();
  const home = await homeWith([parcelOf(box, 1, 3), parcelOf(box, 6, 9)]);
  const shown = await run({ home, node: "a" });
  expect(shown.code).toBe(0);
  expect(shown.results).toHaveLength(7);
  expect(shown.notes).toEqual(["1.6 to 1.9: what came before is not kept here"]);
});

test("events kept: a parcel altered on the disk, or put under another box, named and its records not shown", async () => {
  const [box, thief] = [lostBox(), lostBox("t", 3)];
  const forged = parcelOf(box, 5, 9, {}, localSigner(sha256(utf8("a thief"))));
  const cases = [
    { fault: "badSignature", parcel: forged },
    { fault: "malformed", parcel: new Uint8Array(40) },
    { fault: "otherNode", parcel: parcelOf(thief, 1, 3) },
    { fault: "brokenChain", parcel: parcelOf(box, 5, 9, { tipHash: new Uint8Array(32) }) },
  ] as const;
  for (const { fault, parcel } of cases) {
    const home = await homeWith([parcelOf(box, 1, 4), parcelOf(box, 5, 9)], (database) => {
      const put = database.prepare<never, [Uint8Array]>("UPDATE escrow_parcel SET parcel = ? WHERE first = 5");
      database.atomically(() => put.run(parcel));
    });
    const shown = await run({ home, node: "a" });
    expect([fault, shown.code, shown.results.length, shown.notes]).toEqual([
      fault,
      1,
      4,
      [`1.5 to 1.9: not what the node's identity signed (${fault})`],
    ]);
    const listed = await run({ home });
    expect([listed.code, listed.texts[0]]).toEqual([1, expect.stringContaining("1 PARTS ARE NOT WHAT IT SIGNED")]);
  }
});

test("events kept: nothing kept, nobody of that name, one name of two boxes, no database: each said", async () => {
  const empty = await homeWith([]);
  expect((await run({ home: empty })).texts).toEqual(["nothing is kept here for other nodes"]);
  await expect(run({ home: empty, node: "a" })).rejects.toThrow(CommandFailure);
  const again = lostBox();
  const second = localSigner(sha256(utf8("the same name after a restore")));
  const home = await homeWith([parcelOf(again, 1, 2), parcelOf(again, 1, 2, { identityKey: second.publicKey }, second)]);
  await expect(run({ home, node: "a" })).rejects.toThrow("was 2 boxes");
  await expect(run({ home: directory })).rejects.toThrow("expected the sync database");
});
