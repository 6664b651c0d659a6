import { describe, expect, test } from "bun:test";
import type { Appendage, StoredEvent } from "../../../../sync/aggregator/index.ts";
import { Appender } from "../../../../sync/aggregator/ingest/appender.ts";

/** A store whose steps end when the test says so. */
class SlowStore {
  readonly steps: { readonly sizes: readonly number[]; readonly end: (error?: Error) => void }[] = [];

  append(appendages: readonly Appendage[]): Promise<readonly "stored"[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly "stored"[]>();
    const sizes = appendages.map(({ events }) => events.length);
    this.steps.push({ sizes, end: (error) => (error ? reject(error) : resolve(appendages.map(() => "stored"))) });
    return promise;
  }

  /** The step under way, once it began. */
  async next(count: number) {
    for (let turns = 0; this.steps.length < count && turns < 100; turns++) await Promise.resolve();
    const step = this.steps[count - 1];
    if (!step) throw new Error(`step ${count} did not begin`);
    return step;
  }
}

function appendageOf(events: number, bodyBytes = 1): Appendage {
  const place = { lane: "ops", epoch: 1, hash: new Uint8Array(32) } as const;
  const event: StoredEvent = { ...place, sequence: 1, timeMs: 0, type: "", body: new Uint8Array(bodyBytes), receivedAtMs: 0 };
  const after = { ...place, sequence: events, peaks: [], checkpointed: 0 };
  return { ref: { network: "n", node: "a" }, before: undefined, after, events: Array<StoredEvent>(events).fill(event) };
}

describe("appender", () => {
  test("appender: what comes while a step runs, together in the next one", async () => {
    const store = new SlowStore();
    const appender = new Appender(store);
    const outcomes = [appender.append(appendageOf(1))];
    const first = await store.next(1);
    outcomes.push(...Array.from({ length: 200 }, () => appender.append(appendageOf(10))));
    expect(appender.waitingCount).toBe(200);
    first.end();
    const second = await store.next(2);
    second.end();
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["stored"]));
    expect([first.sizes.length, second.sizes.length, store.steps.length]).toEqual([1, 200, 2]);
  });

  test("appender: more records or bytes than one step should hold, in several; a large one goes alone", async () => {
    for (const [each, bodyBytes, together] of [
      [500, 1, 32],
      [1_000, 10_000, 1],
      [20_000, 1, 1],
    ] as const) {
      const store = new SlowStore();
      const appender = new Appender(store);
      const outcomes = Array.from({ length: together + 1 }, () => appender.append(appendageOf(each, bodyBytes)));
      (await store.next(1)).end();
      (await store.next(2)).end();
      await Promise.all(outcomes);
      expect(store.steps.map(({ sizes }) => sizes.length)).toEqual([together, 1]);
    }
  });

  test("appender: a step that fails, told to those in it alone", async () => {
    const store = new SlowStore();
    const appender = new Appender(store);
    const failing = appender.append(appendageOf(1));
    const first = await store.next(1);
    const later = appender.append(appendageOf(2));
    first.end(new Error("the disk is gone"));
    await expect(failing).rejects.toThrow("the disk is gone");
    (await store.next(2)).end();
    expect(await later).toBe("stored");
  });
});
