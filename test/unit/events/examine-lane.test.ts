import { expect, test } from "bun:test";
import { localSigner, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { CheckpointTable, CritTable, event, examineLane, type LaneExamination, type LaneReader } from "../../../src/events/index.ts";
import { silentLog, utf8 } from "../../../src/kernel/index.ts";
import { EventBench, identity } from "./event-fixture.ts";

/** A lane of some alerts, its last checkpoint signed after `signed` of them. */
function laneOf(
  signed: number,
  records: number,
): { bench: EventBench; examine: (reader?: LaneReader, key?: Uint8Array) => LaneExamination } {
  const bench = new EventBench();
  const log = bench.open();
  for (let i = 1; i <= records; i++) {
    log.appendCrit(event("alert.raised", { alert: "a", severity: "notice", detail: `${i}` }));
    if (i === signed) log.signCheckpoints();
  }
  const checkpoints = new CheckpointTable(bench.node, silentLog);
  const examine = (reader: LaneReader = new CritTable(bench.node), key = identity.publicKey): LaneExamination =>
    examineLane("crit", reader, checkpoints.find("crit"), key, nativeSuite.verify);
  return { bench, examine };
}

test("lane examination: a lane with a checkpoint in its middle, counted and covered", () => {
  const { examine } = laneOf(700, 1_200);
  expect(examine()).toEqual({
    lane: "crit",
    records: 1_200,
    first: { epoch: 1, sequence: 1 },
    last: { epoch: 1, sequence: 1_200 },
    checkpoint: { verdict: "covers", epoch: 1, size: 700, origin: "bizra/0011aabb/box-1/crit/1" },
  });
});

test("lane examination: an empty lane and one without a checkpoint, nothing wrong", () => {
  expect(laneOf(0, 0).examine()).toEqual({ lane: "crit", records: 0, checkpoint: { verdict: "none" } });
  expect(laneOf(0, 3).examine().checkpoint.verdict).toBe("none");
});

test("lane examination: a checkpoint of another key, wrong", () => {
  const stranger = localSigner(sha256(utf8("a stranger"))).publicKey;
  expect(laneOf(3, 3).examine(undefined, stranger).checkpoint.verdict).toBe("wrong");
});

test("lane examination: a changed record, one left out and a cut end, each named", () => {
  const { bench, examine } = laneOf(5, 8);
  const whole = new CritTable(bench.node);
  const changed = (change: (records: readonly { readonly body: Uint8Array }[]) => readonly unknown[]): LaneReader => ({
    last: () => whole.last(),
    read: (after, limit) => {
      const page = whole.read(after, limit);
      return { ...page, records: change(page.records) as typeof page.records };
    },
  });
  const body = (at: number) =>
    changed((records) => records.map((r, i) => (i === at ? { ...r, body: r.body.map((b, j) => (j === 9 ? b ^ 1 : b)) } : r)));
  expect(examine(body(3)).fault).toMatchObject({ epoch: 1, sequence: 4, kind: "changed" });
  expect(examine(changed((records) => records.filter((_, i) => i !== 4))).fault).toMatchObject({ sequence: 5, kind: "missing" });
  const cut = examine(changed((records) => records.filter((r) => "sequence" in r && Number(r.sequence) <= 4)));
  expect([cut.fault, cut.checkpoint.verdict]).toEqual([undefined, "beyond"]);
});

test("lane examination: another history that is whole in itself, its checkpoint is wrong", () => {
  const { examine } = laneOf(5, 8);
  const other = new EventBench();
  const log = other.open();
  for (let i = 0; i < 8; i++) log.appendCrit(event("alert.cleared", { alert: `other ${i}` }));
  const found = examine(new CritTable(other.node));
  expect([found.fault, found.records, found.checkpoint.verdict]).toEqual([undefined, 8, "wrong"]);
});

test("lane examination: a lane that was opened anew, the checkpoint of the new incarnation judged by its own records", () => {
  const bench = new EventBench();
  const log = bench.open();
  for (let i = 0; i < 4; i++) log.appendCrit(event("alert.cleared", { alert: `${i}` }));
  log.signCheckpoints();
  log.reopen("crit", 1, "restore");
  for (let i = 0; i < 3; i++) log.appendCrit(event("alert.cleared", { alert: `again ${i}` }));
  log.signCheckpoints();
  const checkpoint = new CheckpointTable(bench.node, silentLog).find("crit");
  const found = examineLane("crit", new CritTable(bench.node), checkpoint, identity.publicKey, nativeSuite.verify);
  expect(found).toMatchObject({ records: 8, last: { epoch: 2, sequence: 4 }, checkpoint: { verdict: "covers", epoch: 2, size: 4 } });
});
