import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";
import { auditSupply, type BlockExecution, effectsDigestOf, epochOf, executeBlock } from "../../../src/ledger/index.ts";
import { EPOCH_KEY, type ReceiptCode, type TransactionBody, type TransactionPayload, U64_MAX } from "../../../src/protocol/index.ts";
import { contextOf, keyOf, MapState, parametersWith, transactionOf, validatorsOf } from "./ledger-fixture.ts";

const alice = keyOf("alice");
const bob = keyOf("bob");
const transfer = (to: Uint8Array, amount: bigint): TransactionBody => ({ type: 1, to, amount });
const send = (change: Partial<TransactionPayload> = {}) =>
  transactionOf({ sender: alice, nonce: 0n, fee: 10n, validUntil: 100n, body: transfer(bob, 5n), ...change });

function run(state: MapState, transactions: ReturnType<typeof send>[], context = contextOf()): BlockExecution {
  const execution = executeBlock(state, context, transactions);
  state.apply(execution.changes);
  return execution;
}

const codesOf = (execution: BlockExecution): ReceiptCode[] => execution.receipts.map(({ code }) => code);
const reasonsOf = (execution: BlockExecution): string[] => execution.skipped.map(({ reason }) => reason);

describe("transfers", () => {
  test("ledger: a transfer, moves the amount, burns the fee and uses the nonce", () => {
    const state = new MapState({ alice: 100n, bob: 1n });
    const execution = run(state, [send()]);
    expect(codesOf(execution)).toEqual(["applied"]);
    expect(state.findAccount(alice)).toEqual({ kind: "account", nonce: 1n, balance: 85n });
    expect(state.findAccount(bob)).toEqual({ kind: "account", nonce: 0n, balance: 6n });
    expect(state.supply()).toEqual({ kind: "supply", issued: 101n, burned: 10n });
    expect(execution.feesPaid).toBe(10n);
  });

  test("ledger: a transfer to a key nobody has heard of, an account comes into being", () => {
    const state = new MapState({ alice: 100n });
    run(state, [send()]);
    expect(state.findAccount(bob)).toEqual({ kind: "account", nonce: 0n, balance: 5n });
  });

  test("ledger: a transfer of nothing, applied and no account made", () => {
    const state = new MapState({ alice: 100n });
    expect(codesOf(run(state, [send({ body: transfer(bob, 0n) })]))).toEqual(["applied"]);
    expect(state.findAccount(bob)).toBeUndefined();
  });

  test("ledger: a transfer to oneself, only the fee leaves, and the amount must be there after it", () => {
    const state = new MapState({ alice: 100n });
    expect(codesOf(run(state, [send({ body: transfer(alice, 90n) }), send({ nonce: 1n, body: transfer(alice, 81n) })]))).toEqual([
      "applied",
      "insufficientFunds",
    ]);
    expect(state.findAccount(alice)).toEqual({ kind: "account", nonce: 2n, balance: 80n });
  });

  test("ledger: an amount that the balance covers without the fee only, failed, fee paid, nonce used, nothing moved", () => {
    const state = new MapState({ alice: 100n, bob: 1n });
    const execution = run(state, [send({ body: transfer(bob, 91n) })]);
    expect(codesOf(execution)).toEqual(["insufficientFunds"]);
    expect(execution.effects).toEqual([[{ kind: "feePaid", payer: alice, amount: 10n }]]);
    expect(state.findAccount(alice)).toEqual({ kind: "account", nonce: 1n, balance: 90n });
    expect(state.findAccount(bob)).toEqual({ kind: "account", nonce: 0n, balance: 1n });
  });

  test("ledger: money received earlier in the block, can be spent later in it", () => {
    const state = new MapState({ alice: 100n });
    const execution = run(state, [send({ body: transfer(bob, 50n) }), send({ sender: bob, body: transfer(alice, 40n) })]);
    expect(codesOf(execution)).toEqual(["applied", "applied"]);
    expect(state.findAccount(bob)?.balance).toBe(0n);
  });

  test("ledger: the whole supply of 64 bits in one account, moves without overflow", () => {
    const state = new MapState({ alice: U64_MAX });
    expect(codesOf(run(state, [send({ body: transfer(bob, U64_MAX - 10n) })]))).toEqual(["applied"]);
    expect(state.findAccount(bob)?.balance).toBe(U64_MAX - 10n);
    expect(state.findAccount(alice)?.balance).toBe(0n);
  });
});

describe("skipping", () => {
  test("ledger: transactions that cannot pay or do not fit, each skipped with its reason and without a trace", () => {
    const state = new MapState({ alice: 100n, poor: 9n });
    const before = new Map(state.entries);
    const context = contextOf({ height: 50 });
    const execution = run(
      state,
      [
        send({ validUntil: 49n }),
        send({ validUntil: 1_050n }),
        send({ fee: 9n }),
        send({ sender: keyOf("nobody") }),
        send({ nonce: 1n }),
        send({ sender: keyOf("poor") }),
        send({ fee: 101n }),
      ],
      context,
    );
    expect(reasonsOf(execution)).toEqual([
      "expired",
      "validityTooLong",
      "feeTooLow",
      "unknownSender",
      "nonceTooHigh",
      "insufficientFunds",
      "insufficientFunds",
    ]);
    expect(execution.receipts).toEqual([]);
    state.entries.delete(toHex(EPOCH_KEY)); // each block counts its leader's turn there
    expect(state.entries).toEqual(before);
  });

  test("ledger: validUntil at both ends of what may be, executed", () => {
    const state = new MapState({ alice: 100n });
    const context = contextOf({ height: 50 });
    expect(codesOf(run(state, [send({ validUntil: 50n }), send({ nonce: 1n, validUntil: 1_049n })], context))).toEqual([
      "applied",
      "applied",
    ]);
  });

  test("ledger: one transaction twice in a block, the second skipped by its nonce", () => {
    const state = new MapState({ alice: 100n });
    const execution = run(state, [send(), send()]);
    expect(codesOf(execution)).toEqual(["applied"]);
    expect(reasonsOf(execution)).toEqual(["nonceTooLow"]);
    expect(state.findAccount(bob)?.balance).toBe(5n);
  });

  test("ledger: a skipped transaction between others, receipts are numbered without it", () => {
    const state = new MapState({ alice: 100n });
    const execution = run(state, [send(), send({ nonce: 7n }), send({ nonce: 1n })], contextOf({ height: 9 }));
    expect(execution.receipts.map(({ index, height }) => [index, height])).toEqual([
      [0, 9],
      [1, 9],
    ]);
    expect(execution.executed.map(({ nonce }) => nonce)).toEqual([0n, 1n]);
  });

  test("ledger: a fee parameter of zero, a transaction without fee executes, an unknown sender is skipped still", () => {
    const state = new MapState({ alice: 0n });
    const context = contextOf({ parameters: parametersWith({ minimumFee: 0n }) });
    const execution = run(state, [send({ fee: 0n, body: transfer(bob, 0n) }), send({ sender: bob, fee: 0n })], context);
    expect(codesOf(execution)).toEqual(["applied"]);
    expect(reasonsOf(execution)).toEqual(["unknownSender"]);
  });
});

describe("anchors, and what there is not", () => {
  test("ledger: an anchor of a digest and one of data, both recorded with a digest", () => {
    const state = new MapState({ alice: 100n });
    const digest = keyOf("readings");
    const data = utf8("21.5");
    const execution = run(state, [
      send({ body: { type: 2, stream: "barn", content: { digest } } }),
      send({ nonce: 1n, body: { type: 2, stream: "barn", content: { data } } }),
    ]);
    const recorded = execution.effects.map((effects) => effects[1]);
    expect(recorded).toEqual([
      { kind: "anchored", sender: alice, stream: "barn", digest },
      { kind: "anchored", sender: alice, stream: "barn", digest: sha256(data) },
    ]);
  });

  test("ledger: what asks for validators and proposals that are not there, each fails with its code, pays and leaves nothing", () => {
    const futile: [TransactionBody, ReceiptCode][] = [
      [{ type: 5, publicKey: new Uint8Array(32), proof: new Uint8Array(64), commission: 1, endpoint: "", metadata: "" }, "invalidKey"],
      [{ type: 6, validator: bob }, "notRegistered"],
      [{ type: 7, validator: bob }, "notRegistered"],
      [{ type: 8, validator: bob, amount: 1n }, "notRegistered"],
      [{ type: 9, validator: bob, amount: 1n }, "notRegistered"],
      [{ type: 10, validator: bob, amount: 1n }, "notRegistered"],
      [{ type: 11, validator: bob, newKey: alice, proof: new Uint8Array(64), term: 1, effectiveEpoch: 1 }, "notRegistered"],
      [{ type: 13, key: "fee", value: 1n, activationEpoch: 4 }, "invalidParameter"],
      [{ type: 14, proposal: bob, isApproval: true }, "notRegistered"],
    ];
    const state = new MapState({ alice: 1_000n });
    const execution = run(
      state,
      futile.map(([body], i) => send({ nonce: BigInt(i), body })),
    );
    expect(codesOf(execution)).toEqual(futile.map(([, code]) => code));
    expect(state.findAccount(alice)).toEqual({ kind: "account", nonce: 9n, balance: 910n });
    expect(state.entries.size).toBe(3); // the account, the supply and what the epoch counts
  });
});

describe("fees", () => {
  const shared = (owners: Record<string, bigint>, leader: number) =>
    contextOf({ validatorSet: validatorsOf(owners), leader, parameters: parametersWith({ minimumFee: 1n, feePolicy: "validators" }) });

  test("ledger: fees for the validators, in the pot of the epoch", () => {
    const state = new MapState({ alice: 1_000n });
    const context = shared({ north: 3n, south: 3n, west: 2n, east: 2n }, 0);
    run(state, [send({ fee: 107n, body: transfer(bob, 0n) })], context);
    run(state, [send({ nonce: 1n, fee: 3n, body: transfer(bob, 0n) })], context);
    expect(epochOf(state).feePot).toBe(110n);
    expect(state.supply().burned).toBe(0n);
  });

  test("ledger: a block without executed transactions, nothing but its leader's turn is counted", () => {
    const state = new MapState({ alice: 1_000n });
    for (const transactions of [[], [send({ nonce: 5n })]]) {
      const { changes, feesPaid } = run(state, transactions, shared({ north: 1n }, 0));
      expect(changes.map(({ key }) => toHex(key))).toEqual([toHex(EPOCH_KEY)]);
      expect(feesPaid).toBe(0n);
    }
    expect(epochOf(state).tallies).toEqual([{ proposed: 2, missed: 0, votes: 0 }]);
  });
});

describe("receipts", () => {
  test("ledger: the digest in a receipt, that of the effects beside it", () => {
    const state = new MapState({ alice: 100n });
    const { receipts, effects } = run(state, [send(), send({ nonce: 1n, body: transfer(bob, 999n) })]);
    expect(receipts.map((r) => toHex(r.effectsDigest))).toEqual(effects.map((e) => toHex(effectsDigestOf(e))));
    expect(effects.map((e) => e.map(({ kind }) => kind))).toEqual([["feePaid", "moved"], ["feePaid"]]);
  });

  test("ledger: an audit after blocks, balances and burned add up to what was issued", () => {
    const state = new MapState({ alice: 1_000n, bob: 3n });
    for (let i = 0; i < 5; i++) run(state, [send({ nonce: BigInt(i) })]);
    expect(auditSupply(state.entries.values())).toEqual({
      accounts: 2,
      balances: 953n,
      staked: 0n,
      feePot: 0n,
      issued: 1_003n,
      burned: 50n,
    });
  });
});
