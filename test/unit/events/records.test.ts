import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { sha256 } from "../../../src/crypto/index.ts";
import {
  decodeBody,
  decodePayload,
  EMPTY_LANE,
  EVENT_SCHEMAS,
  type Event,
  encodeBody,
  encodePayload,
  event,
  type LaneRecord,
  openRecord,
  openRecords,
  recordToJson,
  sealBlockRecords,
  sealGenesisRecords,
  sealRecord,
  tipOf,
} from "../../../src/events/index.ts";
import { CborWriter, concatBytes, Prng, toHex, utf8 } from "../../../src/kernel/index.ts";
import { makeValidatorSet } from "../../../src/protocol/index.ts";
import { chainSamples, eventSamples } from "./event-samples.ts";

function chainOf(count: number): LaneRecord[] {
  const records: LaneRecord[] = [];
  let tip = EMPTY_LANE;
  for (let i = 0; i < count; i++) {
    const record = sealRecord("ops", tip, 1_000 + i, event("healthcheck.failed", { check: "disk", detail: `try ${i}` }));
    records.push(record);
    tip = tipOf(record);
  }
  return records;
}

describe("event payloads", () => {
  test("payload: of every type with and without what may be absent, read back the same", () => {
    const seen = new Set<string>();
    for (const item of eventSamples) {
      const payload = encodePayload(item);
      expect(decodePayload(item.type, payload)).toEqual({ ok: true, value: { ...item.payload } });
      expect(decodeBody(encodeBody(5, item.type, payload))).toEqual({ ok: true, value: { timeMs: 5, type: item.type, payload } });
      seen.add(item.type);
    }
    expect([...seen].sort()).toEqual(Object.keys(EVENT_SCHEMAS).sort());
  });

  test("payload: cut, flipped or drawn bytes, a verdict and never a throw, and what is read re-encodes the same", () => {
    const prng = new Prng(3);
    for (const item of eventSamples) {
      const body = encodeBody(7, item.type, encodePayload(item));
      for (let length = 0; length < body.length; length++) expect(decodeBody(body.subarray(0, length)).ok).toBe(false);
      for (let i = 0; i < 100; i++) {
        const flipped = body.slice();
        const at = prng.below(body.length);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << prng.below(8));
        const decoded = decodeBody(flipped);
        if (!decoded.ok) continue;
        const { timeMs, type, payload } = decoded.value;
        expect(toHex(encodeBody(timeMs, type, payload))).toBe(toHex(flipped));
        const fields = decodePayload(type, payload);
        if (fields.ok) expect(toHex(encodePayload({ type, payload: fields.value } as unknown as Event))).toBe(toHex(payload));
        decodeBody(prng.bytes(prng.below(100)));
      }
    }
  });

  test("payload: a text of any length and content, cut to what can be read again", () => {
    for (const detail of ["x".repeat(100_000), "\u{1f600}".repeat(5_000), "\ud800 alone", ""]) {
      const item = event("alert.cleared", { alert: "disk.low", detail });
      const body = encodeBody(1, item.type, encodePayload(item));
      expect(body.length).toBeLessThan(4_096);
      expect(decodeBody(body).ok).toBe(true);
    }
    const tooMuch = event("transaction.submitted", { batch: new Uint8Array(5_000), transactions: 1, sizeBytes: 1 });
    expect(() => encodePayload(tooMuch)).toThrow("fits its bound");
  });

  test("payload: an event without a field that must be there, a defect", () => {
    const broken = { type: "service.stopped", payload: { service: "node" } } as unknown as Event;
    expect(() => encodePayload(broken)).toThrow("every field that is not optional");
  });

  test("body: of a type that this release does not know, kept as it is and shown as hexadecimal", () => {
    const payload = new CborWriter().map(1).uint(1).text("hello").finish();
    const body = encodeBody(9, "weather.changed", payload);
    expect(decodeBody(body)).toEqual({ ok: true, value: { timeMs: 9, type: "weather.changed", payload } });
    const hash = new Uint8Array(32);
    const record = {
      lane: "ops",
      epoch: 1,
      sequence: 1,
      previousHash: hash,
      timeMs: 9,
      type: "weather.changed",
      payload,
      body,
      hash,
    } as const;
    expect(recordToJson(record)).toMatchObject({ type: "weather.changed", payloadHex: toHex(payload), time: "1970-01-01T00:00:00.009Z" });
  });

  test("grammar: docs/events.cddl has every type with every field, and no other", () => {
    const grammar = readFileSync(new URL("../../../docs/events.cddl", import.meta.url), "utf8");
    const kinds: Readonly<Record<string, readonly string[]>> = { uint: ["count"], u64: ["u64"], bytes: ["hash", "key"], text: ["words"] };
    const rules = new Map([...grammar.matchAll(/^([a-z-]+) += \{ (.*?) \}/gms)].map(([, name, fields]) => [name, fields ?? ""]));
    for (const [type, { fields }] of Object.entries(EVENT_SCHEMAS)) {
      const written = (rules.get(type.replace(".", "-")) ?? "").split(", ");
      expect([type, written.length]).toEqual([type, Object.keys(fields).length]);
      for (const [position, spec] of Object.values(fields).entries()) {
        const [, optional, key, kind] = /^(\? )?(\d+): ([a-z0-9]+)$/.exec(written[position]?.trim() ?? "") ?? [];
        expect([type, Number(key), optional !== undefined]).toEqual([type, position + 1, spec.endsWith("?")]);
        expect(kinds[spec.replace("?", "")]).toContain(kind ?? "");
      }
    }
    expect([...rules.keys()].filter((name) => name !== "payload").length).toBe(Object.keys(EVENT_SCHEMAS).length);
  });
});

describe("record chain", () => {
  test("hash: the bytes that the grammar says, computed by hand", () => {
    const body = encodeBody(1, "service.stopped", encodePayload(event("service.stopped", { service: "node", reason: "asked" })));
    const record = sealRecord("ops", EMPTY_LANE, 1, event("service.stopped", { service: "node", reason: "asked" }));
    const u64 = (value: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, value);
    const preimage = concatBytes(utf8("bizra/event/1"), Uint8Array.of(3), u64(1), u64(1), new Uint8Array(32), body);
    expect(toHex(record.hash)).toBe(toHex(sha256(preimage)));
    expect(toHex(record.body)).toBe(toHex(body));
  });

  test("chain: records in order, open; one lost, exchanged, changed or moved to another lane, named", () => {
    const records = chainOf(10);
    expect(openRecords("ops", EMPTY_LANE, records)).toEqual({ ok: true, value: records });
    const [first, second, third] = records;
    if (!first || !second || !third) throw new RangeError("there are ten records");
    expect(openRecords("ops", EMPTY_LANE, [first, third])).toMatchObject({ ok: false, error: { sequence: 2, kind: "missing" } });
    expect(openRecords("ops", EMPTY_LANE, [second, first])).toMatchObject({ ok: false, error: { sequence: 1, kind: "missing" } });
    const body = encodeBody(2_000, "healthcheck.failed", second.payload);
    expect(openRecords("ops", EMPTY_LANE, [first, { ...second, body }])).toMatchObject({
      ok: false,
      error: { sequence: 2, kind: "changed" },
    });
    expect(openRecord("crit", EMPTY_LANE, first)).toMatchObject({ ok: false, error: { kind: "changed" } });
    expect(openRecord("ops", { ...EMPTY_LANE, hash: new Uint8Array(32).fill(1) }, first)).toMatchObject({ ok: false });
  });

  test("chain: the first record of the next incarnation follows the last of the one before", () => {
    const last = chainOf(3).at(-1);
    if (!last) throw new RangeError("there are three records");
    const payload = { reason: "restore", previousEpoch: 1, previousSequence: 3, previousHash: last.hash };
    const opening = sealRecord("ops", { epoch: 2, sequence: 0, hash: last.hash }, 5, event("log.opened", payload));
    expect(openRecord("ops", last, opening)).toMatchObject({ ok: true, value: { epoch: 2, sequence: 1 } });
    expect(openRecord("ops", last, { ...opening, epoch: 3 })).toMatchObject({ ok: false, error: { kind: "changed" } });
    const later = sealRecord("ops", { epoch: 5, sequence: 0, hash: last.hash }, 5, event("log.opened", payload));
    expect(openRecord("ops", last, later)).toMatchObject({ ok: true, value: { epoch: 5, sequence: 1 } });
    expect(openRecord("ops", last, { ...later, sequence: 2 })).toMatchObject({ ok: false, error: { kind: "missing" } });
  });

  test("chain lane: genesis and blocks, one record for each validator and each block", () => {
    const set = makeValidatorSet(
      [1, 2, 3, 4].map((n) => ({ publicKey: new Uint8Array(32).fill(n), owner: new Uint8Array(32), weight: 5n, reputation: 10_000 })),
    );
    if (!set.ok) throw new RangeError(set.error);
    const genesis = sealGenesisRecords(77, set.value);
    expect(genesis.map(({ type, sequence, timeMs }) => [type, sequence, timeMs])).toEqual(
      [1, 2, 3, 4].map((n) => ["validator.registered", n, 77]),
    );
    const last = genesis.at(-1);
    if (!last) throw new RangeError("there are four validators");
    const counts = { executed: 3, failed: 1, skipped: 2, fees: 30n };
    const nothing = { convictions: [], validatorSet: set.value, nextValidatorSet: undefined };
    const facts = { height: 1, hash: new Uint8Array(32), epoch: 0, view: 1, timeMs: 99, ...counts, ...nothing };
    const [block, ...others] = sealBlockRecords(last, facts);
    expect(others).toEqual([]);
    expect(block && openRecord("chain", last, block).ok).toBe(true);
    expect(block && recordToJson(block)).toMatchObject({
      lane: "chain",
      sequence: 5,
      time: "1970-01-01T00:00:00.099Z",
      type: "block.finalized",
      payload: { height: 1, hash: "00".repeat(32), executed: 3, failed: 1, skipped: 2, fees: "30" },
    });
  });

  test("chain lane: an epoch's last block with a conviction, who lost what, who came and left, and the next epoch", () => {
    const member = (n: number, weight: bigint) => ({
      publicKey: new Uint8Array(32).fill(n),
      owner: new Uint8Array(32),
      weight,
      reputation: 10_000,
    });
    const set = makeValidatorSet([1, 2, 3, 4].map((n) => member(n, 5n)));
    const next = makeValidatorSet([member(2, 5n), member(3, 4n), member(4, 5n), member(5, 5n), member(6, 1n)]);
    if (!set.ok || !next.ok) throw new RangeError("both are sets");
    const counts = { executed: 0, failed: 0, skipped: 0, fees: 0n };
    const convictions = [{ validator: new Uint8Array(32).fill(1), epoch: 6, slashed: 3n, jailedUntilEpoch: 12 }];
    const facts = { height: 9, hash: new Uint8Array(32), epoch: 7, view: 1, timeMs: 99, ...counts, convictions };
    const records = sealBlockRecords(EMPTY_LANE, { ...facts, validatorSet: set.value, nextValidatorSet: next.value });
    expect(openRecords("chain", EMPTY_LANE, records).ok).toBe(true);
    const told = records.map(recordToJson).map(({ type, payload }) => [type, payload] as const);
    expect(told.map(([type]) => type)).toEqual([
      "block.finalized",
      "validator.slashed",
      "validator.jailed",
      ...Array.from({ length: 4 }, () => "set.changed"),
      "epoch.opened",
    ]);
    const changes = told.filter(([type]) => type === "set.changed").map(([, payload]) => payload);
    expect(changes).toMatchObject([
      { publicKey: "01".repeat(32), weightBefore: "5", weight: "0", epoch: 8 },
      { publicKey: "03".repeat(32), weightBefore: "5", weight: "4" },
      { publicKey: "05".repeat(32), weightBefore: "0", weight: "5" },
      { publicKey: "06".repeat(32), weightBefore: "0", weight: "1" },
    ]);
    expect(told.at(-1)?.[1]).toMatchObject({ epoch: 8, height: 9, validators: 5, totalWeight: "20" });
  });

  test("samples: every lane's golden chain opens", () => {
    for (const [lane, records] of Object.entries(chainSamples)) expect(openRecords(lane as "crit", EMPTY_LANE, records).ok).toBe(true);
  });
});
