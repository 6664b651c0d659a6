import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import { auditSupply, executeBlock, genesisEntries } from "../../../src/ledger/index.ts";
import { accountKey, SUPPLY_KEY, verifyStateProof } from "../../../src/protocol/index.ts";
import { OVERLAY_DEPTH_MAX, type Overlay, State } from "../../../src/state/index.ts";
import { keyOf } from "../ledger/ledger-fixture.ts";
import { balancesOf, blockOf, modelGenesis, timeOf, worlds } from "../ledger/random-blocks.ts";
import { type ModelState, modelBlock, modelEntries } from "../ledger/slow-model.ts";
import { slowRoot } from "./slow-root.ts";
import { account, CHAIN_ID, publicKeyOf } from "./state-fixture.ts";

/** An empty registry, parameters that no vote changed, and before the first block an epoch that has counted nothing: what every state has. */
function rootOf(model: ModelState): string {
  const singletons: [string, string][] = [
    ["06", "80"],
    ["09", "83808080"],
  ];
  if (model.proposed.length === 0) singletons.push(["07", "8500f4000080"]);
  return slowRoot([...modelEntries(model), ...singletons]);
}

describe("ledger and state together", () => {
  test("state: random chains executed on overlays and folded later, at every height the root of the slow model", () => {
    const property = fc.property(worlds(6), fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }), (world, lags) => {
      const accounts = Object.entries(balancesOf(world)).map(([name, balance]) => ({ publicKey: keyOf(name), balance }));
      const state = State.ofGenesis(CHAIN_ID, genesisEntries({ accounts, validators: [] }));
      let model = modelGenesis(world);
      expect(toHex(state.root)).toBe(rootOf(model));
      const unfinalized: { overlay: Overlay; model: ModelState; height: number }[] = [];
      for (const index of world.blocks.keys()) {
        const below = unfinalized.at(-1)?.overlay;
        const [context, modelContext, transactions] = blockOf(world, index, model, timeOf(world, index));
        const rival = executeBlock(state.viewOn(below), context, [...transactions].reverse());
        const rivalOverlay = state.stack(below, rival.changes);
        const [after] = modelBlock(model, modelContext, transactions);
        const [rivalAfter] = modelBlock(model, modelContext, [...transactions].reverse());
        const overlay = state.stack(below, executeBlock(state.viewOn(below), context, transactions).changes);
        expect(toHex(overlay.root)).toBe(rootOf(after));
        expect(toHex(rivalOverlay.root)).toBe(rootOf(rivalAfter));
        unfinalized.push({ overlay, model: after, height: index + 1 });
        model = after;
        while (unfinalized.length > (lags[index] ?? 0)) {
          const final = unfinalized.shift() as (typeof unfinalized)[number];
          state.fold(final.overlay, final.height);
          expect(toHex(state.root)).toBe(rootOf(final.model));
        }
      }
      for (const { overlay, height } of unfinalized) state.fold(overlay, height);
      expect(toHex(state.root)).toBe(rootOf(model));
      const { balances, feePot, burned, issued } = auditSupply(state.entries());
      expect(balances + feePot + burned).toBe(issued);
      for (const { publicKey } of accounts) {
        const fact = verifyStateProof(nativeSuite, state.prove(accountKey(publicKey)), state.root);
        expect(fact.ok && fact.value !== undefined).toBe(true);
      }
    });
    fc.assert(property, { numRuns: 40 });
  });
});

describe("the state service", () => {
  const genesis = () => State.ofGenesis(CHAIN_ID, [account(1, 5n), { key: SUPPLY_KEY, entry: { kind: "supply", issued: 5n, burned: 0n } }]);

  test("state: the finalized view, follows every fold and never an overlay", () => {
    const state = genesis();
    const view = state.finalized;
    const overlay = state.stack(undefined, [account(1, 4n, 1n), account(2, 1n)]);
    expect(view.findAccount(publicKeyOf(2))).toBeUndefined();
    expect(state.viewOn(overlay).findAccount(publicKeyOf(2))?.balance).toBe(1n);
    state.fold(overlay, 1);
    expect(view.findAccount(publicKeyOf(1))).toEqual({ kind: "account", nonce: 1n, balance: 4n });
    expect(state.findEntry(accountKey(publicKeyOf(2)))).toEqual({ kind: "account", nonce: 0n, balance: 1n });
    expect(view.supply()).toEqual({ kind: "supply", issued: 5n, burned: 0n });
    expect(view.findDevice(publicKeyOf(1))).toBeUndefined();
    expect(state.gauges).toMatchObject({ height: 1, entryCount: 3, checkpointHeight: undefined });
  });

  test("state: an entry removed by an unfinalized block, gone for those on it and there for the others", () => {
    const state = genesis();
    const key = accountKey(publicKeyOf(1));
    const gone = state.stack(undefined, [{ key, entry: undefined }]);
    const above = state.stack(gone, [account(2, 1n)]);
    expect([gone, above, undefined].map((on) => state.viewOn(on).findAccount(publicKeyOf(1))?.balance)).toEqual([undefined, undefined, 5n]);
    state.fold(gone, 1);
    expect(state.findEntry(key)).toBeUndefined();
    expect(state.gauges.entryCount).toBe(1);
  });

  test("state: a wrong height, or an overlay whose sibling was folded, a broken invariant", () => {
    const state = genesis();
    const [chosen, rival] = [state.stack(undefined, [account(1, 4n)]), state.stack(undefined, [account(1, 3n)])];
    const onRival = state.stack(rival, [account(2, 1n)]);
    expect(() => state.fold(chosen, 2)).toThrow("in the order of their heights");
    state.fold(chosen, 1);
    expect(() => state.fold(rival, 2)).toThrow("in the order of their blocks");
    expect(() => state.viewOn(onRival)).toThrow("still there");
    expect(() => state.stack(onRival, [])).toThrow("current");
  });

  test("state: overlays on one another without end, a broken invariant before memory is", () => {
    const state = genesis();
    let top = state.stack(undefined, []);
    while (top.depth < OVERLAY_DEPTH_MAX) top = state.stack(top, []);
    expect(() => state.stack(top, [])).toThrow("not without end");
  });

  test("state: a state without checkpoints, says so when asked for one", async () => {
    const state = genesis();
    expect(state.checkpointIfDue()).toBe(false);
    expect(await state.checkpoint()).toBe(false);
    expect(state.checkpointCounters).toBeUndefined();
    await state.settled();
  });
});
