import { expect, test } from "bun:test";
import { isReplacement, type PairConnection } from "../../../src/network/duplicates.ts";

const [low, high] = [Uint8Array.of(1), Uint8Array.of(2)];
const connection = (dialler: Uint8Array, instance = 0, isRelayed = false): PairConnection => ({
  dialler,
  instance: Uint8Array.of(instance),
  isRelayed,
});

test("duplicates: each end dialled one, both ends keep the dial of the lower key in whichever order they see them", () => {
  expect(isReplacement(connection(low), connection(high))).toBe(true);
  expect(isReplacement(connection(high), connection(low))).toBe(false);
});

test("duplicates: the same end dials again, the new connection", () => {
  expect(isReplacement(connection(high), connection(high))).toBe(true);
});

test("duplicates: the other end restarted, the new connection whoever dialled", () => {
  expect(isReplacement(connection(high, 1), connection(low, 0))).toBe(true);
});

test("duplicates: one of them leads through a relay, the direct one stays whoever dialled", () => {
  expect(isReplacement(connection(high, 0, false), connection(low, 0, true))).toBe(true);
  expect(isReplacement(connection(low, 0, true), connection(high, 0, false))).toBe(false);
});
