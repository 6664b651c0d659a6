import { expect, test } from "bun:test";
import { leaderBySlots, makeBitmap, VOTE_KIND } from "../../../src/protocol/index.ts";
import { attendanceOf, dutiesOf } from "../../../src/validator/index.ts";
import { StandInKeys, setOf } from "../../sim/keys.ts";

const registry = new StandInKeys();
const set = setOf(
  ["a", "b", "c", "d"].map((name) => registry.make(name)),
  [1n, 1n, 1n, 1n],
);

test("duties: leaders in turn, every member leads each fourth view, a different first one each epoch", () => {
  expect(dutiesOf({ epoch: 0, view: 5 }, set, leaderBySlots, 1, 3)).toEqual({ leads: [5, 9, 13], isLeading: true });
  expect(dutiesOf({ epoch: 1, view: 5 }, set, leaderBySlots, 1, 2)).toEqual({ leads: [8, 12], isLeading: false });
});

test("duties: a member the schedule never names, leads nothing and costs a bounded search", () => {
  expect(dutiesOf({ epoch: 0, view: 1 }, set, () => 0, 3, 100)).toEqual({ leads: [], isLeading: false });
});

test("duties: a certificate, shows who signed and who did not", () => {
  const certificate = { kind: VOTE_KIND.nullify, epoch: 0, view: 3, bitmap: makeBitmap([0, 2, 3], 4), signatures: [] };
  expect(attendanceOf(certificate, set)).toEqual({ signed: [0, 2, 3], absent: [1] });
});
