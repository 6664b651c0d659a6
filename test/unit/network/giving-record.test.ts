import { describe, expect, test } from "bun:test";
import { GivingRecord, LEFT_OUT_RANK } from "../../../src/network/giving-record.ts";

const nobody = (): boolean => false;
const everybody = (): boolean => true;

describe("network: what asking for blocks came to", () => {
  test("giving record: a stranger that is asked and gives nothing, left out when the next is asked, and for longer each time", () => {
    const record = new GivingRecord();
    let atMs = 0;
    for (const leftOutMs of [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]) {
      expect(record.onAsked("liar", 5, nobody, atMs)).toBeUndefined();
      expect(record.onAsked("other", 5, nobody, atMs + 1)).toBe("liar");
      expect(record.isLeftOut("liar", atMs + leftOutMs)).toBe(true);
      expect(record.isLeftOut("liar", atMs + 1 + leftOutMs)).toBe(false);
      atMs += leftOutMs + 1;
      record.onAsked("nobody", 6, nobody, atMs); // another question
    }
  });

  test("giving record: the next question is for later blocks, nobody failed", () => {
    const record = new GivingRecord();
    record.onAsked("a", 5, nobody, 0);
    expect(record.onAsked("b", 9, nobody, 1)).toBeUndefined();
    expect(record.isLeftOut("a", 2)).toBe(false);
  });

  test("giving record: who gave before may fail once, a validator or named peer twice, and then not again", () => {
    const record = new GivingRecord();
    record.onAsked("archive", 1, nobody, 0);
    record.onGiven("archive", 1);
    const failures = (peer: string, isKnown: () => boolean): number => {
      for (let n = 1; ; n++) {
        record.onAsked(peer, 2, isKnown, n);
        if (record.onAsked("next", 2, isKnown, n) === peer) return n;
      }
    };
    expect(failures("archive", nobody)).toBe(2);
    expect(record.isTried("archive")).toBe(false);
    expect(failures("validator", everybody)).toBe(3);
  });

  test("giving record: an answer that comes late, counts as if it had come in time; one that was not asked for, does not", () => {
    const record = new GivingRecord();
    record.onAsked("slow", 5, nobody, 0);
    record.onAsked("other", 5, nobody, 1);
    record.onGiven("slow", 4);
    expect(record.isLeftOut("slow", 2)).toBe(true);
    record.onGiven("slow", 5);
    expect(record.isLeftOut("slow", 2)).toBe(false);
    expect(record.isTried("slow")).toBe(true);
    record.onGiven("stranger", 5);
    expect(record.isTried("stranger")).toBe(false);
  });

  test("giving record: ranks, who gave comes before who showed, who is unknown, who failed; who is left out comes last", () => {
    const record = new GivingRecord();
    record.onAsked("gave", 1, nobody, 0);
    record.onGiven("gave", 1);
    record.onShown("showed");
    record.leaveOut("failed", 0);
    record.leaveOut("fails", 60_000);
    const ranks = ["gave", "showed", "unknown", "failed", "fails"].map((peer) => record.rankOf(peer, 60_000));
    expect(ranks).toEqual([0, 1, 2, 3, LEFT_OUT_RANK]);
  });

  test("giving record: keys without end, a thousand are remembered", () => {
    const record = new GivingRecord();
    for (let n = 0; n < 3_000; n++) record.leaveOut(`key ${n}`, 0);
    expect(record.isLeftOut("key 2999", 1)).toBe(true);
    expect(record.isLeftOut("key 1976", 1)).toBe(true);
    expect(record.isLeftOut("key 1975", 1)).toBe(false);
  });
});
