import { describe, expect, test } from "bun:test";
import { Prng, parseHex, present, toHex } from "../../../src/kernel/index.ts";
import { LAN_DISSEMINATION } from "../../../src/mempool/index.ts";
import { Net } from "./dissemination-world.ts";
import { idOf, keyOf, transactionOf } from "./mempool-world.ts";

const ROOM = { bytes: 1 << 20, transactions: 4_096 };
const none = (): boolean => false;

describe("spreading", () => {
  test("batch: admitted by one, durable and includable at everyone after one round, over each link at most once", async () => {
    const net = new Net(4).start();
    const [alice = keyOf(1)] = net.fund(1);
    expect(await net.submit(net.box(0), [transactionOf(alice, 0n)])).toEqual(["accepted"]);
    expect(net.box(0).mempool.hasIncludable()).toBe(false);
    expect(await net.until(() => net.boxes.every((box) => box.mempool.hasIncludable()), 200)).toBe(true);
    const [digest = ""] = net.box(0).pending();
    for (const box of net.boxes) {
      expect(box.pending()).toEqual([digest]);
      expect(box.mempool.select(ROOM, none).map((batch) => toHex(batch.digest))).toEqual([digest]);
      expect(box.mempool.status(idOf(transactionOf(alice, 0n)))).toBe("accepted");
    }
    expect([...net.crossings.values()]).toEqual([1, 1, 1]);
    expect(net.boxes.slice(1).map((box) => box.heldTold)).toEqual([[digest], [digest], [digest]]);
    expect(net.sent.filter(({ message }) => message.kind === "want").length).toBe(3);
  });

  test("disk lost: a box gets back from others what it admitted itself, and consensus is told of it", async () => {
    const net = new Net(4).start();
    const [alice = keyOf(1)] = net.fund(1);
    await net.submit(net.box(0), [transactionOf(alice, 0n)]);
    expect(await net.until(() => net.boxes.every((box) => box.mempool.hasIncludable()), 200)).toBe(true);
    const [digest = ""] = net.box(0).pending();
    net.crash(net.box(0));
    net.box(0).loseLog();
    net.box(0).heldTold.length = 0;
    net.restart(net.box(0));
    net.box(0).dissemination.fetch([present(parseHex(digest), "a digest in hexadecimal")]);
    expect(await net.until(() => net.box(0).pending().includes(digest), 2_000)).toBe(true);
    expect(net.box(0).heldTold).toEqual([digest]);
  });

  test("load: every box admits, each batch crosses to each other box exactly once", async () => {
    const net = new Net(4).start();
    const keys = net.fund(40);
    const answers = [];
    for (let nonce = 0n; nonce < 5n; nonce++) {
      for (const [i, box] of net.boxes.entries()) {
        const mine = keys.filter((_, account) => account % 4 === i);
        answers.push(
          net.submit(
            box,
            mine.map((key) => transactionOf(key, nonce)),
          ),
        );
      }
      await net.time.advance(7);
    }
    await Promise.all(answers);
    const all = (): Set<string> => new Set(net.boxes.flatMap((box) => box.pending()));
    expect(await net.until(() => net.boxes.every((box) => box.pending().length === all().size && box.mempool.hasIncludable()), 500)).toBe(
      true,
    );
    expect(net.crossings.size).toBe(3 * all().size);
    expect(Math.max(...net.crossings.values())).toBe(1);
    for (const box of net.boxes) expect(box.dissemination.stats().counters.duplicates).toBe(0);
  });

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`loss and reordering, seed ${seed}: every accepted batch reaches every box, none is pulled twice at a time`, async () => {
      const net = new Net(4, { seed, weather: { loss: 0.25, delayMs: [1, 60] } }).start();
      const keys = net.fund(12);
      const prng = new Prng(seed);
      const ids: Uint8Array[] = [];
      for (let nonce = 0n; nonce < 4n; nonce++) {
        for (const key of keys) {
          const transaction = transactionOf(key, nonce);
          ids.push(idOf(transaction));
          expect(await net.submit(net.box(prng.below(4)), [transaction])).toEqual(["accepted"]);
        }
      }
      const isEverywhere = (): boolean => ids.every((id) => net.boxes.every((box) => box.mempool.findBatchOf(id) !== undefined));
      expect(await net.until(isEverywhere, 300_000)).toBe(true);
      expect(await net.until(() => new Set(net.boxes.map((box) => box.pending().length)).size === 1, 60_000)).toBe(true);
      expect(shortestPauseMs(net)).toBeGreaterThanOrEqual(LAN_DISSEMINATION.pullTimeoutMs);
    });
  }

  test("the author dies: whoever got the batch spreads it, and a block of it executes everywhere", async () => {
    const net = new Net(4).start();
    const [alice = keyOf(1)] = net.fund(1);
    const [author, second] = [net.box(0), net.box(1)];
    for (const other of net.boxes.slice(2)) net.disconnect(author, other);
    for (const other of net.boxes.slice(2)) net.disconnect(second, other);
    await net.submit(author, [transactionOf(alice, 0n)]);
    expect(await net.until(() => second.pending().length === 1, 200)).toBe(true);
    net.crash(author);
    for (const other of net.boxes.slice(2)) net.connect(second, other);
    const live = net.boxes.slice(1);
    expect(await net.until(() => live.every((box) => box.mempool.hasIncludable()), 500)).toBe(true);
    const digests = net
      .box(2)
      .mempool.select(ROOM, none)
      .map(({ digest }) => digest);
    for (const box of live) box.commit(digests);
    for (const box of live) expect(box.chain.findExecuted(idOf(transactionOf(alice, 0n)))).toEqual({ height: 1, index: 0 });
  });

  test("crash: what was synced is announced again and served; a box that was away is told everything, page by page", async () => {
    const net = new Net(4).start();
    const keys = net.fund(300);
    const late = net.box(3);
    net.crash(late);
    for (const key of keys) await net.submit(net.box(0), [transactionOf(key, 0n)]);
    const count = net.box(0).pending().length;
    expect(count).toBeGreaterThan(256);
    expect(await net.until(() => net.box(1).pending().length === count, 500)).toBe(true);
    for (const box of net.boxes.slice(0, 3)) net.crash(box);
    for (const box of net.boxes) net.restart(box);
    expect(await net.until(() => late.pending().length === count, 5_000)).toBe(true);
    expect(new Set(late.pending())).toEqual(new Set(net.box(1).pending()));
  });
});

describe("needed by a block", () => {
  test("fetch: a committed batch that nobody announces any more, from the log of whoever has it", async () => {
    const net = new Net(4).start();
    const [alice = keyOf(1)] = net.fund(1);
    const late = net.box(3);
    net.crash(late);
    await net.submit(net.box(0), [transactionOf(alice, 0n)]);
    const live = net.boxes.slice(0, 3);
    expect(await net.until(() => live.every((box) => box.mempool.hasIncludable()), 500)).toBe(true);
    const [digest] = net
      .box(1)
      .mempool.select(ROOM, none)
      .map((batch) => batch.digest);
    const named = present(digest, "a batch is selected");
    for (const box of live) box.commit([named]);
    net.restart(late);
    await net.time.advance(500);
    expect(late.pending()).toEqual([]);
    late.dissemination.fetch([named]);
    expect(await net.until(() => late.mempool.isHeld(named), 500)).toBe(true);
    expect(late.heldTold).toEqual([toHex(named)]);
    late.commit([named]);
    expect(late.chain.findExecuted(idOf(transactionOf(alice, 0n)))).toBeDefined();
  });

  test("fetch: nobody has it, asked of everyone in turn with growing pauses and given up in the end", async () => {
    const net = new Net(4, { tuning: { neededForMs: 20_000 } }).start();
    const nowhere = new Uint8Array(32).fill(9);
    net.box(0).dissemination.fetch([nowhere]);
    await net.time.advance(19_000);
    const asked = net.sent.filter(({ message }) => message.kind === "want").map(({ to }) => to);
    expect(new Set(asked)).toEqual(new Set(net.boxes.slice(1).map(({ id }) => id)));
    expect(asked.length).toBeLessThan(30);
    expect(net.box(0).dissemination.stats().gauges).toMatchObject({ wanted: 1, needed: 1 });
    await net.time.advance(30_000);
    expect(net.box(0).dissemination.stats().gauges).toMatchObject({ wanted: 0, needed: 0, pulls: 0 });
  });

  test("fetch: hundreds that one of three has, asked of the others a few times in vain, and nobody is told of them again", async () => {
    const net = new Net(4).start();
    const keys = net.fund(300);
    const [archive, late] = [net.box(0), net.box(3)];
    net.crash(late);
    for (const other of net.boxes.slice(1)) net.disconnect(archive, other);
    for (const key of keys) await net.submit(archive, [transactionOf(key, 0n)]);
    const digests = archive.pending();
    expect(digests.length).toBeGreaterThan(200);
    archive.commit(digests.map((digest) => present(parseHex(digest), "a digest is hexadecimal")));
    net.restart(late);
    net.connect(archive, late);
    net.sent.length = 0;
    late.dissemination.fetch(digests.map((digest) => present(parseHex(digest), "a digest is hexadecimal")));
    expect(await net.until(() => late.pending().length === digests.length, 5_000)).toBe(true);
    const inVain = net.sent.flatMap(({ from, to, message }) =>
      message.kind === "want" && from === late.id && to !== archive.id ? message.digests : [],
    );
    expect(inVain.length).toBeLessThan(digests.length / 2);
    await net.time.advance(5_000);
    expect(net.sent.some(({ from, message }) => message.kind === "announce" && from === late.id)).toBe(false);
  });

  test("fetch: an announcer that sends nothing, asked once and then the others", async () => {
    const net = new Net(4).start();
    const [alice = keyOf(1)] = net.fund(1);
    const [author, victim, liar] = [net.box(0), net.box(1), net.box(2)];
    net.disconnect(author, victim);
    net.disconnect(author, liar);
    await net.submit(author, [transactionOf(alice, 0n)]);
    expect(await net.until(() => net.box(3).pending().length === 1, 200)).toBe(true);
    expect(await net.until(() => victim.pending().length === 1, 2_000)).toBe(true);
    expect(liar.pending().length).toBe(1);
    expect(parseHex(victim.pending()[0] ?? "")).toBeDefined();
  });
});

/** The shortest time between two requests of one box for one digest. */
function shortestPauseMs(net: Net): number {
  const lastAsked = new Map<string, number>();
  let shortestMs = Number.POSITIVE_INFINITY;
  for (const { atMs, from, message } of net.sent) {
    if (message.kind !== "want") continue;
    for (const digest of message.digests) {
      const key = `${from}:${toHex(digest)}`;
      shortestMs = Math.min(shortestMs, atMs - (lastAsked.get(key) ?? Number.NEGATIVE_INFINITY));
      lastAsked.set(key, atMs);
    }
  }
  return shortestMs;
}
