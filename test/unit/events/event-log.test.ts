import { describe, expect, test } from "bun:test";
import { leafHash, merkleRoot, verifyEd25519 } from "../../../src/crypto/index.ts";
import {
  checkpointOrigin,
  EMPTY_LANE,
  event,
  type Lane,
  LaneDamaged,
  type LaneRecord,
  LaneTable,
  openCheckpoint,
  recordToJson,
  sealBlockRecords,
  sealGenesisRecords,
} from "../../../src/events/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import { makeValidatorSet, type ValidatorSet } from "../../../src/protocol/index.ts";
import { StorageError } from "../../../src/storage/index.ts";
import { EventBench, identity } from "./event-fixture.ts";

const alert = (detail: string) => event("alert.raised", { alert: "disk.low", severity: "warning", detail });
const started = (height: number) => event("service.started", { service: "node", version: "0.1.0", height });
const ALL = { epoch: 0, sequence: 0 };

function recordsOf(result: { ok: true; value: readonly LaneRecord[] } | { ok: false; error: unknown }): readonly LaneRecord[] {
  if (!result.ok) throw new RangeError(JSON.stringify(result.error));
  return result.value;
}

const SET = setOfOne();

function setOfOne(): ValidatorSet {
  const set = makeValidatorSet([{ publicKey: new Uint8Array(32).fill(1), owner: new Uint8Array(32), weight: 5n, reputation: 10_000 }]);
  if (!set.ok) throw new RangeError(set.error);
  return set.value;
}

function growChain(bench: EventBench, count: number): LaneRecord[] {
  const added: LaneRecord[] = [];
  if (bench.chain.records.length === 0) {
    bench.chain.records.push(...sealGenesisRecords(5, SET));
  }
  for (let i = 0; i < count; i++) {
    const height = bench.chain.records.length;
    const facts = {
      height,
      hash: new Uint8Array(32),
      epoch: 0,
      view: height,
      timeMs: 5 + height,
      executed: 0,
      failed: 0,
      skipped: 0,
      fees: 0n,
      convictions: [],
      validatorSet: SET,
      nextValidatorSet: undefined,
    };
    const records = sealBlockRecords(bench.chain.last() ?? EMPTY_LANE, facts);
    bench.chain.records.push(...records);
    added.push(...records);
  }
  return added;
}

/** A lane whose disk refuses to write while `failure` is set. */
class FailingLane extends LaneTable {
  failure: StorageError | undefined;

  override append(records: Parameters<LaneTable["append"]>[0]): void {
    if (this.failure) throw this.failure;
    super.append(records);
  }
}

describe("crit lane", () => {
  test("crit: an event is there when the call returns, and after the log is opened again", () => {
    const bench = new EventBench();
    const log = bench.open();
    const record = log.appendCrit(alert("4 % free"));
    expect(record).toMatchObject({ lane: "crit", epoch: 1, sequence: 1 });
    const again = bench.open();
    expect(again.tip("crit")).toMatchObject({ epoch: 1, sequence: 1, hash: record.hash });
    again.appendCrit(alert("3 % free"));
    expect(recordsOf(again.read("crit", ALL, 10)).map((item) => recordToJson(item).payload?.["detail"])).toEqual(["4 % free", "3 % free"]);
    expect(again.verify("crit")).toEqual({ ok: true, value: 2 });
  });

  test("crit: a position of a source, carried over once however often it is replayed", () => {
    const bench = new EventBench();
    const mark = (view: number) => event("signing.marked", { epoch: 0, view });
    const log = bench.open();
    expect(log.critCursor("journal")).toBeUndefined();
    for (const view of [1, 2, 3]) expect(log.appendCritFrom("journal", view, mark(view))).toBe(true);
    const again = bench.open();
    expect(again.critCursor("journal")).toBe(3);
    for (const view of [1, 2, 3, 4]) again.appendCritFrom("journal", view, mark(view));
    expect(recordsOf(again.read("crit", ALL, 10)).map(({ type }) => type)).toEqual(Array(4).fill("signing.marked"));
    expect(again.appendCritFrom("elsewhere", 1, mark(9))).toBe(true);
  });

  test("crit: a commit that fails, thrown, and the lane stands where it stood", () => {
    const bench = new EventBench();
    const log = bench.open();
    log.appendCrit(alert("a"));
    bench.node.run("CREATE TRIGGER refuse BEFORE INSERT ON lane_crit BEGIN SELECT RAISE(ABORT, 'no'); END");
    expect(() => log.appendCrit(alert("b"))).toThrow();
    bench.node.run("DROP TRIGGER refuse");
    expect(log.appendCrit(alert("c")).sequence).toBe(2);
    expect(log.verify("crit")).toEqual({ ok: true, value: 2 });
  });

  const damages: readonly [string, string, string][] = [
    ["a changed body", "UPDATE lane_crit SET body = (SELECT body FROM lane_crit WHERE sequence = 2) WHERE sequence = 4", "1/4"],
    ["a changed hash", "UPDATE lane_crit SET hash = zeroblob(32) WHERE sequence = 4", "1/4"],
    ["a lost record", "DELETE FROM lane_crit WHERE sequence = 4", "1/4"],
  ];
  for (const [what, sql, place] of damages) {
    test(`crit: ${what}, named at the start and by verify`, () => {
      const bench = new EventBench();
      const log = bench.open();
      for (let i = 0; i < 8; i++) log.appendCrit(alert(`${i}`));
      bench.node.run(sql);
      expect(log.verify("crit").ok).toBe(false);
      expect(() => bench.open()).toThrow(LaneDamaged);
      expect(() => bench.open()).toThrow(`event lane crit: record ${place}`);
    });
  }

  test("crit: its end lost that a checkpoint covers, named at the start", () => {
    const bench = new EventBench();
    const log = bench.open();
    for (let i = 0; i < 8; i++) log.appendCrit(alert(`${i}`));
    log.signCheckpoints();
    bench.node.run("DELETE FROM lane_crit WHERE sequence > 5");
    expect(() => bench.open()).toThrow("record 1/8: is missing: a checkpoint covers it, the lane ends at 1/5");
  });
});

describe("ops lane", () => {
  test("ops: events are written in bundles within the time given, in order", () => {
    const bench = new EventBench();
    const log = bench.open();
    for (let i = 0; i < 5; i++) log.appendOps(started(i));
    expect(log.tip("ops").sequence).toBe(0);
    bench.time.pass(2_000);
    expect(recordsOf(log.read("ops", ALL, 10)).map((record) => recordToJson(record).payload?.["height"])).toEqual([0, 1, 2, 3, 4]);
  });

  test("ops: a full bundle, written at once", () => {
    const log = new EventBench().open();
    for (let i = 0; i < 256; i++) log.appendOps(started(i));
    expect(log.tip("ops").sequence).toBe(256);
  });

  test("ops: closed, what waited is written and no timer is left", () => {
    const bench = new EventBench();
    const log = bench.open();
    log.appendOps(started(1));
    log.close();
    expect(bench.time.pending).toBe(0);
    expect(bench.open().tip("ops").sequence).toBe(1);
  });

  test("ops: over the quota, the oldest go, a record says which, and the rest still is one chain", () => {
    const bench = new EventBench();
    const log = bench.open({ opsTuning: { flushAfterMs: 10, flushEventsMax: 100, waitingEventsMax: 1_000, quotaBytes: 600_000 } });
    for (let i = 0; i < 9_000; i++) log.appendOps(started(i));
    const records = recordsOf(log.read("ops", ALL, 20_000));
    expect(records[0]?.sequence).toBeGreaterThan(2_000);
    expect(records.some(({ type }) => type === "log.gap")).toBe(true);
    expect(log.verify("ops").ok).toBe(true);
    const gap = records.find(({ type }) => type === "log.gap");
    expect(gap && recordToJson(gap).payload).toMatchObject({ epoch: 1, from: 1, to: 2_048 });
    log.close();
    const again = bench.open();
    expect(again.verify("ops")).toEqual({ ok: true, value: records.length });
    expect(again.read("ops", { epoch: 1, sequence: 500 }, 1)).toMatchObject({
      ok: true,
      value: [{ sequence: records[0]?.sequence as number }],
    });
  });

  test("ops: the disk short of room, the lane keeps to a quarter of its quota and its file grows no more, crit loses nothing", () => {
    const bench = new EventBench();
    const log = bench.open({ opsTuning: { flushAfterMs: 10, flushEventsMax: 100, waitingEventsMax: 1_000, quotaBytes: 1_200_000 } });
    const store = new LaneTable(bench.opsDatabase, "ops");
    for (let i = 0; i < 6_000; i++) log.appendOps(started(i));
    expect(store.usedBytes()).toBeGreaterThan(600_000);
    expect(store.first()?.sequence).toBe(1);
    log.appendCrit(event("alert.raised", { alert: "a", severity: "warning", detail: "d" }));
    log.compactOps(true);
    for (let i = 0; i < 6_000; i++) log.appendOps(started(i));
    expect(store.usedBytes()).toBeLessThan(600_000);
    expect(log.verify("ops").ok).toBe(true);
    expect(recordsOf(log.read("crit", ALL, 10))).toHaveLength(1);
    log.compactOps(false);
    for (let i = 0; i < 4_000; i++) log.appendOps(started(i));
    expect(store.usedBytes()).toBeGreaterThan(500_000);
    log.close();
  });

  test("ops: a full disk, events wait, more are counted and dropped, and a record says so when there is room again", () => {
    const bench = new EventBench();
    const store = new FailingLane(bench.opsDatabase, "ops");
    store.failure = new StorageError("diskFull", "ops.db", "there is no space left");
    const log = bench.open({ ops: store, opsTuning: { flushAfterMs: 10, flushEventsMax: 5, waitingEventsMax: 8, quotaBytes: 1e9 } });
    for (let i = 0; i < 12; i++) log.appendOps(started(i));
    bench.time.pass(100);
    expect(log.tip("ops").sequence).toBe(0);
    store.failure = undefined;
    bench.time.pass(100);
    const records = recordsOf(log.read("ops", ALL, 20));
    expect(records.map(({ type }) => type)).toEqual([...Array(8).fill("service.started"), "log.dropped"]);
    expect(records[8] && recordToJson(records[8]).payload).toEqual({ count: 4, reason: "the disk was full" });
  });

  test("ops: a disk that failed, told once, and events are no longer taken", () => {
    const bench = new EventBench();
    const store = new FailingLane(bench.opsDatabase, "ops");
    store.failure = new StorageError("ioFailed", "ops.db", "the disk failed");
    const failures: StorageError[] = [];
    const log = bench.open({ ops: store, onOpsFailed: (error) => failures.push(error) });
    log.appendOps(started(1));
    bench.time.pass(5_000);
    log.appendOps(started(2));
    bench.time.pass(5_000);
    expect(failures.map(({ code }) => code)).toEqual(["ioFailed"]);
  });

  test("ops: damaged or cut, the node starts all the same: a new incarnation links to what is left and crit says so", () => {
    for (const [sql, reason] of [
      ["UPDATE lane_ops SET hash = zeroblob(32) WHERE sequence = 3", "tamper"],
      ["DELETE FROM lane_ops WHERE sequence > 3", "lostTail"],
    ] as const) {
      const bench = new EventBench();
      const log = bench.open();
      for (let i = 0; i < 5; i++) log.appendOps(started(i));
      log.close();
      bench.opsDatabase.run(sql);
      const again = bench.open();
      expect(again.tip("ops")).toMatchObject({ epoch: 2, sequence: 1 });
      const opening = recordsOf(again.read("ops", { epoch: 2, sequence: 0 }, 1))[0];
      expect(opening && recordToJson(opening)).toMatchObject({ type: "log.opened", payload: { reason, previousEpoch: 1 } });
      expect(recordsOf(again.read("crit", ALL, 5)).map(({ type }) => type)).toEqual(["storage.damaged"]);
      again.appendOps(started(9));
      again.close();
      expect(bench.open().tip("ops")).toMatchObject({ epoch: 2, sequence: 2 });
    }
  });
});

describe("checkpoints", () => {
  const openOf = (log: ReturnType<EventBench["open"]>, lane: Lane, epoch = 1) => {
    const checkpoint = log.checkpoint(lane);
    return (
      checkpoint && openCheckpoint(checkpoint.note, checkpointOrigin("0011aabb", "box-1", lane, epoch), identity.publicKey, verifyEd25519)
    );
  };

  test("checkpoint: a minute after the first record, signed by the identity over the root of all record hashes", () => {
    const bench = new EventBench();
    const log = bench.open();
    const hashes = [1, 2, 3].map((n) => log.appendCrit(alert(`${n}`)).hash);
    bench.time.pass(59_999);
    expect(log.checkpoint("crit")).toBeUndefined();
    bench.time.pass(1);
    const opened = openOf(log, "crit");
    expect(opened).toEqual({ ok: true, value: { origin: "bizra/0011aabb/box-1/crit/1", size: 3, root: merkleRoot(hashes) } });
    expect(leafHash(new Uint8Array(0))).toHaveLength(32);
  });

  test("checkpoint: after a thousand records, at once; with nothing new, none", () => {
    const bench = new EventBench();
    const log = bench.open({ opsTuning: { flushAfterMs: 1, flushEventsMax: 250, waitingEventsMax: 2_000, quotaBytes: 1e9 } });
    for (let i = 0; i < 1_000; i++) log.appendOps(started(i));
    bench.time.pass(0);
    expect(openOf(log, "ops")).toMatchObject({ ok: true, value: { size: 1_000 } });
    expect(bench.time.pending).toBe(0);
    expect(log.signCheckpoints()).toEqual([]);
  });

  test("checkpoint: the tree is carried on over restarts, and from nothing when the last checkpoint was lost", () => {
    const bench = new EventBench();
    let log = bench.open();
    const hashes: Uint8Array[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 3; i++) hashes.push(log.appendCrit(alert(`${round}/${i}`)).hash);
      if (round % 2 === 0) log.signCheckpoints();
      if (round === 3) bench.node.run("DELETE FROM lane_checkpoint");
      log = bench.open();
    }
    log.signCheckpoints();
    expect(openOf(log, "crit")).toMatchObject({ ok: true, value: { size: 15, root: merkleRoot(hashes) } });
  });

  test("checkpoint: of the chain lane, over the rows of blocks", () => {
    const bench = new EventBench();
    growChain(bench, 4);
    const log = bench.open();
    log.onChainCommitted(growChain(bench, 3));
    bench.time.pass(60_000);
    expect(log.tip("chain").sequence).toBe(8);
    expect(openOf(log, "chain")).toMatchObject({
      ok: true,
      value: { size: 8, root: merkleRoot(bench.chain.records.map(({ hash }) => hash)) },
    });
  });

  test("checkpoint: a chain that lost blocks a checkpoint covers, named at the start", () => {
    const bench = new EventBench();
    growChain(bench, 6);
    bench.open().signCheckpoints();
    bench.chain.records.splice(-2);
    expect(() => bench.open()).toThrow("event lane chain: record 1/7: is missing");
  });

  test("checkpoint: a changed note, refused", () => {
    const bench = new EventBench();
    const log = bench.open();
    log.appendCrit(alert("a"));
    log.signCheckpoints();
    const note = log.checkpoint("crit")?.note ?? "";
    const origin = checkpointOrigin("0011aabb", "box-1", "crit", 1);
    expect(openCheckpoint(note.replace("\n1\n", "\n2\n"), origin, identity.publicKey, verifyEd25519)).toEqual({
      ok: false,
      error: "badSignature",
    });
    expect(openCheckpoint(note, `${origin}0`, identity.publicKey, verifyEd25519).ok).toBe(false);
  });
});

describe("followers", () => {
  test("subscribe: told of each growth once it can be read; one that throws harms nobody", () => {
    const bench = new EventBench();
    const log = bench.open();
    const seen: string[] = [];
    log.subscribe(() => {
      throw new RangeError("a follower's own trouble");
    });
    const leave = log.subscribe((lane, tip) => {
      const records = recordsOf(log.read(lane, { epoch: tip.epoch, sequence: tip.sequence - 1 }, 1));
      seen.push(`${lane}/${tip.sequence}/${records[0]?.type}`);
    });
    log.appendCrit(alert("a"));
    log.appendOps(started(1));
    bench.time.pass(2_000);
    growChain(bench, 0);
    leave();
    log.appendCrit(alert("b"));
    expect(seen).toEqual(["crit/1/alert.raised", "ops/1/service.started"]);
  });

  test("read: by cursor in pages, every record once and in order", () => {
    const bench = new EventBench();
    const log = bench.open();
    for (let i = 0; i < 20; i++) log.appendCrit(alert(`${i}`));
    const read: string[] = [];
    let cursor = ALL;
    for (;;) {
      const page = recordsOf(log.read("crit", cursor, 7));
      const last = page.at(-1);
      if (!last) break;
      read.push(...page.map(({ hash }) => toHex(hash)));
      cursor = { epoch: last.epoch, sequence: last.sequence };
    }
    expect(new Set(read).size).toBe(20);
  });
});
