import { describe, expect, test } from "bun:test";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { Prng, present, toHex } from "../../../src/kernel/index.ts";
import type { Mempool, MempoolBounds, ReceiveVerdict } from "../../../src/mempool/index.ts";
import { type Batch, checkEvidence, decodeBatch, decodeEvidence, encodeBatch, LIMITS, makeBatch } from "../../../src/protocol/index.ts";
import { type Box, Net, signerOf } from "./dissemination-world.ts";
import { CHAIN_ID, idOf, keyOf, settled, transactionOf } from "./mempool-world.ts";

const ROOM = { bytes: 1 << 20, transactions: 4_096 };
const none = (): boolean => false;

/** A box that takes batches by hand, and a way to hand it one. */
function door(
  bounds: Partial<MempoolBounds> = {},
  freeSpaceBytes?: number,
): { net: Net; box: Box; receive: (batch: Batch, isNeeded?: boolean) => Promise<string> } {
  const net = new Net(4, { bounds, ...(freeSpaceBytes === undefined ? {} : { freeSpaceBytes }) });
  net.box(0).start();
  const receive = (batch: Batch, isNeeded = false): Promise<string> =>
    receiveAt(net, net.box(0).mempool, encodeBatch(batch), batch.digest, isNeeded);
  return { net, box: net.box(0), receive };
}

async function receiveAt(net: Net, mempool: Mempool, encoded: Uint8Array, digest: Uint8Array, isNeeded = false): Promise<string> {
  let verdict: ReceiveVerdict | undefined;
  void mempool.receive(encoded, { digest, isNeeded }).then((given) => {
    verdict = given;
  });
  for (let i = 0; i < 40 && verdict === undefined; i++) await net.time.advance(5);
  const given = present(verdict, "a batch gets a verdict");
  return given.status === "held" ? "held" : given.code;
}

/** Bytes that a disk holds at present. */
function usedOf(box: Box): number {
  const before = box.fs.capacityBytes;
  box.fs.capacityBytes = 2 ** 40;
  const used = 2 ** 40 - box.fs.freeBytes();
  box.fs.capacityBytes = before;
  return used;
}

/** A batch of a validator by number. */
function batchBy(author: number, transactions: readonly Uint8Array[], sequence = 0): Batch {
  return makeBatch(signerOf(author), CHAIN_ID, sequence, transactions);
}

describe("taking in", () => {
  test("receive: a good batch, durable, held like an own one, and still after a power cut", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const batch = batchBy(1, [transactionOf(alice, 0n), transactionOf(alice, 1n)]);
    const syncs = box.fs.syncCount;
    expect(await receive(batch)).toBe("held");
    expect(box.fs.syncCount).toBe(syncs + 1);
    expect(box.mempool.find(batch.digest)?.transactions.length).toBe(2);
    expect(box.mempool.pendingBatches()).toMatchObject([{ count: 2, isOwn: false }]);
    expect(box.mempool.findEncoded(batch.digest)).toEqual(encodeBatch(batch));
    expect(await receive(batch)).toBe("held");
    expect(box.fs.syncCount).toBe(syncs + 1);
    net.crash(box);
    box.start();
    expect(box.pending()).toEqual([toHex(batch.digest)]);
    expect(box.mempool.pendingBatches()).toMatchObject([{ count: 2, isOwn: false }]);
    box.commit([batch.digest]);
    expect(box.chain.nonces.get(toHex(alice))).toEqual([0n, 1n]);
    expect(box.pending()).toEqual([]);
    expect(box.mempool.findEncoded(batch.digest)).toEqual(encodeBatch(batch));
    expect(await receive(batch)).toBe("held");
  });

  test("receive: the power is cut before its sync, it was never called held", async () => {
    const { net, box } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const batch = batchBy(1, [transactionOf(alice, 0n)]);
    let verdict: ReceiveVerdict | undefined;
    void box.mempool.receive(encodeBatch(batch), { digest: batch.digest, isNeeded: false }).then((given) => {
      verdict = given;
    });
    await settled();
    net.crash(box);
    box.start();
    expect(verdict).toBeUndefined();
    expect(box.pending()).toEqual([]);
    expect(box.heldTold).toEqual([]);
  });

  test("receive: what was submitted here too, answered by its durability and executed once", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1), bob = keyOf(2)] = net.fund(2);
    const mine = transactionOf(alice, 0n);
    expect(await net.submit(box, [mine])).toEqual(["accepted"]);
    const batch = batchBy(1, [mine, transactionOf(bob, 0n)]);
    expect(await receive(batch)).toBe("held");
    expect(box.mempool.stats().counters.foreignRepeated).toBe(1);
    await net.time.advance(1_100);
    const digests = box.mempool.select(ROOM, none).map(({ digest }) => digest);
    expect(digests.length).toBe(2);
    box.commit(digests);
    expect(box.chain.nonces.get(toHex(alice))).toEqual([0n]);
    expect(box.chain.nonces.get(toHex(bob))).toEqual([0n]);
    expect(box.mempool.stats().gauges.pendingCount).toBe(0);
  });

  test("receive: a client submits what another's batch holds, accepted at once and the pool holds it once", async () => {
    const { net, box, receive } = door({ poolCountMax: 1 });
    const [alice = keyOf(1), bob = keyOf(2), carol = keyOf(3)] = net.fund(3);
    expect(await receive(batchBy(1, [transactionOf(alice, 0n), transactionOf(bob, 0n)]))).toBe("held");
    expect(await net.submit(box, [transactionOf(alice, 0n)])).toEqual(["accepted"]);
    expect(box.mempool.stats().gauges.pendingCount).toBe(2);
    expect(await net.submit(box, [transactionOf(carol, 0n)])).toEqual(["mempoolFull"]);
  });

  test("receive: it closes a gap before what waits here, which is batched and includable after it", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    expect(await net.submit(box, [transactionOf(alice, 1n)])).toEqual(["accepted"]);
    expect(box.pending()).toEqual([]);
    expect(await receive(batchBy(1, [transactionOf(alice, 0n)]))).toBe("held");
    expect(await net.until(() => box.pending().length === 2, 100)).toBe(true);
    await net.time.advance(1_100);
    box.commit(box.mempool.select(ROOM, none).map(({ digest }) => digest));
    expect(box.chain.nonces.get(toHex(alice))).toEqual([0n, 1n]);
  });
});

describe("refusing", () => {
  const transactions = [transactionOf(keyOf(1), 0n)];
  const good = batchBy(1, transactions);
  const altered = (change: (encoded: Uint8Array) => void): Uint8Array => {
    const encoded = encodeBatch(good);
    change(encoded);
    return encoded;
  };
  const cases: readonly { readonly name: string; readonly encoded: Uint8Array; readonly code: string }[] = [
    { name: "nothing", encoded: new Uint8Array(), code: "malformed" },
    { name: "bytes left over", encoded: new Uint8Array([...encodeBatch(good), 0]), code: "malformed" },
    { name: "too many bytes", encoded: new Uint8Array(LIMITS.batchBytesMax + 1), code: "tooLarge" },
    { name: "another batch", encoded: encodeBatch(batchBy(1, transactions, 7)), code: "wrongDigest" },
    { name: "a changed signature", encoded: altered((bytes) => bytes.set([(bytes[80] ?? 0) ^ 1], 80)), code: "badSignature" },
  ];
  for (const { name, encoded, code } of cases) {
    test(`receive: ${name}, ${code}, and the right one is taken afterwards`, async () => {
      const { net, box, receive } = door();
      net.fund(1);
      expect(await receiveAt(net, box.mempool, encoded, good.digest)).toBe(code);
      expect(box.evidence).toEqual([]);
      expect(box.mempool.stats().counters.refusedBatches).toEqual({ [code]: 1 });
      expect(await receive(good)).toBe("held");
    });
  }

  test("receive: an author in no set, refused, unless a block needs the batch", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const batch = batchBy(9, [transactionOf(alice, 0n)]);
    expect(await receive(batch)).toBe("unknownAuthor");
    expect(await receive(batch, true)).toBe("held");
    expect(box.mempool.isHeld(batch.digest)).toBe(true);
    expect(box.mempool.stats().gauges.pendingCount).toBe(0);
    for (let height = 0; height < 64; height++) box.commit([]);
    expect(box.mempool.isHeld(batch.digest)).toBe(false);
  });

  test("receive: an author beyond its share, full; others and what blocks need still get in; room again after a block", async () => {
    const { net, box, receive } = door({ foreignCountMax: 0, foreignSizeBytesMax: 0 });
    const keys = net.fund(8_193);
    const batches = Array.from({ length: 4 }, (_, i) =>
      batchBy(
        1,
        keys.slice(2_048 * i, 2_048 * (i + 1)).map((key) => transactionOf(key, 0n)),
      ),
    ).filter(({ transactions }) => encodeBatch({ ...batchBy(1, transactions) }).length <= LIMITS.batchBytesMax);
    const small = keys.slice(8_192).map((key) => transactionOf(key, 0n));
    const halves = Array.from({ length: 12 }, (_, i) =>
      batchBy(
        1,
        keys.slice(683 * i, 683 * (i + 1)).map((key) => transactionOf(key, 0n)),
        i,
      ),
    );
    expect(batches).toEqual([]);
    const verdicts: string[] = [];
    for (const half of halves) verdicts.push(await receive(half));
    const fullFrom = verdicts.indexOf("full");
    expect(fullFrom).toBeGreaterThan(3);
    expect(verdicts.slice(fullFrom).every((verdict) => verdict === "full")).toBe(true);
    expect(await receive(batchBy(2, small))).toBe("held");
    expect(await receive(present(halves[fullFrom], "one was refused"), true)).toBe("held");
    await net.time.advance(1_100);
    const digests = box.mempool.select(ROOM, none).map(({ digest }) => digest);
    expect(digests.length).toBeGreaterThan(1);
    box.commit(digests);
    expect(await receive(present(halves.at(-1), "one was refused"))).toBe("held");
  });

  test("receive: a full disk, refused whole, and taken once there is space", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    box.fs.capacityBytes = usedOf(box);
    const batch = batchBy(
      1,
      Array.from({ length: 400 }, (_, i) => transactionOf(alice, BigInt(i))),
    );
    expect(await receive(batch)).toBe("diskFull");
    expect(box.pending()).toEqual([]);
    box.fs.capacityBytes = Number.POSITIVE_INFINITY;
    await net.time.advance(1_100);
    expect(await receive(batch)).toBe("held");
  });

  test("receive: too little disk space for clients, others' batches are held; below the reserve, refused whoever needs them", async () => {
    const bounds = { freeSpaceBytesMin: 5_000, freeSpaceBytesReserve: 1_000 };
    for (const [freeBytes, verdict] of [
      [1_000, "held"],
      [999, "diskFull"],
    ] as const) {
      for (const isNeeded of [false, true]) {
        const { net, receive } = door(bounds, freeBytes);
        const [alice = keyOf(1)] = net.fund(1);
        expect([freeBytes, await receive(batchBy(1, [transactionOf(alice, 0n)]), isNeeded)]).toEqual([freeBytes, verdict]);
      }
    }
  });

  test("receive: while stopping, closed", async () => {
    const { box, receive } = door();
    await box.mempool.stop();
    expect(await receive(good)).toBe("closed");
  });
});

describe("faulty signed batches", () => {
  const cases: readonly { readonly name: string; readonly bad: Uint8Array }[] = [
    { name: "a forged signature", bad: transactionOf(keyOf(1), 1n, { isForged: true }) },
    { name: "no transaction", bad: Uint8Array.of(1, 2, 3) },
    { name: "the largest that a batch has room for", bad: new Uint8Array(LIMITS.transactionBytesMax) },
  ];
  for (const { name, bad } of cases) {
    test(`evidence: ${name}, the author is convicted and nothing of the batch is kept`, async () => {
      const { net, box, receive } = door();
      const [alice = keyOf(1)] = net.fund(1);
      const batch = batchBy(2, [transactionOf(alice, 0n), bad, transactionOf(alice, 2n)]);
      expect(await receive(batch)).toBe("faulty");
      expect(box.pending()).toEqual([]);
      expect(box.mempool.stats().gauges.pendingCount).toBe(0);
      const evidence = decodeEvidence(present(box.evidence[0], "evidence was told"));
      if (!evidence.ok) throw new Error(evidence.error);
      const verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
        signature.every((byte) => byte === 1) || (!signature.every((byte) => byte === 0xff) && nativeSuite.verify(key, message, signature));
      const judged = checkEvidence(evidence.value, net.set, CHAIN_ID, { ...nativeSuite, verify });
      expect(judged.ok && toHex(present(net.set.validators[judged.value.signer], "a member").publicKey)).toBe(toHex(signerOf(2).publicKey));
      expect(await receive(batch)).toBe("faulty");
      expect(await receive(batch, true)).toBe("faulty");
      expect(box.evidence.length).toBe(1);
    });
  }

  test("memory: ever more faulty batches, the latest are remembered up to the bound", async () => {
    const { box, receive } = door({ faultyCountMax: 3 });
    const batches = Array.from({ length: 5 }, (_, i) => batchBy(2, [Uint8Array.of(i)]));
    for (const batch of batches) expect(await receive(batch)).toBe("faulty");
    expect(batches.map(({ digest }) => box.mempool.isFaulty(digest))).toEqual([false, false, true, true, true]);
  });
});

describe("what is followed", () => {
  test("followed: only what may execute soon enough, within the account's bounds", async () => {
    const { net, box, receive } = door({ accountCountMax: 2, rivalsMax: 1 });
    const [alice = keyOf(1), bob = keyOf(2)] = net.fund(2);
    const rivals = [1, 2, 3].map((memo) => transactionOf(alice, 0n, { memo }));
    const batch = batchBy(1, [
      ...rivals,
      transactionOf(bob, 5_000n),
      transactionOf(bob, 0n, { validUntil: 1_000_000_000n }),
      transactionOf(bob, 1n, { validUntil: 0n }),
      ...Array.from({ length: 6 }, (_, i) => transactionOf(bob, BigInt(i))),
    ]);
    expect(await receive(batch)).toBe("held");
    const followed = (encoded: Uint8Array): boolean => box.mempool.findBatchOf(idOf(encoded)) !== undefined;
    expect(rivals.map(followed)).toEqual([true, true, false]);
    expect(batch.transactions.slice(3, 6).map(followed)).toEqual([false, false, false]);
    expect(batch.transactions.slice(6).map(followed)).toEqual([true, true, true, true, false, false]);
  });

  test("followed: expired or superseded, forgotten without a trace; what was submitted here too is remembered", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1), bob = keyOf(2), carol = keyOf(3)] = net.fund(3);
    const short = [alice, bob].map((key) => transactionOf(key, 0n, { validUntil: 2n }));
    const overtaken = transactionOf(carol, 0n);
    expect(await receive(batchBy(1, [...short, overtaken]))).toBe("held");
    expect(await net.submit(box, short.slice(1))).toEqual(["accepted"]);
    const other = batchBy(2, [transactionOf(carol, 0n, { memo: 1 })]);
    expect(await receive(other)).toBe("held");
    box.commit([other.digest]);
    for (let height = 1; height < 4; height++) box.commit([]);
    expect([...short, overtaken].map((encoded) => box.mempool.status(idOf(encoded)))).toEqual(["unknown", "expired", "unknown"]);
    const { counters, gauges } = box.mempool.stats();
    expect(counters).toMatchObject({ expired: 1, superseded: 0, executed: 0 });
    expect(gauges).toMatchObject({ pendingCount: 0, foreignCount: 0, endedCount: 1 });
    await box.mempool.stop();
    net.crash(box);
    box.start();
    expect(box.mempool.stats().gauges.endedCount).toBe(1);
  });

  for (const isAtOnce of [false, true]) {
    test(`submitted here too, ${isAtOnce ? "while the batch came" : "afterwards"}: its end is remembered through power cuts`, async () => {
      const { net, box, receive } = door();
      const [alice = keyOf(1)] = net.fund(1);
      const encoded = transactionOf(alice, 0n, { validUntil: 3n });
      const received = receive(batchBy(1, [encoded]));
      if (!isAtOnce) expect(await received).toBe("held");
      const submitted = net.submit(box, [encoded]);
      expect(await received).toBe("held");
      expect(await submitted).toEqual(["accepted"]);
      expect(box.mempool.stats().gauges).toMatchObject({ pendingCount: 1, foreignCount: 0 });
      net.crash(box);
      box.start();
      expect(box.mempool.stats().gauges).toMatchObject({ pendingCount: 1, foreignCount: 0 });
      expect(box.mempool.status(idOf(encoded))).toBe("accepted");
      for (let height = 0; height < 3; height++) box.commit([]);
      expect(box.mempool.status(idOf(encoded))).toBe("expired");
      net.crash(box);
      box.start();
      expect(box.mempool.status(idOf(encoded))).toBe("expired");
    });
  }

  test("submitted here too on a full disk: refused, though another's batch goes on holding it", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const encoded = transactionOf(alice, 0n);
    expect(await receive(batchBy(1, [encoded]))).toBe("held");
    box.fs.capacityBytes = usedOf(box);
    expect(await net.submit(box, [encoded])).toEqual(["mempoolFull"]);
    box.fs.capacityBytes = Number.POSITIVE_INFINITY;
    expect(box.pending().length).toBe(1);
    await net.time.advance(1_100);
    expect(await net.submit(box, [encoded])).toEqual(["accepted"]);
  });

  test("skipped: more of one author than its share has room for, the rest is dropped here, and so it stays after a restart", async () => {
    const { net, box, receive } = door({ foreignCountMax: 0, foreignSizeBytesMax: 0 });
    const [alice = keyOf(1)] = net.fund(1);
    const poor = Array.from({ length: 2_400 }, (_, i) => keyOf(1_000 + i));
    for (const key of poor) box.chain.state.fund(key, 0n);
    let batches = 0;
    for (; batches < 45; batches++) {
      const some = poor.slice((80 * batches) % 2_400, ((80 * batches) % 2_400) + 80);
      const batch = batchBy(
        1,
        [transactionOf(alice, BigInt(batches)), ...some.map((key) => transactionOf(key, BigInt(Math.floor(batches / 30))))],
        batches,
      );
      expect(await receive(batch)).toBe("held");
      box.commit([batch.digest]);
    }
    const room = 2 * LIMITS.batchBytesMax;
    const { gauges, counters } = box.mempool.stats();
    expect(counters.skipped).toBe(80 * batches);
    expect(counters.foreignDropped).toBeGreaterThan(500);
    expect(gauges.foreignCount).toBe(gauges.pendingCount);
    expect(gauges.pendingSizeBytes + 256 * gauges.pendingCount).toBeLessThanOrEqual(room);
    expect(gauges.pendingCount + counters.foreignDropped).toBe(80 * batches);
    expect(await receive(batchBy(2, [transactionOf(alice, BigInt(batches))]))).toBe("held");
    net.crash(box);
    box.start();
    expect(box.mempool.stats().gauges.foreignCount).toBeLessThanOrEqual(gauges.foreignCount + 1);
  });

  test("followed: nothing in a batch, served for a while and then let go", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const batch = batchBy(1, [transactionOf(alice, 0n, { validUntil: 0n })]);
    expect(await receive(batch)).toBe("held");
    expect(box.pending()).toEqual([]);
    expect(box.mempool.isHeld(batch.digest)).toBe(true);
    for (let height = 0; height < 64; height++) box.commit([]);
    expect(box.mempool.isHeld(batch.digest)).toBe(false);
  });

  test("skipped: another author's transaction, batched again by who holds it once its author was silent for 64 blocks", async () => {
    const { net, box, receive } = door();
    const [alice = keyOf(1)] = net.fund(1);
    const poor = keyOf(50);
    const theirs = transactionOf(poor, 0n);
    box.chain.state.fund(poor, 0n);
    const batch = batchBy(1, [transactionOf(alice, 0n), theirs]);
    expect(await receive(batch)).toBe("held");
    box.commit([batch.digest]);
    box.chain.state.fund(poor, 1_000n);
    expect(box.pending()).toEqual([]);
    let blocks = 0;
    for (; blocks < 200 && box.pending().length === 0; blocks++) {
      box.commit([]);
      await net.time.advance(100);
    }
    expect(blocks).toBeGreaterThanOrEqual(60);
    expect(blocks).toBeLessThanOrEqual(64 + 32 + 2);
    expect(box.mempool.pendingBatches()).toMatchObject([{ isOwn: true, count: 1 }]);
    expect(box.mempool.findBatchOf(idOf(theirs))).toBeDefined();
  });
});

test("receive: random bytes in place of a batch, refused and never thrown at", async () => {
  const { net, box } = door();
  net.fund(1);
  const prng = new Prng(5);
  const good = encodeBatch(batchBy(1, [transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n)]));
  const { digest } = batchBy(1, [transactionOf(keyOf(1), 0n), transactionOf(keyOf(1), 1n)]);
  for (let i = 0; i < 200; i++) {
    const bytes = good.slice();
    for (let changes = 1 + prng.below(3); changes > 0; changes--) bytes[prng.below(bytes.length)] = prng.below(256);
    const decoded = decodeBatch(bytes);
    const code = await receiveAt(net, box.mempool, bytes, digest);
    if (toHex(bytes) === toHex(good)) continue;
    expect(decoded.ok ? ["wrongDigest", "badSignature", "held"] : ["malformed"]).toContain(code);
  }
});

test("receive: a restored box seals again what the others still hold of it, listed once and executed once", async () => {
  const { net, box, receive } = door();
  const [alice = keyOf(1), bob = keyOf(2)] = net.fund(2);
  const image = box.fs.image();
  const transactions = [transactionOf(alice, 0n), transactionOf(bob, 0n)];
  expect(await net.submit(box, transactions)).toEqual(["accepted", "accepted"]);
  const [sealed] = box.mempool.pendingBatches().map(({ digest }) => present(box.mempool.findEncoded(digest), "it is held"));
  const lost = decodeBatch(present(sealed, "a batch was sealed"));
  if (!lost.ok) throw new Error(lost.error);
  for (const isReceivedFirst of [true, false]) {
    net.crash(box);
    box.fs.restore(image, "/batches");
    box.start();
    if (isReceivedFirst) {
      const received = receive(lost.value);
      const submitted = net.submit(box, transactions);
      expect(await received).toBe("held");
      expect(await submitted).toEqual(["accepted", "accepted"]);
      expect(box.mempool.stats().counters).toMatchObject({ batches: 1, foreignBatches: 1 });
    } else {
      expect(await net.submit(box, transactions)).toEqual(["accepted", "accepted"]);
      expect(box.pending()).toEqual([toHex(lost.value.digest)]);
      expect(await receive(lost.value)).toBe("held");
    }
    expect(box.pending()).toEqual([toHex(lost.value.digest)]);
  }
  await net.time.advance(1_100);
  box.commit(box.mempool.select(ROOM, none).map(({ digest }) => digest));
  expect(box.chain.nonces.get(toHex(alice))).toEqual([0n]);
  expect(box.mempool.stats().gauges.pendingCount).toBe(0);
});
