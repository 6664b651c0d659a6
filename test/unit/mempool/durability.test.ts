import { describe, expect, test } from "bun:test";
import { toHex } from "../../../src/kernel/index.ts";
import { MempoolFailed, type TransactionStatus } from "../../../src/mempool/index.ts";
import { isStorageError, MemoryFileSystem } from "../../../src/storage/index.ts";
import { idOf, keyOf, settled, TableChain, transactionOf, World } from "./mempool-world.ts";

/** A world whose syncs take this long. */
function worldWithSlowSync(syncMs: number): World {
  const holder: { world?: World } = {};
  const fs = new MemoryFileSystem({ afterSyncTime: (complete) => void holder.world?.time.after(syncMs, complete) });
  holder.world = new World({ fs });
  return holder.world;
}

/** Whether a promise is settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const note = (): void => {
    done = true;
  };
  promise.then(note, note);
  await settled();
  return done;
}

describe("durability", () => {
  test("sync: while it runs nothing is accepted, and what arrives meanwhile shares the next one", async () => {
    const world = worldWithSlowSync(50);
    const keys = world.fund(9);
    const first = world.mempool.submit([transactionOf(keys[0] ?? keyOf(1), 0n)], "a");
    await world.time.advance(20);
    const second = keys.slice(1).map((key) => world.mempool.submit([transactionOf(key, 0n)], "b"));
    await world.time.advance(20);
    expect(await isSettled(first)).toBe(false);
    expect(world.mempool.select({ bytes: 1 << 20, transactions: 4_096 }, () => false)).toEqual([]);
    await world.time.advance(40);
    expect([await isSettled(first), await isSettled(Promise.all(second))]).toEqual([true, false]);
    await world.time.advance(60);
    expect(await isSettled(Promise.all(second))).toBe(true);
    expect(world.mempool.stats().counters).toMatchObject({ batches: 2, batchedTransactions: 9, syncs: 2 });
  });

  test("sync: fails, nothing is answered, the mempool stops and says so once", async () => {
    const world = new World();
    const keys = world.fund(2);
    world.fs.failingSyncCount = 1;
    const failing = world.mempool.submit([transactionOf(keys[0] ?? keyOf(1), 0n)], "a");
    const failed = failing.then(
      () => undefined,
      (error: unknown) => error,
    );
    await world.time.advance(50);
    expect(await failed).toBeInstanceOf(MempoolFailed);
    expect(world.fatal.length).toBe(1);
    expect(isStorageError(world.fatal[0], "ioFailed")).toBe(true);
    const later = world.mempool.submit([transactionOf(keys[1] ?? keyOf(2), 0n)], "a");
    expect(
      await later.then(
        () => undefined,
        (error: unknown) => error,
      ),
    ).toBeInstanceOf(MempoolFailed);
    expect(world.mempool.hasIncludable()).toBe(false);
  });

  test("verification: fails other than by verdict, nothing is answered and the mempool stops", async () => {
    const world = new World({ verifyMany: () => Promise.reject(new Error("no threads")) });
    world.fund(1);
    const failed = world.mempool.submit([transactionOf(keyOf(1), 0n)], "a").then(
      () => undefined,
      (error: unknown) => error,
    );
    await world.time.advance(5);
    expect(await failed).toBeInstanceOf(MempoolFailed);
    expect(world.fatal).toEqual([new Error("no threads")]);
  });

  test("disk full: refused with a sentence, nothing accepted is lost, admission resumes with space", async () => {
    const world = new World();
    const keys = world.fund(3);
    const safe = transactionOf(keys[0] ?? keyOf(1), 0n);
    expect(await world.verdict(safe)).toBe("accepted");
    world.fs.capacityBytes = 0;
    const refused = transactionOf(keys[1] ?? keyOf(2), 0n);
    const [outcome] = await world.submit([refused]);
    expect(outcome).toMatchObject({ code: "mempoolFull", detail: expect.stringContaining("disk full"), id: idOf(refused) });
    expect(world.mempool.stats().gauges).toMatchObject({ pendingCount: 1, closedBecause: expect.stringContaining("disk full") });
    expect(world.fatal).toEqual([]);
    world.fs.capacityBytes = Number.POSITIVE_INFINITY;
    await world.time.advance(1_000);
    expect(await world.verdict(refused)).toBe("accepted");
    world.powerCut();
    expect([world.mempool.status(idOf(safe)), world.mempool.status(idOf(refused))]).toEqual(["accepted", "accepted"]);
    expect(world.block().executed.length).toBe(2);
  });

  test("low space: admission stops before the chain runs out, and resumes", async () => {
    let free = 100;
    const world = new World({ bounds: { freeSpaceBytesMin: 1_000 }, freeSpaceBytes: () => free });
    world.fund(1);
    const encoded = transactionOf(keyOf(1), 0n);
    const [outcome] = await world.submit([encoded]);
    expect(outcome).toMatchObject({ code: "mempoolFull", detail: "disk full: 100 bytes are free, 1000 are kept for the chain" });
    free = 5_000;
    await world.time.advance(1_000);
    expect(await world.verdict(encoded)).toBe("accepted");
  });

  test("stop: what was submitted is answered, what comes later is refused, and the log holds it all", async () => {
    const world = new World();
    const keys = world.fund(300);
    const answer = world.mempool.submit(
      keys.map((key) => transactionOf(key, 0n)),
      "a",
    );
    let isStopped = false;
    void world.mempool.stop().then(() => {
      isStopped = true;
    });
    const late = world.mempool.submit([transactionOf(keyOf(1), 1n)], "b");
    for (let i = 0; i < 20 && !isStopped; i++) await world.time.advance(5);
    expect(isStopped).toBe(true);
    expect((await answer).every(({ status }) => status === "accepted")).toBe(true);
    expect(await late).toMatchObject([{ code: "mempoolFull", detail: "the node is stopping" }]);
    world.powerCut();
    expect(world.mempool.stats().gauges.pendingCount).toBe(300);
  });
});

describe("after a stop", () => {
  test("stopped: a block is followed and nothing is written to the log any more", async () => {
    const world = new World();
    world.fund(1);
    await world.submit([transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 2n)]);
    await world.mempool.stop();
    world.log.close();
    world.chain.commit(
      world.mempool,
      world.mempool.select({ bytes: 0, transactions: 0 }, () => false),
      [transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n)],
    );
    await world.time.advance(5_000);
    expect(world.fatal).toEqual([]);
  });
});

describe("replay", () => {
  test("replay: pending batches and gaps, as they were, with the same digests", async () => {
    const world = new World();
    world.fund(2);
    await world.submit([transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 2n), transactionOf(keyOf(2), 3n)]);
    const room = { bytes: 1 << 20, transactions: 4_096 };
    const before = world.mempool.select(room, () => false);
    world.powerCut();
    const after = world.mempool.select(room, () => false);
    expect(after).toEqual(before);
    expect(world.mempool.find(before[0]?.digest ?? keyOf(0))).toEqual(before[0]);
    expect([world.mempool.pendingNonce(keyOf(1)), world.mempool.pendingNonce(keyOf(2))]).toEqual([1n, 0n]);
    await world.verdict(transactionOf(keyOf(1), 1n));
    world.block();
    world.block();
    expect(world.chain.nonces.get(toHex(keyOf(1)))).toEqual([0n, 1n, 2n]);
    expect(world.mempool.stats().gauges.pendingCount).toBe(1);
  });

  test("replay: a batch that a block committed, not offered again; what the block skipped is", async () => {
    const world = new World();
    world.fund(2);
    const skipped = transactionOf(keyOf(1), 0n);
    await world.submit([skipped, transactionOf(keyOf(2), 0n)]);
    world.chain.state.fund(keyOf(1), 1n);
    expect(world.block().skipped.length).toBe(1);
    world.powerCut();
    expect(world.mempool.status(idOf(skipped))).toBe("accepted");
    expect(world.mempool.hasIncludable()).toBe(false);
    world.chain.state.fund(keyOf(1), 100n);
    await world.time.advance(1_100);
    expect(world.mempool.hasIncludable()).toBe(true);
    expect(world.block().executed.length).toBe(1);
  });

  test("replay: a block reached the chain and not the mempool, the same state as if it had", async () => {
    const world = new World();
    world.fund(2);
    await world.submit([transactionOf(keyOf(1), 0n), transactionOf(keyOf(2), 0n, { validUntil: 1n, memo: 2 })]);
    const outcome = world.block();
    world.powerCut();
    const { pendingCount, endedCount } = world.mempool.stats().gauges;
    expect(world.mempool.cursor).toBe(1);
    world.mempool.onCommitted(outcome); // delivered again: known already
    expect(world.mempool.stats().gauges).toMatchObject({ pendingCount, endedCount });
  });

  test("replay: expired and superseded while down, found out at start and remembered at the next", async () => {
    const world = new World();
    world.fund(2);
    const doomed = transactionOf(keyOf(1), 1n, { validUntil: 1n });
    const beaten = transactionOf(keyOf(2), 0n);
    await world.submit([doomed, beaten]);
    const chain = new TableChain();
    chain.state.fund(keyOf(1), 1_000n);
    chain.state.fund(keyOf(2), 1_000n, 1n);
    chain.height = 1;
    const later = new World({ fs: world.fs, chain });
    const statuses = (): string[] => [doomed, beaten].map((encoded) => later.mempool.status(idOf(encoded)));
    expect(statuses()).toEqual(["expired", "superseded"]);
    for (let nonce = 0n; nonce < 66n; nonce++) {
      await later.verdict(transactionOf(keyOf(1), nonce)); // the first flush saves the ends as well
      later.block();
    }
    expect(later.mempool.replayMark()).toBeGreaterThan(2);
    later.powerCut();
    expect(statuses()).toEqual(["expired", "superseded"]);
  });

  test("replay: a log that decodes to nothing a mempool wrote, named as damaged", () => {
    const world = new World();
    world.log.append(Uint8Array.of(99));
    world.log.sync();
    let caught: unknown;
    try {
      world.restart();
    } catch (error) {
      caught = error;
    }
    expect(isStorageError(caught, "damaged")).toBe(true);
  });

  test("prune: below what the chain and replay need, old batches are gone and new ones are read", async () => {
    const world = new World({ segmentBytesMax: 4_096 });
    world.fund(1);
    const digests: Uint8Array[] = [];
    for (let nonce = 0n; nonce < 60n; nonce++) {
      await world.verdict(transactionOf(keyOf(1), nonce));
      digests.push(...world.block().batchDigests);
    }
    const last = digests.at(-1) ?? keyOf(0);
    const location = world.chain.findBatch(last)?.location;
    expect(digests.every((digest) => world.mempool.find(digest) !== undefined)).toBe(true);
    world.mempool.prune(location?.record ?? 0);
    expect(world.mempool.find(digests[0] ?? keyOf(0))).toBeUndefined();
    expect(world.mempool.find(last)?.transactions.length).toBe(1);
  });
});

describe("bounded replay", () => {
  test("old records: held up by one waiting transaction, moved forward so that replay stays short", async () => {
    const world = new World({ bounds: { replaySizeBytesMax: 4_000 } });
    world.fund(3);
    const waiting = transactionOf(keyOf(2), 5n);
    const stuck = transactionOf(keyOf(3), 0n);
    await world.submit([waiting, stuck]);
    world.chain.state.fund(keyOf(3), 0n);
    for (let nonce = 0n; nonce < 100n; nonce++) {
      await world.verdict(transactionOf(keyOf(1), nonce));
      world.block();
      expect(world.mempool.stats().gauges.replaySizeBytes).toBeLessThan(6_000);
    }
    expect(world.mempool.replayMark()).toBeGreaterThan(100);
    expect(world.mempool.stats().counters.movedSizeBytes).toBeGreaterThan(0);
    world.powerCut();
    expect([world.mempool.status(idOf(waiting)), world.mempool.status(idOf(stuck))]).toEqual(["accepted", "accepted"]);
  });

  test("old records: remembered ends move forward with the log and outlast restarts", async () => {
    const world = new World({ bounds: { replaySizeBytesMax: 2_000, endedCountMax: 8 } });
    world.fund(4);
    const ends: { readonly id: Uint8Array; readonly status: TransactionStatus }[] = [];
    for (let i = 0n; i < 60n; i++) {
      const doomed = transactionOf(keyOf(2), 9n + i, { validUntil: BigInt(world.chain.height) + 1n });
      const beaten = transactionOf(keyOf(3), i);
      const accepted = await world.submit([doomed, beaten, transactionOf(keyOf(1), i)]);
      expect(accepted.map(({ status }) => status)).toEqual(["accepted", "accepted", "accepted"]);
      world.chain.commit(world.mempool, [], [transactionOf(keyOf(3), i, { memo: 7 })]);
      ends.push({ id: idOf(beaten), status: "superseded" }, { id: idOf(doomed), status: "expired" });
      world.block();
      if (i % 7n === 0n) world.powerCut();
      for (const { id, status } of ends.slice(-6)) expect(world.mempool.status(id)).toEqual(status);
    }
    expect(world.mempool.stats().gauges.endedCount).toBe(8);
    expect(world.mempool.stats().gauges.replaySizeBytes).toBeLessThan(4_000);
  });
});
