import { expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { Turns } from "../../../src/mempool/turns.ts";

test("turns: large and small ones, never more than the room, the urgent in front, nobody overtaken for being large", async () => {
  const turns = new Turns(8);
  const began: string[] = [];
  const enter = (name: string, isUrgent: boolean, size: number): void => void turns.enter(isUrgent, size).then(() => began.push(name));
  enter("a", false, 4);
  enter("b", false, 4);
  enter("c", false, 8);
  enter("d", false, 1);
  enter("e", true, 4);
  await Promise.resolve();
  expect(began).toEqual(["a", "b"]);
  turns.leave(4);
  await Promise.resolve();
  expect(began).toEqual(["a", "b", "e"]);
  turns.leave(4);
  await Promise.resolve();
  expect(began).toEqual(["a", "b", "e"]); // c needs all of it, and d waits behind c
  turns.leave(4);
  await Promise.resolve();
  expect(began).toEqual(["a", "b", "e", "c"]);
  turns.leave(8);
  await Promise.resolve();
  expect(began).toEqual(["a", "b", "e", "c", "d"]);
  expect(() => turns.enter(false, 9)).toThrow("whoever waits fits in some day");
  turns.leave(1);
  expect(() => turns.leave(1)).toThrow("who leaves was in");
});

for (let seed = 1; seed <= 5; seed++) {
  test(`turns: many of random sizes, seed ${seed}, all have one and never more at a time than there is room for`, async () => {
    const prng = new Prng(seed);
    const turns = new Turns(16);
    let [inside, most, ended] = [0, 0, 0];
    const run = async (): Promise<void> => {
      const size = 1 + prng.below(16);
      await turns.enter(prng.chance(0.3), size);
      inside += size;
      most = Math.max(most, inside);
      for (let wait = prng.below(5); wait > 0; wait--) await Promise.resolve();
      inside -= size;
      turns.leave(size);
      ended++;
    };
    await Promise.all(Array.from({ length: 200 }, run));
    expect([ended, inside]).toEqual([200, 0]);
    expect(most).toBeLessThanOrEqual(16);
  });
}
