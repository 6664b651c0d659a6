import { expect, test } from "bun:test";
import golden from "./staking.json" with { type: "json" };
import { goldenStaking } from "./staking-golden.ts";

const written: Readonly<Record<string, unknown>> = golden;

for (const [part, expected] of Object.entries(goldenStaking())) {
  test(`vectors: staking ${part}, receipts, effects, roots, sets and proofs are the golden ones`, () => {
    expect(expected).toEqual(written[part]);
  });
}
