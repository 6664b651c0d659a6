import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantViolation, toHex } from "../../../src/kernel/index.ts";
import { DEFAULT_MEMPOOL_BOUNDS } from "../../../src/mempool/bounds.ts";
import { SpaceWatch } from "../../../src/mempool/closure.ts";
import { EndedMemory } from "../../../src/mempool/ended-memory.ts";
import { Intake } from "../../../src/mempool/intake.ts";
import { follow, lingerMs } from "../../../src/mempool/linger.ts";
import { decodeLogRecord, ENDED_COUNT_MAX, encodeEndedRecord, encodeKeptRecord } from "../../../src/mempool/log-record.ts";
import { RecordPins } from "../../../src/mempool/record-pins.ts";
import { Submission } from "../../../src/mempool/submission.ts";
import { VerifiedCache } from "../../../src/mempool/verified-cache.ts";
import { ManualTime } from "./mempool-world.ts";

describe("log records", () => {
  test("log record: kept transactions and ended ids, read back as written", () => {
    const transactions = [Uint8Array.of(1, 2), new Uint8Array(300).fill(5)];
    expect(decodeLogRecord(encodeKeptRecord(transactions))).toEqual({ ok: true, value: { kind: "kept", transactions } });
    const ends = [
      { id: toHex(new Uint8Array(32).fill(1)), status: "expired" as const },
      { id: toHex(new Uint8Array(32).fill(2)), status: "superseded" as const },
    ];
    expect(decodeLogRecord(encodeEndedRecord(ends))).toEqual({ ok: true, value: { kind: "ended", ends } });
  });

  test("log record: any bytes, refused or read, never thrown at", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 5 }), (bytes, tag) => {
        const record = decodeLogRecord(Uint8Array.of(tag, ...bytes));
        if (!record.ok || record.value.kind === "batch") return;
        const { value } = record;
        const again = value.kind === "kept" ? encodeKeptRecord(value.transactions) : encodeEndedRecord(value.ends);
        expect(again).toEqual(Uint8Array.of(tag, ...bytes));
      }),
    );
  });

  test.each([
    ["nothing", new Uint8Array(0)],
    ["an unknown kind", Uint8Array.of(9, 0x80)],
    ["no transactions", Uint8Array.of(2, 0x80)],
    ["no ends", Uint8Array.of(3)],
    ["half an id", new Uint8Array(17).fill(3)],
    ["an unknown end", new Uint8Array(34).fill(3)],
    ["too many ends", Uint8Array.of(3, ...new Uint8Array(33 * (ENDED_COUNT_MAX + 1)).fill(1))],
  ])("log record: %s, malformed", (_, bytes) => {
    expect(decodeLogRecord(bytes)).toEqual({ ok: false, error: "malformed" });
  });
});

describe("record pins", () => {
  test("pins: as a model says, the lowest needed record and the bytes after it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 50 }), fc.nat()), { maxLength: 60 }),
        (steps) => {
          const pins = new RecordPins();
          const model = new Map<number, number>();
          const ends: number[] = [];
          let written = 0;
          for (const [count, size, pick] of steps) {
            const record = ends.length;
            written += size;
            ends.push(written);
            pins.add(record, size, count);
            if (count > 0) model.set(record, count);
            const pinned = [...model.keys()];
            const released = pick % 3 === 0 ? pinned[pick % Math.max(1, pinned.length)] : undefined;
            if (released !== undefined) {
              pins.release(released);
              const left = (model.get(released) ?? 0) - 1;
              if (left === 0) model.delete(released);
              else model.set(released, left);
            }
            const lowest = Math.min(...model.keys());
            expect(pins.lowest()).toBe(model.size === 0 ? undefined : lowest);
            expect(pins.replaySizeBytes()).toBe(model.size === 0 ? 0 : written - (ends[lowest] ?? 0));
            expect(pins.lowestRecords(2)).toEqual([...model.keys()].sort((a, b) => a - b).slice(0, 2));
            expect(pins.recordCount).toBe(model.size);
          }
        },
      ),
    );
  });

  test("pins: a record twice, or a pin that is not there, an invariant violation", () => {
    const pins = new RecordPins();
    pins.add(3, 10, 1);
    expect(() => pins.add(3, 10, 1)).toThrow(InvariantViolation);
    pins.release(3);
    expect(() => pins.release(3)).toThrow(InvariantViolation);
  });
});

describe("bounded memories", () => {
  test("verified cache: beyond its bound, the newest half is remembered and never more than the bound", () => {
    const cache = new VerifiedCache(10);
    for (let i = 0; i < 1_000; i++) {
      cache.add(`d${i}`);
      expect(cache.size).toBeLessThanOrEqual(10);
      for (let j = Math.max(0, i - 4); j <= i; j++) expect(cache.has(`d${j}`)).toBe(true);
    }
    expect(cache.has("d0")).toBe(false);
  });

  test("ended memory: beyond its bound, the oldest is forgotten; a later end replaces", () => {
    const ended = new EndedMemory(2);
    ended.add("a", "expired");
    ended.add("b", "superseded");
    ended.add("a", "superseded");
    ended.add("c", "expired");
    expect([ended.find("a"), ended.find("b"), ended.find("c"), ended.size]).toEqual(["superseded", undefined, "expired", 2]);
    expect([...ended.entries()]).toEqual([
      ["a", "superseded"],
      ["c", "expired"],
    ]);
  });
});

describe("linger", () => {
  const bounds = { lingerMinMs: 5, lingerMaxMs: 20, lingerSizeBytes: 16_384 };

  test.each([
    ["pages' worth of bytes wait", { syncMs: 3, arrivalsPerMs: 5, waitingSizeBytes: 16_384 }, 0],
    ["too little arrives for company", { syncMs: 9, arrivalsPerMs: 0.01, waitingSizeBytes: 165 }, 5],
    ["a fast disk", { syncMs: 0.3, arrivalsPerMs: 1, waitingSizeBytes: 165 }, 5],
    ["a middling disk", { syncMs: 3, arrivalsPerMs: 1, waitingSizeBytes: 165 }, 12],
    ["a slow disk", { syncMs: 30, arrivalsPerMs: 1, waitingSizeBytes: 165 }, 20],
  ])("linger: %s, as the rule says", (_, input, expected) => {
    expect(lingerMs(input, bounds)).toBe(expected);
  });

  test("average: a constant sample, followed to it", () => {
    let average = 1;
    for (let i = 0; i < 80; i++) average = follow(average, 9);
    expect(average).toBeCloseTo(9, 2);
  });
});

describe("intake", () => {
  const bounds = {
    ...DEFAULT_MEMPOOL_BOUNDS,
    intakeCountMax: 100,
    sourceIntakeCountMax: 60,
    intakeSizeBytesMax: 1_000,
    sourceIntakeSizeBytesMax: 500,
  };
  const submission = new Submission(1);
  const item = (source: string, index: number, size = 1) => ({ submission, index, encoded: new Uint8Array(size), source });

  test("intake: one source floods, the other is served in its turn and each in order", () => {
    const intake = new Intake(bounds);
    for (let i = 0; i < 60; i++) intake.offer(item("flood", i));
    for (let i = 0; i < 3; i++) intake.offer(item("other", i));
    const taken = intake.take(40);
    expect(taken.slice(0, 32).every(({ source }) => source === "flood")).toBe(true);
    expect(taken.slice(32, 35).map(({ source }) => source)).toEqual(["other", "other", "other"]);
    const rest = [...taken, ...intake.takeAll()].filter(({ source }) => source === "flood").map(({ index }) => index);
    expect(rest).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect([intake.count, intake.sizeBytes]).toEqual([0, 0]);
  });

  test("intake: beyond a bound, the source or everybody refused", () => {
    const intake = new Intake(bounds);
    expect(intake.findRefusal("a", 61, 61)?.code).toBe("quotaExceeded");
    expect(intake.findRefusal("a", 1, 501)?.code).toBe("quotaExceeded");
    for (let i = 0; i < 60; i++) intake.offer(item("a", i, 8));
    expect(intake.findRefusal("a", 1, 1)?.code).toBe("quotaExceeded");
    expect(intake.findRefusal("b", 40, 40)).toBeUndefined();
    expect(intake.findRefusal("b", 41, 41)?.code).toBe("mempoolFull");
    for (let i = 0; i < 2; i++) intake.offer(item("b", i, 250));
    expect(intake.findRefusal("c", 1, 21)?.code).toBe("mempoolFull");
    expect(intake.findRefusal("c", 1, 20)).toBeUndefined();
  });
});

describe("submission", () => {
  test("submission: settled in any order, answered once in the order submitted", async () => {
    const submission = new Submission(2);
    expect(submission.settle(1, { status: "rejected", code: "malformed", detail: "" })).toBe(false);
    expect(submission.settle(0, { status: "accepted", id: Uint8Array.of(1) })).toBe(true);
    expect((await submission.answer).map(({ status }) => status)).toEqual(["accepted", "rejected"]);
    expect(() => submission.settle(0, { status: "accepted", id: Uint8Array.of(1) })).toThrow(InvariantViolation);
  });
});

describe("space watch", () => {
  test("space: falls below the minimum, closed until a quarter more than it is free", async () => {
    let free: number | undefined = 100;
    const time = new ManualTime();
    const watch = new SpaceWatch({ ...DEFAULT_MEMPOOL_BOUNDS, freeSpaceBytesMin: 100 }, time, () => free);
    expect(watch.findClosure()).toBeUndefined();
    const after = async (bytes: number | undefined): Promise<string | undefined> => {
      free = bytes;
      await time.advance(1_000);
      return watch.findClosure()?.code;
    };
    expect(await after(99)).toBe("mempoolFull");
    expect(await after(124)).toBe("mempoolFull");
    expect(await after(125)).toBeUndefined();
    expect(await after(undefined)).toBeUndefined();
    watch.onDiskFull();
    expect(watch.findClosure()?.detail).toContain("disk full");
    expect(await after(1_000)).toBeUndefined();
  });

  test("space: falls below the minimum but not the reserve, others' batches still fit; below the reserve nothing does", async () => {
    let free = 99;
    const time = new ManualTime();
    const watch = new SpaceWatch({ ...DEFAULT_MEMPOOL_BOUNDS, freeSpaceBytesMin: 100, freeSpaceBytesReserve: 40 }, time, () => free);
    expect([watch.findClosure()?.code, watch.isSpent]).toEqual(["mempoolFull", false]);
    const spentAfter = async (bytes: number): Promise<boolean> => {
      free = bytes;
      await time.advance(1_000);
      return watch.isSpent;
    };
    expect(await spentAfter(40)).toBe(false);
    expect(await spentAfter(39)).toBe(true);
    expect(await spentAfter(49)).toBe(true);
    expect(await spentAfter(50)).toBe(false);
    expect(watch.findClosure()?.code).toBe("mempoolFull");
    watch.onDiskFull();
    expect(watch.isSpent).toBe(true);
  });
});
