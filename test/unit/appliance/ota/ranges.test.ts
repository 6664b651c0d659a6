import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ByteRange, planRequests } from "../../../../appliance/ota/ranges.ts";

const MIB = 1024 * 1024;

/** Parts in order that do not touch. */
const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 600 })), { maxLength: 3_000 }).map((steps) => {
  let at = 0;
  return steps.map(([gap, length]): ByteRange => {
    const from = at + gap * 4_096;
    at = from + length * 4_096;
    return { from, to: at };
  });
});

describe("requests for parts of a file", () => {
  test("ota: neighbours come together, far ones apart, large ones in pieces", () => {
    const near = [
      { from: 0, to: 4_096 },
      { from: 12_288, to: 16_384 },
      { from: 40_960, to: 45_056 },
    ];
    expect(planRequests(near)).toEqual([
      { from: 0, to: 16_384 },
      { from: 40_960, to: 45_056 },
    ]);
    expect(planRequests([{ from: 0, to: 2.5 * MIB }]).map(({ from, to }) => to - from)).toEqual([MIB, MIB, MIB / 2]);
    expect(planRequests([])).toEqual([]);
  });

  test("ota: any parts, all wanted bytes are asked for once, in order, in bounded requests that begin at blocks", () => {
    fc.assert(
      fc.property(parts, (wanted) => {
        const requests = planRequests(wanted);
        let end = 0;
        for (const { from, to } of requests) {
          expect(from >= end && to > from && to - from <= MIB && from % 4_096 === 0).toBe(true);
          end = to;
        }
        const isAsked = ({ from, to }: ByteRange): boolean => {
          let at = from;
          for (const request of requests) if (request.from <= at && request.to > at) at = request.to;
          return at >= to;
        };
        expect(wanted.every(isAsked)).toBe(true);
        const whole = wanted.reduce((sum, { from, to }) => sum + Math.ceil((to - from) / MIB), 0);
        expect(requests.length).toBeLessThanOrEqual(Math.max(whole, 1_024 + Math.ceil(end / MIB)));
      }),
      { numRuns: 60 },
    );
  });
});
