import { describe, expect, test } from "bun:test";
import { present } from "../../../src/kernel/index.ts";
import { countBlock, openTallies } from "../../../src/ledger/attendance.ts";
import { type EpochEntry, leaderBySlots, type MemberTally, makeBitmap } from "../../../src/protocol/index.ts";
import { validatorsOf } from "./ledger-fixture.ts";

const set = validatorsOf({ a: 10n, b: 10n, c: 10n, d: 10n });
const uneven = validatorsOf({ a: 12n, b: 9n, c: 11n, d: 10n, e: 3n });
const fresh = (members: number): EpochEntry => ({
  kind: "epoch",
  feePot: 3n,
  isEndForced: false,
  lastForcedTimeMs: 0,
  certificates: 0,
  tallies: openTallies(members),
});
const sum = (tallies: readonly MemberTally[], field: keyof MemberTally) => tallies.reduce((total, tally) => total + tally[field], 0);

describe("attendance", () => {
  test("attendance: a block on its epoch's opening, its leader counted and no certificate", () => {
    const leader = leaderBySlots(set, 2, 1);
    const entry = countBlock(fresh(4), set, { epoch: 2, view: 1, parentView: 0, parentBitmap: makeBitmap([0, 1, 2], 4), leader });
    expect(entry.certificates).toBe(0);
    expect(entry.tallies[leader]).toEqual({ proposed: 1, missed: 0, votes: 0 });
    expect([sum(entry.tallies, "proposed"), sum(entry.tallies, "missed"), sum(entry.tallies, "votes")]).toEqual([1, 0, 0]);
    expect(entry.feePot).toBe(3n);
  });

  test("attendance: views between a block and its parent, missed by who led them", () => {
    const leader = leaderBySlots(set, 0, 9);
    const entry = countBlock(fresh(4), set, { epoch: 0, view: 9, parentView: 6, parentBitmap: makeBitmap([0, 3], 4), leader });
    const missed = [7, 8].map((view) => leaderBySlots(set, 0, view));
    expect(entry.tallies.map(({ missed: count }) => count)).toEqual([0, 1, 2, 3].map((at) => missed.filter((one) => one === at).length));
    expect(entry.tallies.map(({ votes }) => votes)).toEqual([1, 0, 0, 1]);
    expect(entry.certificates).toBe(1);
  });

  test("attendance: any gap of views, as many misses a member as walking through them gives", () => {
    for (const [parentView, view] of [
      [0, 1],
      [0, 300],
      [17, 1_000],
      [5, 4_000],
    ] as const) {
      const walked = uneven.validators.map(() => 0);
      for (let between = parentView + 1; between < view; between++) {
        const leader = leaderBySlots(uneven, 3, between);
        walked[leader] = present(walked[leader], "a member") + 1;
      }
      const entry = countBlock(fresh(5), uneven, { epoch: 3, view, parentView, parentBitmap: makeBitmap([1], 5), leader: 0 });
      expect(entry.tallies.map(({ missed }) => missed)).toEqual(walked);
    }
  });

  test("attendance: a gap of 2^52 views, counted at once", () => {
    const entry = countBlock(fresh(4), set, { epoch: 0, view: 2 ** 52, parentView: 0, parentBitmap: new Uint8Array(0), leader: 0 });
    expect(sum(entry.tallies, "missed")).toBe(2 ** 52 - 1);
  });
});
