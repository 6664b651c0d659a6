import { describe, expect, test } from "bun:test";
import { toHex } from "../../../src/kernel/index.ts";
import { type DeviceEntry, LIMITS } from "../../../src/protocol/index.ts";
import { BALANCE, idOf, keyOf, transactionOf, type Wish, World } from "./mempool-world.ts";

const anchor = (size: number): NonNullable<Wish["body"]> => ({ type: 2, stream: "s", content: { data: new Uint8Array(size).fill(1) } });
const nonsense = { type: 12, evidence: new Uint8Array(3) } as const;

/** A device of account 1, with this quota. */
function withDevice(world: World, transactionsPerHour: bigint, bytesPerHour = 10_000n): Uint8Array {
  const device = keyOf(100);
  const entry: DeviceEntry = {
    ...{ kind: "device", owner: keyOf(1), label: "", transactionsPerHour, bytesPerHour, hour: 0, usedTransactions: 0n, usedBytes: 0n },
  };
  world.chain.state.devices.set(toHex(device), entry);
  world.chain.state.fund(device, 0n);
  return device;
}

describe("admission", () => {
  test.each<[string, Uint8Array]>([
    ["malformed", Uint8Array.of(1, 2, 3)],
    ["malformed", new Uint8Array(0)],
    ["malformed", new Uint8Array(LIMITS.transactionBytesMax)],
    ["tooLarge", new Uint8Array(LIMITS.transactionBytesMax + 1)],
    ["feeTooLow", transactionOf(keyOf(1), 0n, { fee: 9n })],
    ["expired", transactionOf(keyOf(1), 0n, { validUntil: 0n })],
    ["validityTooLong", transactionOf(keyOf(1), 0n, { validUntil: 1_001n })],
    ["notAuthorized", transactionOf(keyOf(1), 0n, { body: nonsense })],
    ["unknownSender", transactionOf(keyOf(77), 0n)],
    ["nonceTooHigh", transactionOf(keyOf(1), 1_025n)],
    ["insufficientFunds", transactionOf(keyOf(1), 0n, { fee: BALANCE })],
    ["badSignature", transactionOf(keyOf(1), 0n, { isForged: true })],
    ["accepted", transactionOf(keyOf(1), 1_024n)],
    ["accepted", transactionOf(keyOf(1), 0n, { validUntil: 1_000n, fee: BALANCE - 1n })],
  ])("admission: the verdict %s, and a refused one changes nothing", async (expected, encoded) => {
    const world = new World();
    world.fund(1);
    const before = JSON.stringify(world.mempool.stats().gauges);
    const { writtenBytes } = world.fs;
    expect(await world.verdict(encoded)).toBe(expected);
    if (expected === "accepted") return;
    expect(JSON.stringify(world.mempool.stats().gauges)).toBe(before);
    expect(world.fs.writtenBytes).toBe(writtenBytes);
    expect(world.mempool.stats().counters.rejected).toEqual({ [expected]: 1 });
    expect(world.verifiedCount).toBe(expected === "badSignature" ? 1 : 0);
  });

  test("admission: several faults at once, the cheapest to find is answered", async () => {
    const world = new World();
    world.fund(1);
    const verdicts = [
      await world.verdict(transactionOf(keyOf(77), 9_999n, { fee: 0n, isForged: true })),
      await world.verdict(transactionOf(keyOf(77), 9_999n, { isForged: true })),
      await world.verdict(transactionOf(keyOf(1), 9_999n, { fee: BALANCE, isForged: true })),
      await world.verdict(transactionOf(keyOf(1), 0n, { fee: BALANCE, isForged: true })),
    ];
    expect(verdicts).toEqual(["feeTooLow", "unknownSender", "nonceTooHigh", "insufficientFunds"]);
  });

  test("admission: pending already, accepted again without another signature check or record", async () => {
    const world = new World();
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    expect(await world.verdict(encoded)).toBe("accepted");
    const { writtenBytes } = world.fs;
    expect(await world.verdict(encoded)).toBe("accepted");
    expect([world.verifiedCount, world.fs.writtenBytes]).toEqual([1, writtenBytes]);
    expect(world.mempool.stats().gauges.pendingCount).toBe(1);
  });

  test("admission: the same transaction in two submissions at once, both accepted and stored once", async () => {
    const world = new World();
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    const first = world.submit([encoded, encoded], "a");
    const second = world.mempool.submit([encoded], "b");
    expect((await first).map(({ status }) => status)).toEqual(["accepted", "accepted"]);
    expect((await second).map(({ status }) => status)).toEqual(["accepted"]);
    expect(world.mempool.stats().counters.batchedTransactions).toBe(1);
  });

  test("admission: a forged copy in flight, the well signed transaction is accepted all the same", async () => {
    const world = new World();
    world.fund(1);
    const forged = transactionOf(keyOf(1), 0n, { isForged: true });
    const good = transactionOf(keyOf(1), 0n);
    expect(toHex(idOf(forged))).toBe(toHex(idOf(good)));
    const outcomes = await world.submit([forged, good, forged]);
    expect(outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.code : "accepted"))).toEqual([
      "badSignature",
      "accepted",
      "badSignature",
    ]);
  });

  test("admission: executed already, a duplicate that says where", async () => {
    const world = new World();
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    await world.verdict(encoded);
    world.block();
    const [outcome] = await world.submit([encoded]);
    expect(outcome).toMatchObject({ status: "rejected", code: "duplicate", executedAt: { height: 1, index: 0 }, id: idOf(encoded) });
    expect(await world.verdict(transactionOf(keyOf(1), 0n, { memo: 1 }))).toBe("nonceTooLow");
  });

  test("admission: funds of the sender's pending transactions, counted against it until they execute", async () => {
    const world = new World();
    world.fund(1, 100n);
    const spend = (nonce: bigint, amount: bigint): Uint8Array =>
      transactionOf(keyOf(1), nonce, { body: { type: 1, to: keyOf(2), amount } });
    expect(await world.verdict(spend(0n, 50n))).toBe("accepted");
    expect(await world.verdict(spend(1n, 31n))).toBe("insufficientFunds");
    expect(await world.verdict(spend(1n, 10n))).toBe("accepted");
    expect(await world.verdict(spend(2n, 11n))).toBe("insufficientFunds");
    world.block();
    expect(await world.verdict(spend(2n, 10n))).toBe("accepted");
  });

  test("admission: a device's anchors, counted against its quota and paid by its owner", async () => {
    const world = new World();
    world.fund(1, 25n);
    const device = withDevice(world, 2n);
    expect(await world.verdict(transactionOf(device, 0n, { body: anchor(10) }))).toBe("accepted");
    expect(await world.verdict(transactionOf(keyOf(1), 0n))).toBe("accepted");
    expect(await world.verdict(transactionOf(device, 1n, { body: anchor(10) }))).toBe("insufficientFunds");
    world.chain.state.fund(keyOf(1), 1_000n);
    expect(await world.verdict(transactionOf(device, 1n, { body: anchor(10) }))).toBe("accepted");
    expect(await world.verdict(transactionOf(device, 2n, { body: anchor(10) }))).toBe("quotaExceeded");
  });

  test("admission: a second transaction for a nonce that is pending, refused while the first can execute", async () => {
    const world = new World();
    world.fund(1);
    await world.submit([transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n)]);
    const [outcome] = await world.submit([transactionOf(keyOf(1), 0n, { memo: 1 })]);
    expect(outcome).toMatchObject({ code: "nonceTooLow", detail: expect.stringContaining("the next free nonce is 2") });
    const within = await world.submit([transactionOf(keyOf(1), 2n), transactionOf(keyOf(1), 2n, { memo: 1 })]);
    expect(within.map(({ status }) => status)).toEqual(["accepted", "rejected"]);
  });

  test("admission: a front that became unpayable, replaced within a bound; what executes supersedes the others", async () => {
    const world = new World({ bounds: { rivalsMax: 2 } });
    world.fund(1);
    const dear = transactionOf(keyOf(1), 0n, { fee: 500n });
    const cheap = transactionOf(keyOf(1), 0n, { fee: 10n });
    await world.verdict(dear);
    world.chain.state.fund(keyOf(1), 20n);
    world.block(); // skips it, and finds that it cannot be paid
    expect(world.mempool.status(idOf(dear))).toBe("accepted");
    expect(await world.verdict(transactionOf(keyOf(1), 0n, { fee: 21n }))).toBe("insufficientFunds");
    expect(await world.verdict(cheap)).toBe("accepted");
    expect(await world.verdict(transactionOf(keyOf(1), 0n, { fee: 11n }))).toBe("nonceTooLow");
    world.block();
    expect(world.chain.findExecuted(idOf(cheap))).toEqual({ height: 2, index: 0 });
    expect(world.mempool.status(idOf(dear))).toBe("superseded");
    world.powerCut();
    expect(world.mempool.status(idOf(dear))).toBe("superseded");
  });

  test("admission: replacements that became unpayable too, no more of them than the bound", async () => {
    const world = new World({ bounds: { rivalsMax: 2 } });
    world.fund(1);
    await world.verdict(transactionOf(keyOf(1), 0n, { fee: 500n }));
    world.chain.state.fund(keyOf(1), 100n);
    world.block();
    await world.verdict(transactionOf(keyOf(1), 0n, { fee: 90n }));
    world.chain.state.fund(keyOf(1), 20n);
    world.block();
    const [outcome] = await world.submit([transactionOf(keyOf(1), 0n, { fee: 10n })]);
    expect(outcome).toMatchObject({ code: "nonceTooLow", detail: expect.stringContaining("the most there may be") });
  });

  test("admission: while the node catches up, everything is refused as syncing", async () => {
    let isSyncing = true;
    const world = new World({ isSyncing: () => isSyncing });
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    const [outcome] = await world.submit([encoded]);
    expect(outcome).toMatchObject({ code: "syncing", retryAfterMs: expect.any(Number) });
    isSyncing = false;
    expect(await world.verdict(encoded)).toBe("accepted");
  });
});

describe("bounds", () => {
  test("bounds: one account floods, it is refused and others get in", async () => {
    const world = new World({ bounds: { accountCountMax: 10, accountSizeBytesMax: 1_200 } });
    world.fund(2);
    const flood = await world.submit(Array.from({ length: 30 }, (_, i) => transactionOf(keyOf(1), BigInt(i))));
    const codes = flood.map((outcome) => (outcome.status === "rejected" ? outcome.code : outcome.status));
    expect(codes.filter((code) => code === "accepted").length).toBe(Math.floor(1_200 / transactionOf(keyOf(1), 0n).length));
    expect(new Set(codes)).toEqual(new Set(["accepted", "quotaExceeded"]));
    expect(await world.verdict(transactionOf(keyOf(2), 0n))).toBe("accepted");
  });

  test("bounds: one source floods, it is refused and others get in", async () => {
    const world = new World({ bounds: { sourceCountMax: 5 } });
    const keys = world.fund(9);
    const flood = await world.submit(
      keys.slice(0, 8).map((key) => transactionOf(key, 0n)),
      "flood",
    );
    expect(flood.filter(({ status }) => status === "accepted").length).toBe(5);
    expect(flood.at(-1)).toMatchObject({ code: "quotaExceeded" });
    expect(await world.verdict(transactionOf(keyOf(9), 0n), "calm")).toBe("accepted");
    world.block();
    expect(await world.verdict(transactionOf(keyOf(8), 0n), "flood")).toBe("accepted");
  });

  test("bounds: the pool is full, refused with a time to try again, and room again after a block", async () => {
    const world = new World({ bounds: { poolCountMax: 3 } });
    const keys = world.fund(4);
    const outcomes = await world.submit(keys.map((key) => transactionOf(key, 0n)));
    expect(outcomes.at(-1)).toMatchObject({ code: "mempoolFull", retryAfterMs: expect.any(Number) });
    expect(world.mempool.stats().gauges.pendingCount).toBe(3);
    world.block();
    expect(await world.verdict(transactionOf(keyOf(4), 0n))).toBe("accepted");
  });

  test("bounds: more submitted than may wait, refused whole before it is looked at", async () => {
    const world = new World({ bounds: { sourceIntakeCountMax: 2, intakeCountMax: 3 } });
    world.fund(3);
    const three = [transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n), transactionOf(keyOf(1), 2n)];
    expect((await world.submit(three)).map((outcome) => outcome.status === "rejected" && outcome.code)).toEqual(
      Array(3).fill("quotaExceeded"),
    );
    expect(world.verifiedCount).toBe(0);
  });
});
