import { describe, expect, test } from "bun:test";
import { type BlockExecution, executeBlock } from "../../../src/ledger/index.ts";
import { deviceProofBytes, type Transaction, type TransactionBody, type TransactionPayload } from "../../../src/protocol/index.ts";
import { CHAIN_ID, contextOf, HOUR_MS, keyOf, MapState, proofOf, START_MS, transactionOf } from "./ledger-fixture.ts";

const owner = keyOf("owner");
const device = keyOf("device");
const other = keyOf("other");

const register = (change: Partial<Extract<TransactionBody, { type: 3 }>> = {}): TransactionBody => ({
  type: 3,
  device,
  label: "barn sensor",
  transactionsPerHour: 2n,
  bytesPerHour: 1_000n,
  proof: proofOf(device, deviceProofBytes(CHAIN_ID, device, owner)),
  ...change,
});
const anchor: TransactionBody = { type: 2, stream: "t", content: { data: new Uint8Array(8) } };
const send = (sender: Uint8Array, nonce: bigint, body: TransactionBody, change: Partial<TransactionPayload> = {}): Transaction =>
  transactionOf({ sender, nonce, fee: 10n, validUntil: 100n, body, ...change });

function run(state: MapState, transactions: Transaction[], timeMs = START_MS): BlockExecution {
  const execution = executeBlock(state, contextOf({ timeMs }), transactions);
  state.apply(execution.changes);
  return execution;
}

const outcomeOf = (execution: BlockExecution): string[] => [
  ...execution.receipts.map(({ code }) => code),
  ...execution.skipped.map(({ reason }) => reason),
];

function sponsored(quota: { transactionsPerHour?: bigint; bytesPerHour?: bigint } = {}, ownerBalance = 1_000n): MapState {
  const state = new MapState({ owner: ownerBalance, other: 1_000n });
  expect(outcomeOf(run(state, [send(owner, 0n, register(quota))]))).toEqual(["applied"]);
  return state;
}

describe("registration", () => {
  test("ledger: a device registered by its owner, has a record and an account without balance", () => {
    const state = sponsored();
    expect(state.findDevice(device)).toEqual({
      kind: "device",
      owner,
      label: "barn sensor",
      transactionsPerHour: 2n,
      bytesPerHour: 1_000n,
      hour: START_MS / HOUR_MS,
      usedTransactions: 0n,
      usedBytes: 0n,
    });
    expect(state.findAccount(device)).toEqual({ kind: "account", nonce: 0n, balance: 0n });
  });

  test("ledger: a proof that is not the device's consent to this owner, badProof and nothing registered", () => {
    const state = new MapState({ owner: 1_000n, other: 1_000n });
    const forOther = proofOf(device, deviceProofBytes(CHAIN_ID, device, other));
    expect(outcomeOf(run(state, [send(owner, 0n, register({ proof: forOther }))]))).toEqual(["badProof"]);
    expect(state.findDevice(device)).toBeUndefined();
    expect(state.findAccount(device)).toBeUndefined();
  });

  test("ledger: a device registered already, by the same or another owner, alreadyRegistered", () => {
    const state = sponsored();
    const forOther = proofOf(device, deviceProofBytes(CHAIN_ID, device, other));
    const execution = run(state, [send(owner, 1n, register({ label: "new" })), send(other, 0n, register({ proof: forOther }))]);
    expect(outcomeOf(execution)).toEqual(["alreadyRegistered", "alreadyRegistered"]);
    expect(state.findDevice(device)?.label).toBe("barn sensor");
  });

  test("ledger: an account with balance and nonce that becomes a device, keeps both", () => {
    const state = new MapState({ owner: 1_000n, device: 70n });
    run(state, [send(device, 0n, { type: 1, to: other, amount: 1n }), send(owner, 0n, register())]);
    expect(state.findAccount(device)).toEqual({ kind: "account", nonce: 1n, balance: 59n });
  });

  test("ledger: revoking, by another refused, by the owner done, and the device's nonce stays used", () => {
    const state = sponsored();
    run(state, [send(device, 0n, anchor)]);
    expect(outcomeOf(run(state, [send(other, 0n, { type: 4, device })]))).toEqual(["notAuthorized"]);
    expect(outcomeOf(run(state, [send(owner, 1n, { type: 4, device }), send(owner, 2n, { type: 4, device })]))).toEqual([
      "applied",
      "notRegistered",
    ]);
    expect(state.findDevice(device)).toBeUndefined();
    expect(state.findAccount(device)?.nonce).toBe(1n);
    expect(outcomeOf(run(state, [send(device, 0n, anchor)]))).toEqual(["nonceTooLow"]);
  });

  test("ledger: revoked and registered anew in one block, the quota starts afresh", () => {
    const state = sponsored({ transactionsPerHour: 1n });
    run(state, [send(device, 0n, anchor)]);
    const execution = run(state, [
      send(device, 1n, anchor),
      send(owner, 1n, { type: 4, device }),
      send(owner, 2n, register({ transactionsPerHour: 1n })),
      send(device, 1n, anchor),
    ]);
    expect(outcomeOf(execution)).toEqual(["applied", "applied", "applied", "quotaExceeded"]);
    expect(state.findDevice(device)?.usedTransactions).toBe(1n);
  });
});

describe("sponsored anchors", () => {
  test("ledger: an anchor of a device, the owner pays and the quota counts it", () => {
    const state = sponsored();
    const transaction = send(device, 0n, anchor);
    const execution = run(state, [transaction]);
    expect(execution.effects[0]?.[0]).toEqual({ kind: "feePaid", payer: owner, amount: 10n });
    expect(state.findAccount(owner)?.balance).toBe(980n);
    expect(state.findAccount(device)).toEqual({ kind: "account", nonce: 1n, balance: 0n });
    expect(state.findDevice(device)).toMatchObject({ usedTransactions: 1n, usedBytes: BigInt(transaction.encoded.length) });
  });

  test("ledger: one transaction above the quota, skipped until the next hour of header time", () => {
    const state = sponsored();
    const third = send(device, 2n, anchor);
    expect(outcomeOf(run(state, [send(device, 0n, anchor), send(device, 1n, anchor), third]))).toEqual([
      "applied",
      "applied",
      "quotaExceeded",
    ]);
    expect(outcomeOf(run(state, [third], START_MS + HOUR_MS - 1))).toEqual(["quotaExceeded"]);
    expect(outcomeOf(run(state, [third], START_MS + HOUR_MS))).toEqual(["applied"]);
    expect(state.findDevice(device)).toMatchObject({ hour: START_MS / HOUR_MS + 1, usedTransactions: 1n });
  });

  test("ledger: one byte above the quota, skipped, exactly the quota executed", () => {
    const size = BigInt(send(device, 0n, anchor).encoded.length);
    expect(outcomeOf(run(sponsored({ bytesPerHour: size - 1n }), [send(device, 0n, anchor)]))).toEqual(["quotaExceeded"]);
    expect(outcomeOf(run(sponsored({ bytesPerHour: size }), [send(device, 0n, anchor)]))).toEqual(["applied"]);
  });

  test("ledger: an owner who cannot pay, the anchor is skipped and uses no quota", () => {
    const state = sponsored({}, 19n);
    expect(outcomeOf(run(state, [send(device, 0n, anchor)]))).toEqual(["insufficientFunds"]);
    expect(state.findDevice(device)?.usedTransactions).toBe(0n);
    expect(state.findAccount(device)?.nonce).toBe(0n);
  });

  test("ledger: anything but an anchor from a device, pays from its own account", () => {
    const state = sponsored();
    expect(outcomeOf(run(state, [send(device, 0n, { type: 1, to: other, amount: 0n })]))).toEqual(["insufficientFunds"]);
    run(state, [send(owner, 1n, { type: 1, to: device, amount: 30n })]);
    expect(outcomeOf(run(state, [send(device, 0n, { type: 1, to: other, amount: 5n })]))).toEqual(["applied"]);
    expect(state.findAccount(device)?.balance).toBe(15n);
    expect(state.findDevice(device)?.usedTransactions).toBe(0n);
  });

  test("ledger: a device that sponsors another, pays for its anchors itself", () => {
    const state = sponsored();
    const second = keyOf("second");
    const proof = proofOf(second, deviceProofBytes(CHAIN_ID, second, device));
    run(state, [send(owner, 1n, { type: 1, to: device, amount: 100n })]);
    const execution = run(state, [send(device, 0n, register({ device: second, proof })), send(second, 0n, anchor)]);
    expect(outcomeOf(execution)).toEqual(["applied", "applied"]);
    expect(execution.effects[1]?.[0]).toEqual({ kind: "feePaid", payer: device, amount: 10n });
    expect(state.findAccount(device)?.balance).toBe(80n);
  });

  test("ledger: a device that is its own owner, one account pays and counts", () => {
    const state = new MapState({ device: 100n });
    const proof = proofOf(device, deviceProofBytes(CHAIN_ID, device, device));
    const execution = run(state, [
      send(device, 0n, register({ proof, transactionsPerHour: 1n })),
      send(device, 1n, anchor),
      send(device, 2n, anchor),
    ]);
    expect(outcomeOf(execution)).toEqual(["applied", "applied", "quotaExceeded"]);
    expect(state.findAccount(device)).toEqual({ kind: "account", nonce: 2n, balance: 80n });
  });
});
