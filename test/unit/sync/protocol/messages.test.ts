import { expect, test } from "bun:test";
import { nativeSuite } from "../../../../src/crypto/index.ts";
import {
  decodeAck,
  decodeBatch,
  decodeBeat,
  decodeEscrowRequest,
  decodeHeartbeat,
  decodeHello,
  decodeOffer,
  decodeParcel,
  decodeRefusal,
  decodeStanding,
  decodeWelcome,
  ESCROW_VERDICTS,
  type EscrowRequest,
  encodeAck,
  encodeBatch,
  encodeBeat,
  encodeEscrowRequest,
  encodeHeartbeat,
  encodeHello,
  encodeOffer,
  encodeParcel,
  encodeRefusal,
  encodeStanding,
  encodeWelcome,
  findHeartbeatSession,
  isBeat,
  isWitnessed,
  joinBodies,
  METRIC_NAMES,
  packRecords,
  type SyncAck,
  signWitness,
  splitBodies,
  unpackRecords,
} from "../../../../sync/protocol/index.ts";
import { batch, bodies, cursor, heartbeat, hello, identity, network, parcel, welcome, witness } from "./sample-messages.ts";

const { verify } = nativeSuite;
const ack: SyncAck = {
  ...cursor,
  timeMs: 5,
  creditBytes: 6,
  intervalMs: 7,
  witness: signWitness(witness, network, identity.publicKey, cursor, 5),
};
const parties = { witnessKey: witness.publicKey, network, identityKey: identity.publicKey };

test("sync messages: each encoded and decoded, the same", () => {
  expect(decodeHello(encodeHello(hello, identity), verify)).toEqual({ ok: true, value: hello });
  expect(decodeWelcome(encodeWelcome(welcome))).toEqual({ ok: true, value: welcome });
  const showing = { ...welcome, vital: { epoch: 3, note: "bizra/net/box/crit/3\n9\nroot\n\n- signature\n" } };
  expect(decodeWelcome(encodeWelcome(showing))).toEqual({ ok: true, value: showing });
  expect(decodeBatch(encodeBatch(batch))).toEqual({ ok: true, value: batch });
  expect(decodeAck(encodeAck(ack))).toEqual({ ok: true, value: ack });
  const refusal = { code: "fork", detail: "another record 77", cursor, retryAfterMs: 9 } as const;
  expect(decodeRefusal(encodeRefusal(refusal))).toEqual({ ok: true, value: refusal });
  const encoded = encodeHeartbeat(heartbeat, network, identity);
  expect(decodeHeartbeat(encoded, parties, verify)).toEqual({ ok: true, value: heartbeat });
  expect(findHeartbeatSession(encoded)).toEqual(heartbeat.session);
});

test("sync messages: those of escrow encoded and decoded, the same; a request of an unknown kind refused", () => {
  const encoded = encodeParcel(parcel, identity);
  expect(decodeParcel(encoded, verify)).toEqual({ ok: true, value: parcel });
  const { checkpoint: _checkpoint, ...bare } = parcel;
  expect(decodeParcel(encodeParcel(bare, identity), verify)).toEqual({ ok: true, value: bare });
  const offer = { session: batch.session, parcel: encoded };
  expect(decodeOffer(encodeOffer(offer))).toEqual({ ok: true, value: offer });
  const proof = { ...cursor, timeMs: 5, witness: ack.witness, witnessKey: witness.publicKey };
  const requests: readonly EscrowRequest[] = [
    { kind: "deposit", parcel: encoded },
    { kind: "release", identityKey: identity.publicKey, proof },
  ];
  for (const request of requests) expect(decodeEscrowRequest(encodeEscrowRequest(request))).toEqual({ ok: true, value: request });
  expect(decodeEscrowRequest(Uint8Array.of(0x82, 0x02, 0x41, 0x00)).ok).toBe(false);
  for (const verdict of ESCROW_VERDICTS) {
    const standing = { verdict, epoch: 1, sequence: 9, hash: network };
    expect(decodeStanding(encodeStanding(standing))).toEqual({ ok: true, value: standing });
  }
});

test("sync messages: every single bit of a signed one changed, never taken", () => {
  const messages = [
    { bytes: encodeHello(hello, identity), isTaken: (bytes: Uint8Array) => decodeHello(bytes, verify).ok },
    { bytes: encodeHeartbeat(heartbeat, network, identity), isTaken: (bytes: Uint8Array) => decodeHeartbeat(bytes, parties, verify).ok },
    { bytes: encodeParcel(parcel, identity), isTaken: (bytes: Uint8Array) => decodeParcel(bytes, verify).ok },
  ];
  for (const { bytes, isTaken } of messages) {
    expect(isTaken(bytes)).toBe(true);
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect([bit, isTaken(changed)]).toEqual([bit, false]);
    }
  }
});

test("sync messages: a heartbeat signed for another network or by another key, badSignature", () => {
  const bytes = encodeHeartbeat(heartbeat, network, identity);
  expect(decodeHeartbeat(bytes, { ...parties, network: cursor.hash }, verify)).toEqual({ ok: false, error: "badSignature" });
  expect(decodeHeartbeat(bytes, { network, identityKey: witness.publicKey }, verify)).toEqual({ ok: false, error: "badSignature" });
});

test("sync messages: a beat, the same again, and never taken for a heartbeat nor from another key or network", () => {
  const beat = { session: heartbeat.session, sequence: 70_000 };
  const bytes = encodeBeat(beat, network, identity);
  expect(bytes.length).toBeLessThan(96);
  expect(decodeBeat(bytes, parties, verify)).toEqual({ ok: true, value: beat });
  expect([isBeat(bytes), isBeat(encodeHeartbeat(heartbeat, network, identity))]).toEqual([true, false]);
  expect(findHeartbeatSession(bytes)).toEqual(beat.session);
  expect(decodeHeartbeat(bytes, parties, verify)).toEqual({ ok: false, error: "malformed" });
  expect(decodeBeat(encodeHeartbeat(heartbeat, network, identity), parties, verify)).toEqual({ ok: false, error: "malformed" });
  expect(decodeBeat(bytes, { ...parties, network: cursor.hash }, verify)).toEqual({ ok: false, error: "badSignature" });
  expect(decodeBeat(bytes, { network, identityKey: witness.publicKey }, verify)).toEqual({ ok: false, error: "badSignature" });
});

test("sync messages: figures of every kind in a heartbeat, the same again; listed names are numbers", () => {
  const values = [0, 1, -1, 999, 1_000, -1_000, 123_456_789_000, -7_001, Number.MAX_SAFE_INTEGER];
  const metrics = [...METRIC_NAMES, "neverHeardOf"].flatMap((name) => values.map((value) => ({ name, value })));
  for (const metric of metrics) {
    const encoded = encodeHeartbeat({ ...heartbeat, metrics: [metric] }, network, identity);
    const decoded = decodeHeartbeat(encoded, parties, verify);
    expect([metric, decoded.ok && decoded.value.metrics]).toEqual([metric, [metric]]);
  }
  const all = [...METRIC_NAMES, "neverHeardOf"].map((name) => ({ name, value: 5 }));
  const text = new TextDecoder("latin1").decode(encodeHeartbeat({ ...heartbeat, metrics: all }, network, identity));
  expect([text.includes("diskFreeBytes"), text.includes("neverHeardOf")]).toEqual([false, true]);
});

test("sync messages: a hello of a later version, unsupportedVersion", () => {
  const bytes = encodeHello(hello, identity);
  expect(bytes[1]).toBe(1);
  const later = Uint8Array.from(bytes);
  later[1] = 2;
  expect(decodeHello(later, verify)).toEqual({ ok: false, error: "unsupportedVersion" });
});

test("witness: any part of what it states changed, not its word", () => {
  expect(isWitnessed(ack, parties, verify)).toBe(true);
  for (const other of [{ lane: "ops" }, { epoch: 2 }, { sequence: 78 }, { hash: network }, { timeMs: 6 }] as const) {
    expect(isWitnessed({ ...ack, ...other }, parties, verify)).toBe(false);
  }
  for (const other of [{ witnessKey: identity.publicKey }, { network: cursor.hash }, { identityKey: witness.publicKey }]) {
    expect(isWitnessed(ack, { ...parties, ...other }, verify)).toBe(false);
  }
});

test("records: framed and packed by each codec, the same bodies again", () => {
  const plain = joinBodies(bodies);
  for (const codec of ["plain", "zstd"] as const) {
    const unpacked = unpackRecords(packRecords(plain, codec), codec, plain.length);
    expect(unpacked.ok && splitBodies(unpacked.value, bodies.length)).toEqual({ ok: true, value: bodies });
  }
});

test("records: another count, a cut end, an empty body, malformed", () => {
  const plain = joinBodies(bodies);
  for (const [bytes, count] of [
    [plain, 2],
    [plain, 4],
    [plain.subarray(0, plain.length - 1), 3],
    [new Uint8Array([0, 0]), 1],
    [new Uint8Array([0]), 1],
  ] as const) {
    expect(splitBodies(bytes, count)).toEqual({ ok: false, error: "malformed" });
  }
});

test("records: a decompression bomb or a size that is not true, malformed", () => {
  const bomb = packRecords(new Uint8Array(64 * 1024 * 1024), "zstd");
  expect(bomb.length).toBeLessThan(10_000);
  for (const declared of [1_000, 1_048_576, 64 * 1024 * 1024]) {
    expect(unpackRecords(bomb, "zstd", declared)).toEqual({ ok: false, error: "malformed" });
  }
  const honest = packRecords(new Uint8Array(100), "zstd");
  expect(unpackRecords(honest, "zstd", 101)).toEqual({ ok: false, error: "malformed" });
  expect(unpackRecords(honest, "zstd", 99)).toEqual({ ok: false, error: "malformed" });
  expect(unpackRecords(new Uint8Array([1, 2, 3]), "zstd", 99)).toEqual({ ok: false, error: "malformed" });
});
