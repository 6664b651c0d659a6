import { expect, test } from "bun:test";
import { OutgoingBudget } from "../../../../../appliance/broker/doors/outgoing-budget.ts";

/** Accounts by name, and who was ended in what order. */
function makeBudget(bytesMax: number, names: string) {
  const budget = new OutgoingBudget(bytesMax);
  const ended: string[] = [];
  const accounts = [...names].map((name) => budget.open(() => void ended.push(name)));
  return { budget, ended, accounts };
}

test("doors: too much held for all together, whoever has taken nothing for the longest is ended, and no more than must", () => {
  const { budget, ended, accounts } = makeBudget(100, "abc");
  for (const account of accounts) account.hold(30);
  accounts[0]?.hold(5); // more of the same silence
  accounts[1]?.take(1);
  expect([ended, budget.usedBytes]).toEqual([[], 94]);
  accounts[2]?.hold(30);
  expect([ended, budget.usedBytes]).toEqual([["a"], 89]);
  accounts[1]?.hold(60); // c is silent for longer than b
  expect([ended, budget.usedBytes]).toEqual([["a", "c"], 89]);
});

test("doors: one that holds more than all may, it is ended itself; nothing counts for one that is over", () => {
  const { budget, ended, accounts } = makeBudget(100, "ab");
  accounts[0]?.hold(101);
  expect([ended, budget.usedBytes]).toEqual([["a"], 0]);
  accounts[0]?.hold(50);
  accounts[0]?.take(50);
  accounts[1]?.hold(100);
  accounts[1]?.close();
  accounts[1]?.close();
  expect([ended, budget.usedBytes]).toEqual([["a"], 0]);
});

test("doors: one that took everything, the last to be ended when it falls silent again", () => {
  const { budget, ended, accounts } = makeBudget(100, "ab");
  accounts[0]?.hold(40);
  accounts[1]?.hold(40);
  accounts[0]?.take(40);
  accounts[0]?.hold(40);
  accounts[0]?.hold(40);
  expect([ended, budget.usedBytes]).toEqual([["b"], 80]);
});
