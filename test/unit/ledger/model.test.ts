import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toHex } from "../../../src/kernel/index.ts";
import { auditSupply, type BlockExecution, executeBlock } from "../../../src/ledger/index.ts";
import { encodeEntry } from "../../../src/protocol/index.ts";
import { MapState } from "./ledger-fixture.ts";
import { balancesOf, blockOf, modelGenesis, timeOf, worlds } from "./random-blocks.ts";
import { type ModelOutcome, modelBlock, modelEntries } from "./slow-model.ts";

/** What an execution did, in the words of the model: skipped ones first, then receipts, each in order. */
function outcomesOf({ receipts, skipped }: BlockExecution): ModelOutcome[] {
  return [
    ...skipped.map(({ reason }) => ({ kind: "skipped" as const, reason })),
    ...receipts.map(({ code, fee, effectsDigest, transactionId }) => ({
      kind: "executed" as const,
      code,
      fee,
      effectsDigest: toHex(effectsDigest),
      transactionId: toHex(transactionId),
    })),
  ];
}

describe("the ledger against a slow model", () => {
  const seen = new Map<string, number>();

  test("ledger: random blocks on random states, the same results, entries and supply as the model", () => {
    const property = fc.property(worlds(6), (world) => {
      let model = modelGenesis(world);
      const state = new MapState(balancesOf(world));
      for (const index of world.blocks.keys()) {
        const [context, modelContext, transactions] = blockOf(world, index, model, timeOf(world, index));
        const [after, expected] = modelBlock(model, modelContext, transactions);
        const execution = executeBlock(state, context, transactions);
        state.apply(execution.changes);
        const skippedFirst = [...expected.filter(({ kind }) => kind === "skipped"), ...expected.filter(({ kind }) => kind === "executed")];
        expect(outcomesOf(execution)).toEqual(skippedFirst);
        const entries = [...state.entries]
          .map(([key, entry]) => [key, toHex(encodeEntry(entry))])
          .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
        expect(entries).toEqual(modelEntries(after));
        const { balances, feePot, burned, issued } = auditSupply(state.entries.values());
        expect(balances + feePot + burned).toBe(issued);
        for (const outcome of expected) count(outcome.kind === "skipped" ? outcome.reason : outcome.code);
        model = after;
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test("ledger: the random blocks above, every usual result and every reason occurred in them", () => {
    const all = ["applied", "insufficientFunds", "alreadyRegistered", "notRegistered", "badProof"];
    const reasons = ["expired", "validityTooLong", "feeTooLow", "unknownSender", "nonceTooLow", "nonceTooHigh", "quotaExceeded"];
    expect([...all, ...reasons].filter((name) => !seen.has(name))).toEqual([]);
  });

  function count(name: string): void {
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
});
