import { expect, test } from "bun:test";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { MultiaddrConnection, PeerId } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { toHex } from "../../../src/kernel/index.ts";
import { makeGate } from "../../../src/network/gate.ts";
import { Standing } from "../../../src/network/standing.ts";

/** A connection as far as the gate looks at it. */
class Knock extends EventTarget {
  readonly remoteAddr;
  constructor(host: string) {
    super();
    this.remoteAddr = multiaddr(`/ip4/${host}/tcp/1`);
  }
}

async function scene() {
  const at = { nowMs: 0 };
  const standing = new Standing();
  const gate = makeGate(standing, { nowMs: () => 0, monotonicMs: () => at.nowMs }, () => false);
  const key = await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(6));
  const peer = { type: "Ed25519", publicKey: key.publicKey } as unknown as PeerId;
  const isTurnedAway = (knock: Knock): boolean => gate.denyInboundConnection?.(knock as unknown as MultiaddrConnection) === true;
  const isKeyTurnedAway = (knock: Knock): boolean =>
    gate.denyInboundEncryptedConnection?.(peer, knock as unknown as MultiaddrConnection) === true;
  return { at, standing, isTurnedAway, isKeyTurnedAway, nodeKey: toHex(key.publicKey.raw) };
}

test("gate: handshakes of one address under way, eight and no more until one is through or gone; others are not hurt", async () => {
  const { isTurnedAway, isKeyTurnedAway } = await scene();
  const knocks = Array.from({ length: 9 }, () => new Knock("192.0.2.1"));
  expect(knocks.map(isTurnedAway)).toEqual([...new Array(8).fill(false), true]);
  expect(isTurnedAway(new Knock("192.0.2.2"))).toBe(false);
  isKeyTurnedAway(knocks[0] as Knock);
  expect(isTurnedAway(new Knock("192.0.2.1"))).toBe(false);
  knocks[1]?.dispatchEvent(new Event("close"));
  knocks[0]?.dispatchEvent(new Event("close"));
  expect(isTurnedAway(new Knock("192.0.2.1"))).toBe(false);
  expect(isTurnedAway(new Knock("192.0.2.1"))).toBe(true);
});

test("gate: connections of one address, sixty at once and five a second; this machine's own are not counted", async () => {
  const { at, isTurnedAway } = await scene();
  const comeAndGo = (host: string): boolean => {
    const knock = new Knock(host);
    const isAway = isTurnedAway(knock);
    knock.dispatchEvent(new Event("close"));
    return isAway;
  };
  const counted = (host: string) => Array.from({ length: 100 }, () => comeAndGo(host)).filter((isAway) => !isAway).length;
  expect(counted("192.0.2.1")).toBe(61); // the one that overdraws is let in
  expect(counted("127.0.0.1")).toBe(100);
  at.nowMs = 1_200;
  expect(comeAndGo("192.0.2.1")).toBe(false);
});

test("gate: a banned node key, turned away after the handshake until its ban is over", async () => {
  const { at, standing, isKeyTurnedAway, nodeKey } = await scene();
  expect(isKeyTurnedAway(new Knock("192.0.2.1"))).toBe(false);
  standing.penalize(nodeKey, "oversized", true, 0);
  expect(isKeyTurnedAway(new Knock("192.0.2.1"))).toBe(true);
  at.nowMs = 30_000;
  expect(isKeyTurnedAway(new Knock("192.0.2.1"))).toBe(false);
});
