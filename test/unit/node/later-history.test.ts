import { expect, test } from "bun:test";
import { localSigner, MerkleAccumulator, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { checkpointOrigin, type EventLog, event, growTree, signCheckpoint } from "../../../src/events/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";
import { type LaneOwner, provesOtherHistory } from "../../../src/node/later-history.ts";
import { EventBench, identity } from "../events/event-fixture.ts";

const OWNER: LaneOwner = { network: "net", node: "box", identityKey: identity.publicKey };

/** A vital lane with events of these names. */
function laneWith(names: readonly string[]): EventLog {
  const log = new EventBench().open({ network: OWNER.network, node: OWNER.node });
  for (const alert of names) log.appendCrit(event("alert.cleared", { alert }));
  return log;
}

/** The checkpoint over the first records of a lane, as its node signs it. */
function noteOver(log: EventLog, size: number, { signer = identity, epoch = 1, node = OWNER.node } = {}): { epoch: number; note: string } {
  const read = log.read("crit", { epoch: 1, sequence: 0 }, size);
  const tree = new MerkleAccumulator();
  for (const record of read.ok ? read.value : []) growTree(tree, record.hash);
  expect(tree.size).toBe(size);
  return { epoch, note: signCheckpoint(signer, checkpointOrigin(OWNER.network, node, "crit", epoch), tree) };
}

const proves = (here: EventLog, held: { epoch: number; note: string }): boolean =>
  provesOtherHistory(here, held, OWNER, nativeSuite.verify);

test("later history: a checkpoint over records that are here, proves nothing", () => {
  const here = laneWith(["a", "b", "c"]);
  for (const size of [1, 2, 3]) expect(proves(here, noteOver(here, size))).toBe(false);
});

test("later history: a checkpoint over more records, or over others, proves that this home is an older one or a copy", () => {
  const later = laneWith(["a", "b", "c", "d"]);
  expect(proves(laneWith(["a", "b"]), noteOver(later, 3))).toBe(true);
  expect(proves(laneWith(["a", "b", "x", "y", "z"]), noteOver(later, 3))).toBe(true);
  expect(proves(laneWith(["a", "b", "x", "y", "z"]), noteOver(later, 2))).toBe(false);
  expect(proves(laneWith([]), noteOver(later, 1))).toBe(true);
});

test("later history: a checkpoint over more records than are read at a time, is judged to its last one", () => {
  const names = Array.from({ length: 600 }, (_, at) => `alert ${at}`);
  const later = laneWith(names);
  expect(proves(later, noteOver(later, 600))).toBe(false);
  expect(proves(laneWith(names.slice(0, 599)), noteOver(later, 600))).toBe(true);
});

test("later history: an incarnation that was never here, is one", () => {
  const here = laneWith(["a", "b"]);
  expect(proves(here, noteOver(here, 2, { epoch: 2 }))).toBe(true);
});

test("later history: what this node's identity did not sign, proves nothing, whoever says so", () => {
  const later = laneWith(["a", "b", "c"]);
  const here = laneWith(["a"]);
  const other = localSigner(sha256(utf8("an aggregator")));
  expect(proves(here, noteOver(later, 3, { signer: other }))).toBe(false);
  expect(proves(here, noteOver(later, 3, { node: "another-box" }))).toBe(false);
  const { note } = noteOver(later, 3);
  expect(proves(here, { epoch: 2, note })).toBe(false);
  expect(proves(here, { epoch: 1, note: note.replace("\n3\n", "\n4\n") })).toBe(false);
  for (const text of ["", "\n", "nonsense", note.slice(0, -5)]) expect(proves(here, { epoch: 1, note: text })).toBe(false);
});
