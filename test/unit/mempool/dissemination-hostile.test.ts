import { describe, expect, test } from "bun:test";
import { toHex, u64be } from "../../../src/kernel/index.ts";
import { type DisseminationMessage, encodeDisseminationMessage, LAN_DISSEMINATION } from "../../../src/mempool/index.ts";
import { type Batch, encodeBatch, makeBatch } from "../../../src/protocol/index.ts";
import { type Box, Net, signerOf } from "./dissemination-world.ts";
import { CHAIN_ID, keyOf, transactionOf } from "./mempool-world.ts";

/** Box 0 runs; the others are names whose messages the test makes up. */
function victimOf(net: Net, peers: readonly number[]): Box {
  const victim = net.box(0);
  victim.start();
  for (const peer of peers) net.connect(victim, net.box(peer));
  return victim;
}

function say(net: Net, from: number, message: DisseminationMessage): void {
  net.deliver(net.box(from).id, net.box(0).id, encodeDisseminationMessage(message));
}

function announce(net: Net, from: number, batches: readonly Batch[]): void {
  const announced = batches.map((batch) => ({ digest: batch.digest, sizeBytes: encodeBatch(batch).length }));
  say(net, from, { kind: "announce", batches: announced });
}

/** What box 0 said to a peer, of one kind. */
function told<K extends DisseminationMessage["kind"]>(net: Net, to: number, kind: K): Extract<DisseminationMessage, { kind: K }>[] {
  const messages = net.sent.filter((sent) => sent.to === net.box(to).id).map(({ message }) => message);
  return messages.filter((message): message is Extract<DisseminationMessage, { kind: K }> => message.kind === kind);
}

function wantedOf(net: Net, peer: number): string[] {
  return told(net, peer, "want").flatMap(({ digests }) => digests.map(toHex));
}

function digestOf(number: number): Uint8Array {
  const digest = new Uint8Array(32).fill(3);
  digest.set(u64be(number));
  return digest;
}

function batchBy(author: number, accounts: readonly number[], sequence = 0): Batch {
  return makeBatch(
    signerOf(author),
    CHAIN_ID,
    sequence,
    accounts.map((account) => transactionOf(keyOf(account), 0n)),
  );
}

describe("a hostile peer", () => {
  test("flood: a million random digests announced, bounded memory, the rest dropped and told of; an honest peer is served", async () => {
    const net = new Net(4);
    net.fund(3);
    const victim = victimOf(net, [1, 2]);
    const size = LAN_DISSEMINATION.digestsBurst;
    for (let first = 0; first < 1_000_000; first += 256) {
      say(net, 1, { kind: "announce", batches: Array.from({ length: 256 }, (_, i) => ({ digest: digestOf(first + i), sizeBytes: 9 })) });
    }
    const { counters, gauges } = victim.dissemination.stats();
    expect(gauges.wanted).toBeLessThanOrEqual(LAN_DISSEMINATION.wantsMax / 4);
    expect(gauges.pulls).toBe(LAN_DISSEMINATION.peerPullsMax);
    expect(counters.flooded).toBeGreaterThan((1_000_000 - 2 * size) / 256);
    expect(victim.faults).toEqual([{ peer: net.box(1).id, fault: "flood" }]);
    const batch = batchBy(2, [1]);
    announce(net, 2, [batch]);
    expect(wantedOf(net, 2)).toEqual([toHex(batch.digest)]);
    say(net, 2, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(await net.until(() => victim.pending().length === 1, 100)).toBe(true);
    const wanted = victim.dissemination.stats().gauges.wanted;
    await net.time.advance(60_000);
    expect(victim.dissemination.stats().gauges.wanted).toBeLessThanOrEqual(wanted);
    expect(victim.dissemination.stats().gauges.pulls).toBeLessThanOrEqual(LAN_DISSEMINATION.peerPullsMax);
    expect(told(net, 1, "want").length).toBeLessThan(2_000);
    expect(victim.faults.some(({ fault }) => fault === "withheld")).toBe(true);
  });

  test("outsiders: peers of no set, however many, take little room and none of a member's", async () => {
    const net = new Net(4);
    const victim = victimOf(net, [1]);
    const outsiders = Array.from({ length: 40 }, (_, i) => toHex(new Uint8Array(32).fill(200 + (i % 50)).fill(i, 31)));
    for (const [i, outsider] of outsiders.entries()) {
      victim.dissemination.onPeerUp(outsider);
      for (let page = 0; page < 16; page++) {
        const batches = Array.from({ length: 256 }, (_, at) => ({ digest: digestOf(i * 10_000 + page * 256 + at), sizeBytes: 9 }));
        victim.dissemination.onMessage(outsider, { kind: "announce", batches });
      }
    }
    const { wanted } = victim.dissemination.stats().gauges;
    expect(wanted).toBe(40 * 128);
    expect(victim.dissemination.stats().gauges.pulls).toBe(LAN_DISSEMINATION.pullsMax / 4);
    for (let page = 0; page < 20; page++)
      say(net, 1, {
        kind: "announce",
        batches: Array.from({ length: 256 }, (_, at) => ({ digest: digestOf(-1 - page * 256 - at + 2 ** 40), sizeBytes: 9 })),
      });
    expect(victim.dissemination.stats().gauges.wanted).toBe(wanted + LAN_DISSEMINATION.wantsMax / 4);
  });

  test("flood: a million digests wanted, few looked up at a time and what is too much answered as absent", async () => {
    const net = new Net(4);
    const victim = victimOf(net, [1]);
    for (let first = 0; first < 1_000_000; first += 64)
      say(net, 1, { kind: "want", digests: Array.from({ length: 64 }, (_, i) => digestOf(first + i)) });
    const absent = told(net, 1, "absent").reduce((sum, { digests }) => sum + digests.length, 0);
    expect(absent).toBeLessThanOrEqual(LAN_DISSEMINATION.digestsBurst + 64);
    expect(victim.dissemination.stats().counters.answered).toBe(0);
    expect(victim.faults).toEqual([{ peer: net.box(1).id, fault: "flood" }]);
  });

  test("garbage: batches nobody asked for, dropped unread and told of", async () => {
    const net = new Net(4);
    const victim = victimOf(net, [1]);
    for (let i = 0; i < 100; i++) say(net, 1, { kind: "batch", digest: digestOf(i), encoded: new Uint8Array(1_000) });
    await net.time.advance(100);
    expect(victim.dissemination.stats().counters).toMatchObject({ unsolicited: 100, pulled: 0 });
    expect(victim.faults.length).toBe(100);
    expect(victim.mempool.stats().counters.refusedBatches).toEqual({});
  });

  test("garbage: in place of an announced batch, told of, and the batch is pulled from another announcer at once", async () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2]);
    const batch = batchBy(3, [1]);
    announce(net, 1, [batch]);
    announce(net, 2, [batch]);
    expect(wantedOf(net, 1).length).toBe(1);
    expect(wantedOf(net, 2).length).toBe(0);
    say(net, 1, { kind: "batch", digest: batch.digest, encoded: new Uint8Array(77) });
    await net.time.advance(0);
    expect(victim.faults).toEqual([{ peer: net.box(1).id, fault: "malformed" }]);
    expect(wantedOf(net, 2)).toEqual([toHex(batch.digest)]);
    say(net, 2, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(await net.until(() => victim.pending().length === 1, 100)).toBe(true);
    expect(wantedOf(net, 1).length).toBe(1);
  });

  test("faulty: a signed batch with a forged transaction, evidence once, and never pulled again whoever announces it", async () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2]);
    const forged = transactionOf(keyOf(1), 0n, { isForged: true });
    const batch = makeBatch(signerOf(1), CHAIN_ID, 0, [forged]);
    announce(net, 1, [batch]);
    say(net, 1, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    await net.time.advance(50);
    announce(net, 2, [batch]);
    victim.dissemination.fetch([batch.digest]);
    await net.time.advance(5_000);
    expect(victim.evidence.length).toBe(1);
    expect(victim.faults).toEqual([{ peer: net.box(1).id, fault: "faulty" }]);
    expect(wantedOf(net, 2)).toEqual([]);
    expect(victim.dissemination.stats().gauges.wanted).toBe(0);
  });

  test("withheld: announced and never sent, asked of the others after the timeout, and of nobody twice at a time", async () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2, 3]);
    const batch = batchBy(3, [1]);
    for (const peer of [1, 2, 3]) announce(net, peer, [batch]);
    const asked = (): number => [1, 2, 3].reduce((sum, peer) => sum + wantedOf(net, peer).length, 0);
    expect(asked()).toBe(1);
    await net.time.advance(LAN_DISSEMINATION.pullTimeoutMs - 10);
    expect(asked()).toBe(1);
    await net.time.advance(60);
    expect(asked()).toBe(2);
    expect([1, 2, 3].every((peer) => wantedOf(net, peer).length <= 1)).toBe(true);
    expect(victim.faults.map(({ fault }) => fault)).toEqual(["withheld"]);
    await net.time.advance(120_000);
    expect(asked()).toBeLessThanOrEqual(LAN_DISSEMINATION.attemptsMax);
    expect(victim.dissemination.stats().gauges.wanted).toBe(0);
  });

  test("late: the answer comes after the timeout while another is asked, taken, and the second one is a duplicate", async () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2]);
    const batch = batchBy(3, [1]);
    announce(net, 1, [batch]);
    announce(net, 2, [batch]);
    await net.time.advance(LAN_DISSEMINATION.pullTimeoutMs + 60);
    expect(wantedOf(net, 2).length).toBe(1);
    say(net, 1, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    say(net, 2, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(await net.until(() => victim.pending().length === 1, 100)).toBe(true);
    say(net, 2, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(victim.dissemination.stats().counters).toMatchObject({ pulled: 1, duplicates: 2, unsolicited: 0 });
    expect(victim.dissemination.stats().gauges).toMatchObject({ pulls: 0, wanted: 0 });
  });

  test("withheld: what a block needs, asked of another after a quarter of the time", async () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2]);
    const batch = batchBy(3, [1]);
    announce(net, 1, [batch]);
    await net.time.advance(50);
    announce(net, 2, [batch]);
    victim.dissemination.fetch([batch.digest]);
    expect(wantedOf(net, 2).length).toBe(0);
    await net.time.advance(LAN_DISSEMINATION.pullTimeoutMs / 4 + 20);
    expect(wantedOf(net, 2)).toEqual([toHex(batch.digest)]);
    say(net, 2, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(await net.until(() => victim.pending().length === 1, 100)).toBe(true);
  });

  test("late: the answer comes after the batch was given up, no fault of whoever was slow", async () => {
    const net = new Net(4, { tuning: { attemptsMax: 1 } });
    net.fund(1);
    const victim = victimOf(net, [1]);
    const batch = batchBy(3, [1]);
    announce(net, 1, [batch]);
    await net.time.advance(LAN_DISSEMINATION.pullTimeoutMs + 60);
    expect(victim.dissemination.stats().gauges.wanted).toBe(0);
    say(net, 1, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(victim.faults.map(({ fault }) => fault)).toEqual(["withheld"]);
    expect(victim.dissemination.stats().counters).toMatchObject({ duplicates: 1, unsolicited: 0, pulled: 0 });
  });

  test("gone: the peer that was asked disconnects, the next announcer is asked at once", () => {
    const net = new Net(4);
    net.fund(1);
    const victim = victimOf(net, [1, 2]);
    const batch = batchBy(3, [1]);
    announce(net, 1, [batch]);
    announce(net, 2, [batch]);
    net.disconnect(victim, net.box(1));
    expect(wantedOf(net, 2)).toEqual([toHex(batch.digest)]);
    net.disconnect(victim, net.box(2));
    expect(victim.dissemination.stats().gauges).toMatchObject({ pulls: 0, wanted: 0 });
  });
});

describe("paces", () => {
  test("pulls: more announced than may run at a time, asked as others end, and never more bytes than the bound", () => {
    const net = new Net(4, { tuning: { peerPullsMax: 5 } });
    net.fund(30);
    const victim = victimOf(net, [1]);
    const batches = Array.from({ length: 30 }, (_, i) => batchBy(1, [i + 1], i));
    announce(net, 1, batches);
    expect(wantedOf(net, 1).length).toBe(5);
    for (const batch of batches.slice(0, 3)) say(net, 1, { kind: "batch", digest: batch.digest, encoded: encodeBatch(batch) });
    expect(wantedOf(net, 1).length).toBe(8);
    expect(victim.dissemination.stats().gauges.pulls).toBe(8);
  });

  test("answers: beyond a peer's bytes a second, later; a network without room, once it has some", async () => {
    const net = new Net(4, { tuning: { answerBytesPerSecond: 1_000 } });
    const keys = net.fund(40);
    const victim = victimOf(net, [1]);
    for (const key of keys) await net.submit(victim, [transactionOf(key, 0n)]);
    const digests = victim.mempool.pendingBatches().map(({ digest }) => digest);
    const count = digests.length;
    expect(count).toBeGreaterThan(20);
    say(net, 1, { kind: "want", digests });
    const atOnce = told(net, 1, "batch").length;
    expect(atOnce).toBeLessThan(count);
    expect(await net.until(() => told(net, 1, "batch").length === count, 30_000)).toBe(true);
    const { answered, answeredSizeBytes } = victim.dissemination.stats().counters;
    expect(answered).toBe(count);
    expect(answeredSizeBytes).toBeGreaterThan(1_000);
  });

  test("announcing again: what is not executed, to those not known to hold it, with growing pauses; nothing once executed", async () => {
    const net = new Net(4);
    const [alice = keyOf(1)] = net.fund(1);
    const victim = victimOf(net, [1, 2]);
    await net.submit(victim, [transactionOf(alice, 0n)]);
    await net.time.advance(10);
    const [batch] = victim.mempool.pendingBatches();
    say(net, 1, { kind: "announce", batches: [{ digest: batch?.digest ?? digestOf(0), sizeBytes: 9 }] });
    await net.time.advance(300_000);
    const [toHolder, toOther] = [told(net, 1, "announce").length, told(net, 2, "announce").length];
    expect(toHolder).toBe(3);
    expect(toOther).toBeGreaterThan(8);
    expect(toOther).toBeLessThan(20);
    victim.commit(batch === undefined ? [] : [batch.digest]);
    await net.time.advance(300_000);
    expect(told(net, 2, "announce").length).toBe(toOther);
  });
});

describe("who holds what", () => {
  test("offer: blocks get a batch once a quorum holds it, before that only after a while", async () => {
    const net = new Net(4);
    const [alice = keyOf(1), bob = keyOf(2)] = net.fund(2);
    const victim = victimOf(net, [1, 2]);
    const { mempool } = victim;
    await net.submit(victim, [transactionOf(alice, 0n)]);
    const held = (): { digest: Uint8Array; sizeBytes: number }[] =>
      mempool.pendingBatches().map(({ digest, sizeBytes }) => ({ digest, sizeBytes }));
    say(net, 1, { kind: "announce", batches: held() });
    expect(mempool.hasIncludable()).toBe(false);
    say(net, 1, { kind: "announce", batches: held() });
    expect(mempool.hasIncludable()).toBe(false);
    say(net, 2, { kind: "announce", batches: held() });
    expect(mempool.hasIncludable()).toBe(true);
    victim.commit(held().map(({ digest }) => digest));
    await net.submit(victim, [transactionOf(bob, 0n)]);
    expect(mempool.hasIncludable()).toBe(false);
    await net.time.advance(1_100);
    expect(mempool.hasIncludable()).toBe(true);
  });

  test("offer: what a batch not offered would enable, not taken for stuck", async () => {
    const net = new Net(4);
    const [alice = keyOf(1)] = net.fund(1);
    const victim = victimOf(net, [1, 2]);
    await net.submit(victim, [transactionOf(alice, 0n)]);
    await net.time.advance(50);
    await net.submit(victim, [transactionOf(alice, 1n)]);
    const [first, second] = victim.mempool.pendingBatches();
    for (const peer of [1, 2]) say(net, peer, { kind: "announce", batches: second === undefined ? [] : [second] });
    expect(victim.mempool.hasIncludable()).toBe(false);
    for (const peer of [1, 2]) say(net, peer, { kind: "announce", batches: first === undefined ? [] : [first] });
    expect(victim.mempool.select({ bytes: 1 << 20, transactions: 4_096 }, () => false).length).toBe(2);
  });

  test("replicated: true when weight above F holds it, also through its execution; false when that is not known in time", async () => {
    const net = new Net(4);
    const [alice = keyOf(1), bob = keyOf(2), carol = keyOf(3)] = net.fund(3);
    const victim = victimOf(net, [1]);
    const answers: boolean[] = [];
    const ask = (digest: Uint8Array): void => void victim.dissemination.whenReplicated(digest, 500).then((answer) => answers.push(answer));
    await net.submit(victim, [transactionOf(alice, 0n)]);
    const [first] = victim.mempool.pendingBatches();
    if (first === undefined) throw new Error("a batch is pending");
    ask(first.digest);
    await net.time.advance(10);
    expect(answers).toEqual([]);
    say(net, 1, { kind: "announce", batches: [first] });
    await net.time.advance(0);
    expect(answers).toEqual([true]);
    await net.submit(victim, [transactionOf(bob, 0n)]);
    await net.submit(victim, [transactionOf(carol, 0n)]);
    const [, second, third] = victim.mempool.pendingBatches();
    for (const batch of [first, second, third]) if (batch !== undefined) ask(batch.digest);
    victim.commit(second === undefined ? [] : [second.digest]);
    await net.time.advance(600);
    expect(answers).toEqual([true, true, true, false]);
    ask(digestOf(1));
    await net.time.advance(0);
    expect(answers.at(-1)).toBe(false);
  });
});
