import { expect, test } from "bun:test";
import { Budget } from "../../../src/network/budget.ts";

test("budget: within the burst no wait, beyond it exactly until it is paid", () => {
  const budget = new Budget({ perSecond: 100, burst: 50 }, 0);
  expect(budget.spend(50, 0)).toBe(0);
  expect(budget.spend(10, 0)).toBe(100);
  expect(budget.isSolvent(99)).toBe(false);
  expect(budget.isSolvent(100)).toBe(true);
});

test("budget: idle for long, no more than the burst is saved up", () => {
  const budget = new Budget({ perSecond: 100, burst: 50 }, 0);
  expect(budget.spend(60, 1_000_000)).toBe(100);
});

test("budget: a clock that stands or goes back, nothing is refilled twice", () => {
  const budget = new Budget({ perSecond: 100, burst: 50 }, 1_000);
  budget.spend(50, 1_000);
  expect(budget.spend(1, 500)).toBe(10);
  expect(budget.spend(0, 1_000)).toBe(10);
});
