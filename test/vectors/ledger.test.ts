import { expect, test } from "bun:test";
import golden from "./ledger.json" with { type: "json" };
import { goldenLedger } from "./ledger-golden.ts";

const written: Readonly<Record<string, unknown>> = golden;

for (const [part, expected] of Object.entries(goldenLedger())) {
  test(`vectors: ledger ${part}, receipts, effects, roots and proofs are the golden ones`, () => {
    expect(expected).toEqual(written[part]);
  });
}
