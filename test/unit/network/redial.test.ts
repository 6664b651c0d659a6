import { expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { Redial } from "../../../src/network/redial.ts";

const TIMES = { firstMs: 100, maxMs: 1_000, refusedMs: 5_000, dialMs: 1_000, relayedMs: 300, directMs: 20_000 };

const namedOf = (...addresses: string[]) => new Map(addresses.map((address) => [address, true]));

function redialOf(...addresses: string[]): Redial {
  const redial = new Redial(TIMES, new Prng(1));
  redial.setAddresses(namedOf(...addresses), 0);
  return redial;
}

test("redial: an address named, due at once and taken once", () => {
  const redial = redialOf("a", "b");
  expect(redial.takeDue(0).map(({ address }) => address)).toEqual(["a", "b"]);
  expect(redial.takeDue(0)).toEqual([]);
  expect(redial.untilNextMs(0)).toBeUndefined();
});

test("redial: failure upon failure, waits grow to the cap, jittered, for ever", () => {
  const redial = redialOf("a");
  let nowMs = 0;
  const waits: number[] = [];
  for (let i = 0; i < 40; i++) {
    expect(redial.takeDue(nowMs)).toHaveLength(1);
    redial.onFailed("a", "no", false, nowMs);
    const waitMs = redial.untilNextMs(nowMs) ?? -1;
    waits.push(waitMs);
    nowMs += waitMs;
  }
  for (const [index, waitMs] of waits.entries()) {
    const base = Math.min(1_000, 100 * 2 ** (index + 1));
    expect(waitMs).toBeGreaterThanOrEqual(0.8 * base);
    expect(waitMs).toBeLessThanOrEqual(1.2 * base);
  }
  expect(new Set(waits).size).toBeGreaterThan(30);
});

test("redial: a refusal, tried again after long; a connection that was lost, after short", () => {
  const redial = redialOf("a");
  redial.takeDue(0);
  redial.onFailed("a", "otherChain", true, 0);
  expect(redial.untilNextMs(0)).toBeGreaterThanOrEqual(4_000);
  redial.onConnected("a", "peer");
  expect(redial.untilNextMs(0)).toBeUndefined();
  redial.onPeerDown("peer", "lost", 50);
  expect(redial.untilNextMs(50)).toBeLessThanOrEqual(120);
  expect(redial.targets[0]).toMatchObject({ reason: "lost", failures: 0, status: "waiting" });
});

test("redial: a peer that connected to us, its address rests until the peer is down", () => {
  const redial = redialOf("a");
  redial.expect("a", "peer");
  redial.onPeerUp("peer", false, 0);
  expect(redial.takeDue(1_000_000)).toEqual([]);
  redial.onPeerDown("peer", "lost", 0);
  expect(redial.takeDue(1_000)).toHaveLength(1);
});

test("redial: the addresses named anew, known ones keep their place and others are forgotten", () => {
  const redial = redialOf("a", "b");
  redial.takeDue(0);
  redial.onConnected("a", "peer");
  redial.setAddresses(namedOf("a", "c"), 0);
  expect(redial.targets.map(({ address, status }) => [address, status])).toEqual([
    ["a", "connected"],
    ["c", "waiting"],
  ]);
  redial.onFailed("b", "late", false, 0);
  expect(redial.targets).toHaveLength(2);
});

test("redial: a way through a relay, dialled after the direct ways had their time", () => {
  const redial = redialOf("a", "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/p2p/P");
  expect(redial.takeDue(0).map(({ address }) => address)).toEqual(["a"]);
  expect(redial.takeDue(299)).toEqual([]);
  expect(redial.takeDue(300)).toHaveLength(1);
});

test("redial: a peer reached through a relay, tried directly now and then, and again at once when the relay is gone", () => {
  const redial = redialOf("a", "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/p2p/P");
  redial.expect("a", "peer");
  redial.expect("/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/p2p/P", "peer");
  redial.onPeerUp("peer", true, 0);
  expect(redial.takeDue(15_000)).toEqual([]);
  expect(redial.takeDue(24_000).map(({ address }) => address)).toEqual(["a"]);
  redial.onFailed("a", "no way", false, 24_000);
  expect(redial.untilNextMs(24_000)).toBeGreaterThanOrEqual(16_000);
  redial.onPeerDown("peer", "lost", 25_000);
  expect(redial.takeDue(26_000)).toHaveLength(2);
});
