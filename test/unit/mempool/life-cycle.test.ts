import { describe, expect, test } from "bun:test";
import { toHex } from "../../../src/kernel/index.ts";
import type { DeviceEntry } from "../../../src/protocol/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { idOf, keyOf, transactionOf, World } from "./mempool-world.ts";

const ROOM = { bytes: 1 << 20, transactions: 4_096 };

describe("ends", () => {
  test("end: its last height is final, expired; until then it is accepted", async () => {
    const world = new World();
    world.fund(2);
    const doomed = transactionOf(keyOf(2), 1n, { validUntil: 2n });
    await world.submit([doomed, transactionOf(keyOf(1), 0n)]);
    world.block();
    expect(world.mempool.status(idOf(doomed))).toBe("accepted");
    await world.verdict(transactionOf(keyOf(1), 1n));
    world.block();
    expect(world.mempool.status(idOf(doomed))).toBe("expired");
    expect(await world.verdict(doomed)).toBe("expired");
  });

  test("end: another transaction with its nonce executed elsewhere, superseded", async () => {
    const world = new World();
    world.fund(1);
    const beaten = [transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n)];
    await world.submit(beaten);
    world.block([], { bytes: 0, transactions: 0 });
    world.chain.commit(world.mempool, [], [transactionOf(keyOf(1), 0n, { memo: 7 })]);
    expect(beaten.map((encoded) => world.mempool.status(idOf(encoded)))).toEqual(["superseded", "accepted"]);
    expect(world.block().executed.length).toBe(1);
  });

  test("end: it executed from another validator's batch, no longer pending here", async () => {
    const world = new World();
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    await world.verdict(encoded);
    world.chain.commit(world.mempool, [], [encoded]);
    expect(world.mempool.status(idOf(encoded))).toBe("unknown");
    expect(world.mempool.hasIncludable()).toBe(false);
    expect(await world.verdict(encoded)).toBe("duplicate");
  });

  test("end: superseded while its sync ran, still answered accepted, and its end outlasts a crash", async () => {
    const holder: { world?: World } = {};
    const fs = new MemoryFileSystem({ afterSyncTime: (complete) => void holder.world?.time.after(50, complete) });
    const world = new World({ fs });
    holder.world = world;
    world.fund(2);
    const beaten = transactionOf(keyOf(1), 0n);
    const answer = world.mempool.submit([beaten], "a");
    await world.time.advance(20);
    world.chain.commit(world.mempool, [], [transactionOf(keyOf(1), 0n, { memo: 7 })]);
    await world.time.advance(100);
    expect(await answer).toMatchObject([{ status: "accepted" }]);
    expect(world.mempool.status(idOf(beaten))).toBe("superseded");
    for (let nonce = 0n; nonce < 70n; nonce++) {
      await world.verdict(transactionOf(keyOf(2), nonce)); // until the batch that held it is let go
      world.block();
    }
    expect(world.mempool.replayMark()).toBeGreaterThan(1);
    world.powerCut();
    expect(world.mempool.status(idOf(beaten))).toBe("superseded");
  });

  test("end: the chain moved before it was written, refused with what is true now", async () => {
    const world = new World({ bounds: { lingerMinMs: 100, lingerMaxMs: 100 } });
    world.fund(3);
    const executed = transactionOf(keyOf(1), 0n);
    const beaten = transactionOf(keyOf(2), 0n);
    const answer = world.mempool.submit([executed, beaten, transactionOf(keyOf(3), 0n, { validUntil: 1n })], "a");
    await world.time.advance(5);
    world.chain.commit(world.mempool, [], [executed, transactionOf(keyOf(2), 0n, { memo: 7 })]);
    await world.time.advance(200);
    const codes = (await answer).map((outcome) => (outcome.status === "rejected" ? outcome.code : outcome.status));
    expect(codes).toEqual(["duplicate", "nonceTooLow", "expired"]);
    expect(world.mempool.stats().gauges.pendingCount).toBe(0);
  });
});

describe("order and gaps", () => {
  test("gap: held back durably, released when it closes, executed in nonce order", async () => {
    const world = new World();
    world.fund(1);
    const order = [3n, 1n, 2n];
    for (const nonce of order) expect(await world.verdict(transactionOf(keyOf(1), nonce))).toBe("accepted");
    expect(world.mempool.hasIncludable()).toBe(false);
    expect([world.mempool.stats().counters.batches, world.mempool.pendingNonce(keyOf(1))]).toEqual([0, 0n]);
    await world.verdict(transactionOf(keyOf(1), 0n));
    expect(world.mempool.pendingNonce(keyOf(1))).toBe(4n);
    expect(world.block().executed.map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n, 3n]);
  });

  test("gap: closed by another validator's batch, what waited goes on by itself", async () => {
    const world = new World();
    world.fund(1);
    await world.verdict(transactionOf(keyOf(1), 1n));
    world.chain.commit(world.mempool, [], [transactionOf(keyOf(1), 0n)]);
    await world.time.advance(10);
    expect(world.block().executed.map(({ nonce }) => nonce)).toEqual([1n]);
  });

  test("gap: opened by an expiry, later batches are stuck until it is filled, then include by themselves", async () => {
    const world = new World();
    world.fund(2);
    await world.verdict(transactionOf(keyOf(1), 0n, { validUntil: 1n }));
    await world.verdict(transactionOf(keyOf(1), 1n));
    world.chain.commit(world.mempool, [], [transactionOf(keyOf(2), 0n)]); // time passes without our batches
    expect(world.mempool.hasIncludable()).toBe(false);
    expect(world.mempool.stats().gauges.stuckBatchCount).toBe(1);
    await world.verdict(transactionOf(keyOf(1), 0n, { memo: 1 }));
    world.block();
    expect(world.mempool.hasIncludable()).toBe(true);
    expect(world.block().executed.map(({ nonce }) => nonce)).toEqual([1n]);
  });

  test("one submission: built on its own nonces in any order, accepted and executed in nonce order", async () => {
    const world = new World();
    world.fund(1);
    const outcomes = await world.submit([2n, 0n, 1n, 3n].map((nonce) => transactionOf(keyOf(1), nonce)));
    expect(outcomes.every(({ status }) => status === "accepted")).toBe(true);
    expect(world.mempool.stats().counters).toMatchObject({ batches: 1, keptSizeBytes: 0 });
    expect(world.block().executed.map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n, 3n]);
  });
});

describe("selection", () => {
  test("select: oldest first, within the room, following the nonces of excluded batches", async () => {
    const world = new World();
    world.fund(1);
    for (let nonce = 0n; nonce < 3n; nonce++) await world.verdict(transactionOf(keyOf(1), nonce));
    const all = world.mempool.select(ROOM, () => false);
    expect(all.map(({ transactions }) => transactions[0]?.nonce)).toEqual([0n, 1n, 2n]);
    const [first] = all;
    const isFirst = (digestHex: string): boolean => digestHex === toHex(first?.digest ?? keyOf(0));
    expect(world.mempool.select(ROOM, isFirst)).toEqual(all.slice(1));
    expect(world.mempool.select({ bytes: 1 << 20, transactions: 2 }, () => false)).toEqual(all.slice(0, 2));
    expect(world.mempool.select({ bytes: (first?.sizeBytes ?? 0) + 1, transactions: 9 }, () => false)).toEqual(all.slice(0, 1));
    expect(world.mempool.select({ bytes: 0, transactions: 0 }, () => false)).toEqual([]);
    expect(world.mempool.select(ROOM, () => false)).toEqual(all); // asking changed nothing
  });

  test("select: nothing can execute, no work; funds arrive and it is work again", async () => {
    const world = new World();
    world.fund(1);
    await world.verdict(transactionOf(keyOf(1), 0n));
    world.chain.state.fund(keyOf(1), 0n);
    expect(world.block().skipped.length).toBe(1);
    for (let i = 0; i < 20; i++) await world.time.advance(1_000);
    expect(world.mempool.hasIncludable()).toBe(false);
    expect(world.mempool.stats().counters.batches).toBe(1); // it did not spin
    const { workCount } = world;
    world.chain.state.fund(keyOf(1), 100n);
    await world.time.advance(1_100);
    expect(world.mempool.hasIncludable()).toBe(true);
    expect(world.workCount).toBeGreaterThan(workCount);
    expect(world.block().executed.length).toBe(1);
  });

  test("select: a device over its quota at execution, tried again in the next hour on an idle chain", async () => {
    const world = new World();
    world.fund(1);
    const device = keyOf(100);
    const hour = Math.floor(world.time.nowMs() / 3_600_000);
    const entry: DeviceEntry = {
      ...{
        kind: "device",
        owner: keyOf(1),
        label: "",
        transactionsPerHour: 5n,
        bytesPerHour: 10_000n,
        hour,
        usedTransactions: 0n,
        usedBytes: 0n,
      },
    };
    world.chain.state.devices.set(toHex(device), entry);
    world.chain.state.fund(device, 0n);
    await world.verdict(transactionOf(device, 0n, { body: { type: 2, stream: "s", content: { digest: keyOf(3) } } }));
    world.chain.state.devices.set(toHex(device), { ...entry, usedTransactions: 5n });
    expect(world.block().skipped.length).toBe(1);
    await world.time.advance(10_000);
    expect(world.mempool.hasIncludable()).toBe(false);
    await world.time.advance(3_600_000);
    expect(world.mempool.hasIncludable()).toBe(true);
    world.chain.timeMs = world.time.nowMs();
    expect(world.block().executed.length).toBe(1);
  });

  test("skip: again and again, tried with growing gaps and never given up", async () => {
    const world = new World();
    world.fund(2);
    const encoded = transactionOf(keyOf(1), 0n);
    await world.verdict(encoded);
    for (let height = 0; height < 40; height++) {
      // Payable whenever it is looked at, never when it executes.
      const batches = world.mempool.select(ROOM, () => false);
      world.chain.state.fund(keyOf(1), 0n);
      const outcome = world.chain.commit(world.mempool, batches);
      expect(outcome.executed.length).toBe(0);
      world.chain.state.fund(keyOf(1), 100n);
      await world.time.advance(1_001);
    }
    const { skipped } = world.mempool.stats().counters;
    expect(skipped).toBeGreaterThan(4);
    expect(skipped).toBeLessThan(10);
    expect(world.mempool.status(idOf(encoded))).toBe("accepted");
  });

  test("committed twice by name, or read at a wrong place: found out", async () => {
    const world = new World();
    world.fund(1);
    await world.verdict(transactionOf(keyOf(1), 0n));
    const [batch] = world.mempool.select(ROOM, () => false);
    world.block();
    expect(world.mempool.find(batch?.digest ?? keyOf(0))).toEqual(batch);
    expect(world.mempool.find(keyOf(5))).toBeUndefined();
    expect(() => batch && world.mempool.read(keyOf(5), batch.location)).toThrow("is not batch");
    expect(() => batch && world.mempool.read(batch.digest, { ...batch.location, offset: batch.location.offset + 1 })).toThrow("damaged");
  });

  test("decoded: a small room for it, batches are decoded again when asked for", async () => {
    const world = new World({ bounds: { decodedCountMax: 2 } });
    const keys = world.fund(5);
    for (const key of keys) await world.verdict(transactionOf(key, 0n));
    expect(world.mempool.stats().gauges.decodedCount).toBe(2);
    expect(world.mempool.select(ROOM, () => false).map(({ transactions }) => transactions.length)).toEqual([1, 1, 1, 1, 1]);
    expect(world.mempool.stats().gauges.decodedCount).toBe(2);
    expect(world.block().executed.length).toBe(5);
    expect(world.mempool.stats().gauges.decodedCount).toBe(0);
  });
});
