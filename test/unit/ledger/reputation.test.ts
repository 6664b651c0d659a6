import { describe, expect, test } from "bun:test";
import { reputationAfter, reputationAtRest } from "../../../src/ledger/reputation.ts";

const tally = (proposed: number, missed: number, votes: number) => ({ proposed, missed, votes });

describe("reputation", () => {
  test("reputation: every turn taken and votes in a quarter of the certificates, the full score, reached exactly", () => {
    let reputation = 0;
    for (let epoch = 0; epoch < 60; epoch++) reputation = reputationAfter(reputation, tally(20, 0, 20), 80);
    expect(reputation).toBe(10_000);
  });

  test("reputation: silent for epochs, down to nothing and no further", () => {
    let reputation = 10_000;
    const path: number[] = [];
    for (let epoch = 0; epoch < 60; epoch++) {
      reputation = reputationAfter(reputation, tally(0, 20, 0), 80);
      path.push(reputation);
    }
    expect(path.slice(0, 4)).toEqual([7_500, 5_625, 4_218, 3_163]);
    expect(reputation).toBe(0);
  });

  test("reputation: half the turns missed, the score that votes and turns give", () => {
    expect(reputationAfter(10_000, tally(5, 5, 100), 100)).toBe(9_062);
  });

  test("reputation: turns taken but no vote in any certificate, three quarters of the score at worst", () => {
    let reputation = 10_000;
    for (let epoch = 0; epoch < 100; epoch++) reputation = reputationAfter(reputation, tally(10, 0, 0), 64);
    expect(reputation).toBe(7_500);
  });

  test("reputation: an epoch without certificates, unchanged; a short one, a small step", () => {
    expect(reputationAfter(6_000, tally(1, 9, 0), 0)).toBe(6_000);
    expect(reputationAfter(10_000, tally(0, 4, 0), 4)).toBe(10_000 - 157);
  });

  test("reputation: outside the set, back to the start and not above it", () => {
    let reputation = 0;
    const path: number[] = [];
    for (let epoch = 0; epoch < 80; epoch++) {
      reputation = reputationAtRest(reputation, 64);
      path.push(reputation);
    }
    expect(path.slice(0, 3)).toEqual([625, 1_172, 1_651]);
    expect(reputation).toBe(5_000);
    expect(reputationAtRest(8_000, 64)).toBe(8_000);
    expect([reputationAtRest(0, 0), reputationAtRest(0, 1), reputationAtRest(0, 9_999)]).toEqual([0, 10, 625]);
  });
});
