import { describe, expect, test } from "bun:test";
import { bytesEqual } from "../../../src/kernel/index.ts";
import { type AdmissionRules, checkAdmission, findSkipReason, type PendingView } from "../../../src/ledger/index.ts";
import { type DeviceEntry, deviceKey, encodeEvidence, type Transaction, type TransactionPayload } from "../../../src/protocol/index.ts";
import { HOUR_MS, keyOf, MapState, START_MS, transactionOf } from "./ledger-fixture.ts";

const alice = keyOf("alice");
const bob = keyOf("bob");
const device = keyOf("device");
const rules: AdmissionRules = { tipHeight: 100, timeMs: START_MS, parameters: { minimumFee: 10n, maxValidity: 50n } };
const nothing: PendingView = { nextNonce: () => undefined, spendOf: () => 0n, quotaUseOf: () => ({ transactions: 0n, bytes: 0n }) };

const send = (change: Partial<TransactionPayload> = {}): Transaction =>
  transactionOf({ sender: alice, nonce: 7n, fee: 10n, validUntil: 120n, body: { type: 1, to: bob, amount: 5n }, ...change });
const anchor = (change: Partial<TransactionPayload> = {}): Transaction =>
  send({ sender: device, nonce: 0n, body: { type: 2, stream: "t", content: { digest: bob } }, ...change });

function stateOf(balance: bigint): MapState {
  const state = new MapState({ alice: balance, device: 0n });
  state.apply([{ key: Uint8Array.from([1, ...alice]), entry: { kind: "account", nonce: 7n, balance } }]);
  return state;
}

function withDevice(change: Partial<DeviceEntry> = {}): MapState {
  const state = stateOf(100n);
  const quota = { transactionsPerHour: 3n, bytesPerHour: 10_000n, hour: START_MS / HOUR_MS, usedTransactions: 1n, usedBytes: 200n };
  state.apply([{ key: deviceKey(device), entry: { kind: "device", owner: alice, label: "", ...quota, ...change } }]);
  return state;
}

const verdict = (state: MapState, transaction: Transaction, pending: PendingView = nothing): string => {
  const result = checkAdmission(state, rules, transaction, pending);
  return result.ok ? result.value.readiness : result.error.code;
};

describe("admission", () => {
  test("admission: a transaction that can execute next, ready with what it takes from whom", () => {
    const result = checkAdmission(stateOf(100n), rules, send(), nothing);
    expect(result).toEqual({ ok: true, value: { readiness: "ready", payer: alice, cost: 15n } });
  });

  test("admission: evidence, free where it is known to convict and only there", () => {
    const evidence = encodeEvidence({
      kind: "votes",
      first: { kind: 2, epoch: 0, view: 1, signer: 0, signature: new Uint8Array(64) },
      second: { kind: 3, epoch: 0, view: 1, signer: 0, proposalId: new Uint8Array(32), signature: new Uint8Array(64) },
    });
    const codeOf = (fee: bigint, isConvicting?: boolean) => {
      const known = isConvicting === undefined ? {} : { isConvicting: () => isConvicting };
      const result = checkAdmission(stateOf(100n), { ...rules, ...known }, send({ fee, body: { type: 12, evidence } }), nothing);
      return result.ok ? "accepted" : result.error.code;
    };
    expect([codeOf(0n), codeOf(0n, false), codeOf(0n, true)]).toEqual(["feeTooLow", "feeTooLow", "accepted"]);
    expect([codeOf(10n), codeOf(10n, false)]).toEqual(["accepted", "accepted"]);
  });

  test("admission: each thing that is wrong, its own stable code and a sentence with the bound", () => {
    const cases: [Transaction, string][] = [
      [send({ fee: 9n }), "feeTooLow"],
      [send({ validUntil: 100n }), "expired"],
      [send({ validUntil: 151n }), "validityTooLong"],
      [send({ body: { type: 12, evidence: new Uint8Array(3) } }), "notAuthorized"],
      [send({ body: { type: 8, validator: bob, amount: 91n } }), "insufficientFunds"],
      [send({ sender: bob }), "unknownSender"],
      [send({ nonce: 6n }), "nonceTooLow"],
      [send({ nonce: 7n + 1_025n }), "nonceTooHigh"],
      [send({ body: { type: 1, to: bob, amount: 91n } }), "insufficientFunds"],
    ];
    for (const [transaction, code] of cases) {
      const result = checkAdmission(stateOf(100n), rules, transaction, nothing);
      expect(result.ok ? "accepted" : result.error.code).toBe(code as never);
      expect(result.ok ? "" : result.error.detail).toMatch(/\d/);
    }
  });

  test("admission: the edges of validity, nonces and funds, accepted", () => {
    const state = stateOf(100n);
    expect(verdict(state, send({ validUntil: 101n }))).toBe("ready");
    expect(verdict(state, send({ validUntil: 150n }))).toBe("ready");
    expect(verdict(state, send({ nonce: 7n + 1_024n }))).toBe("gap");
    expect(verdict(state, send({ body: { type: 1, to: bob, amount: 90n } }))).toBe("ready");
  });

  test("admission: several things wrong at once, the cheapest check answers", () => {
    expect(verdict(stateOf(0n), send({ fee: 1n, validUntil: 1n, nonce: 1n, sender: bob }))).toBe("feeTooLow");
    expect(verdict(stateOf(0n), send({ validUntil: 1n, nonce: 1n, sender: bob }))).toBe("expired");
    expect(verdict(stateOf(0n), send({ nonce: 1n, sender: bob }))).toBe("unknownSender");
    expect(verdict(stateOf(0n), send({ nonce: 1n }))).toBe("nonceTooLow");
  });

  test("admission: pending transactions of the sender, extend the run and reserve their funds", () => {
    const pending: PendingView = { ...nothing, nextNonce: () => 9n, spendOf: (payer) => (bytesEqual(payer, alice) ? 70n : 0n) };
    expect(verdict(stateOf(100n), send({ nonce: 9n }), pending)).toBe("ready");
    expect(verdict(stateOf(100n), send({ nonce: 10n }), pending)).toBe("gap");
    expect(verdict(stateOf(84n), send({ nonce: 9n }), pending)).toBe("insufficientFunds");
    expect(verdict(stateOf(85n), send({ nonce: 9n }), pending)).toBe("ready");
  });

  test("admission: a nonce above an unbroken run that starts later, a gap until the next one comes", () => {
    expect(verdict(stateOf(100n), send({ nonce: 8n }))).toBe("gap");
    const stale: PendingView = { ...nothing, nextNonce: () => 3n };
    expect(verdict(stateOf(100n), send({ nonce: 7n }), stale)).toBe("ready");
  });
});

describe("admission of sponsored anchors", () => {
  test("admission: a device within its quota, its owner pays the fee alone", () => {
    expect(checkAdmission(withDevice(), rules, anchor(), nothing)).toEqual({
      ok: true,
      value: { readiness: "ready", payer: alice, cost: 10n },
    });
  });

  test("admission: quota used on the chain and by pending anchors together, quotaExceeded", () => {
    const pending: PendingView = { ...nothing, quotaUseOf: () => ({ transactions: 2n, bytes: 0n }) };
    expect(verdict(withDevice(), anchor(), pending)).toBe("quotaExceeded");
    expect(verdict(withDevice({ transactionsPerHour: 4n }), anchor(), pending)).toBe("ready");
    expect(verdict(withDevice({ bytesPerHour: 300n }), anchor())).toBe("quotaExceeded");
  });

  test("admission: quota used in an hour that is over, counts no more", () => {
    expect(verdict(withDevice({ usedTransactions: 3n }), anchor())).toBe("quotaExceeded");
    expect(verdict(withDevice({ usedTransactions: 3n, hour: START_MS / HOUR_MS - 1 }), anchor())).toBe("ready");
  });

  test("admission: an owner without funds or without account, insufficientFunds", () => {
    expect(verdict(withDevice(), anchor({ fee: 101n }))).toBe("insufficientFunds");
    expect(verdict(withDevice({ owner: keyOf("nobody") }), anchor())).toBe("insufficientFunds");
  });
});

describe("what would execute", () => {
  test("ledger: whether a transaction can execute next, answered by the rules of execution", () => {
    const state = withDevice();
    expect(findSkipReason(state, rules, send())).toBeUndefined();
    expect(findSkipReason(state, rules, send({ body: { type: 1, to: bob, amount: 1_000n } }))).toBeUndefined();
    expect(findSkipReason(state, rules, send({ nonce: 8n }))).toBe("nonceTooHigh");
    expect(findSkipReason(state, rules, send({ validUntil: 100n }))).toBe("expired");
    expect(findSkipReason(state, rules, anchor())).toBeUndefined();
    expect(findSkipReason(withDevice({ usedTransactions: 3n }), rules, anchor())).toBe("quotaExceeded");
  });

  test("ledger: asking whether something can execute, changes nothing", () => {
    const state = withDevice();
    const before = new Map(state.entries);
    findSkipReason(state, rules, anchor());
    expect(state.entries).toEqual(before);
  });
});
