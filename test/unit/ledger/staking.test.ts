import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type TransactionBody, U64_MAX } from "../../../src/protocol/index.ts";
import { HOUR_MS, keyOf } from "./ledger-fixture.ts";
import { boxOf, StakingWorld } from "./staking-fixture.ts";

const DAY_MS = 24 * HOUR_MS;
const four = { a: 1_000n, b: 1_000n, c: 1_000n, d: 1_000n };
const world = () => new StakingWorld(four, { alice: 10_000n, bob: 10_000n });
const stake = (validator: string, amount: bigint): TransactionBody => ({ type: 8, validator: boxOf(validator).publicKey, amount });
const unstake = (validator: string, amount: bigint): TransactionBody => ({ type: 9, validator: boxOf(validator).publicKey, amount });
const withdraw = (validator: string, amount: bigint): TransactionBody => ({ type: 10, validator: boxOf(validator).publicKey, amount });

describe("staking", () => {
  test("stake: units move from the account to the pool, the staker gets shares", () => {
    const w = world();
    expect(w.do("alice", stake("a", 500n)).effects).toEqual([
      { kind: "staked", staker: keyOf("alice"), validator: boxOf("a").publicKey, amount: 500n },
    ]);
    expect(w.validator("a")).toMatchObject({ stake: 1_500n, shares: 1_500n });
    expect(w.bond("a", "alice")).toMatchObject({ shares: 500n, tranches: [] });
    expect(w.balance("alice")).toBe(9_500n);
  });

  test("stake: nothing, more than the balance, no such validator, one that leaves, each its own code", () => {
    const w = world();
    expect(w.code("alice", stake("a", 0n))).toBe("amountTooSmall");
    expect(w.code("alice", stake("a", 10_001n))).toBe("insufficientFunds");
    expect(w.code("alice", stake("nobody", 1n))).toBe("notRegistered");
    w.do("a", { type: 7, validator: boxOf("a").publicKey });
    expect(w.code("alice", stake("a", 1n))).toBe("validatorExiting");
  });

  test("stake: a validator whose stake stays below the minimum with it, refused", () => {
    const w = new StakingWorld(four, { alice: 10_000n }, { minimumStake: 2_000n });
    expect(w.code("alice", stake("a", 999n))).toBe("amountTooSmall");
    expect(w.code("alice", stake("a", 1_000n))).toBe("applied");
  });

  test("stake: a reward has raised the price, whole shares are bought and the rest stays on the account", () => {
    const w = world();
    w.do("alice", stake("a", 2_000n));
    const before = w.balance("alice");
    expect(w.reward("a", "d", 1_000n)).toBe(1_000n);
    expect(w.do("bob", stake("a", 101n)).effects).toMatchObject([{ kind: "staked", amount: 100n }]);
    expect(w.bond("a", "bob")?.shares).toBe(75n);
    expect(w.balance("bob")).toBe(9_900n);
    expect(w.code("bob", stake("a", 1n))).toBe("amountTooSmall");
    expect(w.balance("alice")).toBe(before);
  });
});

describe("unbonding", () => {
  test("unstake: leaves the stake at once, and waits for the longer of two whole epochs and the unbonding time", () => {
    const w = world();
    w.do("alice", stake("a", 500n));
    expect(w.code("alice", unstake("a", 200n))).toBe("applied");
    expect(w.validator("a")).toMatchObject({ stake: 1_300n, shares: 1_300n, unbondingStake: 200n, unbondingShares: 200n });
    const releaseTimeMs = w.timeMs + 7 * DAY_MS;
    expect(w.bond("a", "alice")).toMatchObject({ shares: 300n, tranches: [{ shares: 200n, releaseEpoch: 6, releaseTimeMs }] });
    for (const [epoch, timeMs, code] of [
      [6, releaseTimeMs - 1, "insufficientFunds"],
      [5, releaseTimeMs, "insufficientFunds"],
      [6, releaseTimeMs, "applied"],
    ] as const) {
      w.epoch = epoch;
      w.timeMs = timeMs;
      expect(w.code("alice", withdraw("a", 200n))).toBe(code);
    }
    expect(w.balance("alice")).toBe(9_700n);
    expect(w.validator("a")).toMatchObject({ unbondingStake: 0n, unbondingShares: 0n });
  });

  test("unstake: more than is bonded, or without a bond, insufficientFunds; all there is by the greatest amount", () => {
    const w = world();
    w.do("alice", stake("a", 500n));
    expect(w.code("bob", unstake("a", 1n))).toBe("insufficientFunds");
    expect(w.code("alice", unstake("a", 501n))).toBe("insufficientFunds");
    expect(w.do("alice", unstake("a", U64_MAX)).effects).toMatchObject([{ kind: "unstaked", amount: 500n }]);
    expect(w.code("alice", unstake("a", U64_MAX))).toBe("insufficientFunds");
  });

  test("unstake: in one epoch, one part that waits for the last; in eight epochs, eight parts and no more", () => {
    const w = world();
    w.do("alice", stake("a", 500n));
    w.do("alice", unstake("a", 10n));
    w.timeMs += 1_000;
    w.do("alice", unstake("a", 20n));
    expect(w.bond("a", "alice")?.tranches).toEqual([{ shares: 30n, releaseEpoch: 6, releaseTimeMs: w.timeMs + 7 * DAY_MS }]);
    for (let epoch = 4; epoch < 11; epoch++) {
      w.epoch = epoch;
      expect(w.code("alice", unstake("a", 1n))).toBe("applied");
    }
    w.epoch = 11;
    expect(w.code("alice", unstake("a", 1n))).toBe("limitReached");
    w.timeMs += 8 * DAY_MS;
    expect(w.do("alice", withdraw("a", 5n)).effects).toMatchObject([{ kind: "withdrawn", amount: 5n }]);
    expect(w.bond("a", "alice")?.tranches.length).toBe(8);
    expect(w.do("alice", withdraw("a", 26n)).code).toBe("applied");
    expect(w.bond("a", "alice")?.tranches.map(({ releaseEpoch }) => releaseEpoch)).toEqual([8, 9, 10, 11, 12, 13]);
    expect(w.do("alice", withdraw("a", U64_MAX)).effects).toMatchObject([{ kind: "withdrawn", amount: 4n }]);
    expect(w.code("alice", unstake("a", 1n))).toBe("applied");
  });

  test("unstake and withdraw: everything taken out, the bond is gone", () => {
    const w = world();
    w.do("alice", stake("a", 500n));
    w.do("alice", unstake("a", 500n));
    expect(w.bond("a", "alice")?.shares).toBe(0n);
    w.epoch += 3;
    w.timeMs += 7 * DAY_MS;
    w.do("alice", withdraw("a", U64_MAX));
    expect(w.bond("a", "alice")).toBeUndefined();
    expect(w.balance("alice")).toBe(10_000n);
  });

  test("slash: what is bonded and what unbonds lose the same part, whoever owns it", () => {
    const w = world();
    w.do("alice", stake("a", 1_000n));
    w.do("bob", stake("a", 1_000n));
    w.do("alice", unstake("a", 400n));
    w.slash("a", 500);
    expect(w.validator("a")).toMatchObject({ stake: 2_470n, unbondingStake: 380n });
    w.epoch += 3;
    w.timeMs += 7 * DAY_MS;
    expect(w.do("alice", withdraw("a", U64_MAX)).effects).toMatchObject([{ amount: 380n }]);
    expect(w.do("bob", unstake("a", U64_MAX)).effects).toMatchObject([{ amount: 950n }]);
  });

  test("owner: takes its own stake out too, the validator stays without", () => {
    const w = world();
    expect(w.do("a", unstake("a", U64_MAX)).code).toBe("applied");
    expect(w.validator("a")).toMatchObject({ stake: 0n, shares: 0n, unbondingStake: 1_000n });
    expect(w.code("alice", stake("a", 100n))).toBe("applied");
  });
});

describe("any order of staking", () => {
  const names = ["alice", "bob", "a", "b"] as const;
  const step = fc.record({
    who: fc.constantFrom(...names),
    at: fc.constantFrom("a", "b"),
    what: fc.constantFrom("stake", "stake", "unstake", "unstake", "withdraw", "withdraw", "slash", "reward", "later", "later"),
    amount: fc.oneof({ weight: 6, arbitrary: fc.bigInt(0n, 1_500n) }, { weight: 3, arbitrary: fc.bigInt(0n, 50n) }, fc.constant(U64_MAX)),
  });

  test("ledger: random staking, slashing and rewards, units and shares always add up, and nobody gains by it alone", () => {
    const seen = new Set<string>();
    const property = fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
      const w = world();
      let rewarded = 0n;
      for (const { who, at, what, amount } of steps) {
        if (what === "slash") w.slash(at, Number(amount % 10_000n));
        else if (what === "reward") rewarded += w.reward(at, "d", amount % 1_000n);
        else if (what === "later") {
          w.epoch += 1;
          w.timeMs += 3 * DAY_MS;
        } else {
          const body = what === "stake" ? stake(at, amount) : what === "unstake" ? unstake(at, amount) : withdraw(at, amount);
          seen.add(`${what} ${w.code(who, body)}`);
        }
        w.requireConserved();
      }
      const wealth = names.reduce((sum, name) => sum + w.balance(name), 0n) + w.validator("a").stake + w.validator("b").stake;
      expect(wealth <= 24_000n + rewarded).toBe(true);
    });
    fc.assert(property, { numRuns: 500 });
    expect(["stake applied", "unstake applied", "withdraw applied", "stake amountTooSmall"].filter((name) => !seen.has(name))).toEqual([]);
  });
});
