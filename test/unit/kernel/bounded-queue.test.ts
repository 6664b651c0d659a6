import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BoundedQueue, InvariantViolation } from "../../../src/kernel/index.ts";

describe("bounded queue", () => {
  test("queue: offered in order, polled in order", () => {
    const queue = new BoundedQueue<string>(3);
    expect([queue.offer("a"), queue.offer("b")]).toEqual([true, true]);
    expect(queue.length).toBe(2);
    expect([queue.poll(), queue.poll(), queue.poll()]).toEqual(["a", "b", undefined]);
    expect(queue.length).toBe(0);
  });

  test("queue: full, refuses until one is taken", () => {
    const queue = new BoundedQueue<number>(1);
    expect(queue.offer(1)).toBe(true);
    expect(queue.isFull).toBe(true);
    expect(queue.offer(2)).toBe(false);
    expect(queue.poll()).toBe(1);
    expect(queue.isFull).toBe(false);
    expect(queue.offer(3)).toBe(true);
    expect(queue.poll()).toBe(3);
  });

  test.each([0, -1, 1.5, Number.NaN])("queue: capacity %p, an invariant violation", (capacity) => {
    expect(() => new BoundedQueue(capacity)).toThrow(InvariantViolation);
  });

  test("queue: many turns through the compaction, nothing lost or doubled", () => {
    const queue = new BoundedQueue<number>(700);
    let offered = 0;
    let polled = 0;
    for (let turn = 0; turn < 40; turn++) {
      while (queue.offer(offered)) offered++;
      for (let i = 0; i < 650; i++) expect(queue.poll()).toBe(polled++);
      expect(queue.length).toBe(offered - polled);
    }
    while (queue.length > 0) expect(queue.poll()).toBe(polled++);
    expect(polled).toBe(offered);
  });

  test("queue: any offers and polls, behaves as a bounded array", () => {
    const steps = fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), steps, (capacity, offers) => {
        const queue = new BoundedQueue<number>(capacity);
        const model: number[] = [];
        for (const item of offers) {
          if (item === undefined) expect(queue.poll()).toBe(model.shift());
          else if (queue.offer(item)) model.push(item);
          else expect(model.length).toBe(capacity);
          expect(queue.length).toBe(model.length);
        }
      }),
    );
  });
});
