import { expect, test } from "bun:test";
import { inLanes } from "../../../.ci/lanes.mjs";

/** Runs items that end when told, and keeps what begins. */
function makeRun(items: readonly string[], plan: Parameters<typeof inLanes>[1]) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const done = inLanes(items, plan, (item) => {
    begun.push(item);
    return new Promise((resolve) => void ends.set(item, resolve));
  });
  const end = async (item: string): Promise<void> => {
    ends.get(item)?.();
    await new Promise(setImmediate);
  };
  return { begun, done, end };
}

test("lanes: so many at a time, the named ones first, each once", async () => {
  const { begun, done, end } = makeRun(["a", "b", "c", "d"], { width: 2, first: ["c", "none"], alone: [] });
  expect(begun).toEqual(["c", "a"]);
  await end("a");
  expect(begun).toEqual(["c", "a", "b"]);
  await end("b");
  await end("d");
  expect(begun).toEqual(["c", "a", "b", "d"]);
  await end("c");
  await done;
});

test("lanes: those that run alone, after all others and one at a time, also when they are named first", async () => {
  const { begun, done, end } = makeRun(["a", "b", "c"], { width: 2, first: ["b"], alone: ["b", "c"] });
  expect(begun).toEqual(["a"]);
  await end("a");
  expect(begun).toEqual(["a", "b"]);
  await end("b");
  expect(begun).toEqual(["a", "b", "c"]);
  await end("c");
  await done;
});
