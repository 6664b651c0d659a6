import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { generate, parser } from "mqtt-packet";
import { type Frame, FrameSplitter } from "../../../../../appliance/broker/codec/frame-splitter.ts";
import { readConnect } from "../../../../../appliance/broker/codec/read-connect.ts";
import { readPacket } from "../../../../../appliance/broker/codec/read-packet.ts";
import { writePacket } from "../../../../../appliance/broker/codec/write-packet.ts";
import { present } from "../../../../../src/kernel/index.ts";

const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((value) => !value.includes("\0"));
const bytes = fc.uint8Array({ maxLength: 40 });
const u16 = fc.integer({ min: 1, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** The only frame in these bytes. */
function frameOf(packet: Uint8Array): Frame {
  const splitter = new FrameSplitter(1 << 20);
  splitter.push(packet);
  const frame = present(splitter.next(), "the packet is whole");
  if (!frame.ok || splitter.heldBytes > 0) throw new Error("one frame was expected");
  return frame.value;
}

describe("broker codec", () => {
  test("broker codec: whatever the library writes of a PUBLISH is read as it was meant", () => {
    const properties = fc.record(
      {
        payloadFormatIndicator: fc.boolean(),
        messageExpiryInterval: u32,
        topicAlias: u16,
        responseTopic: text,
        correlationData: bytes.map((value) => Buffer.from(value)),
        contentType: text,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(text, bytes, fc.constantFrom(0, 1, 2), fc.boolean(), u16, properties, (topic, payload, qos, retain, messageId, given) => {
        const packet = generate(
          { cmd: "publish", topic, payload: Buffer.from(payload), qos: qos as 0 | 1 | 2, dup: false, retain, messageId, properties: given },
          { protocolVersion: 5 },
        );
        const read = readPacket(frameOf(packet), 5);
        const { payloadFormatIndicator, correlationData, ...same } = given;
        expect(read).toEqual({
          ok: true,
          value: {
            kind: "publish",
            topic,
            payload: packet.subarray(packet.length - payload.length),
            qos: qos as 0 | 1 | 2,
            isRetain: retain,
            isDuplicate: false,
            packetId: qos > 0 ? messageId : 0,
            properties: {
              ...same,
              ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator: Number(payloadFormatIndicator) }),
              ...(correlationData === undefined ? {} : { correlationData: new Uint8Array(correlationData) }),
            },
          },
        });
      }),
      { numRuns: 300 },
    );
  });

  test("broker codec: the PUBLISH that the broker writes is byte for byte the library's", () => {
    const properties = fc.record(
      {
        isPayloadUtf8: fc.boolean(),
        messageExpiryInterval: u32,
        contentType: text,
        responseTopic: text,
        correlationData: bytes,
        topicAlias: u16,
      },
      { requiredKeys: [] },
    );
    const ids = fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 });
    const payloads = fc.oneof(
      bytes,
      fc.constantFrom(126, 127, 128, 16_383, 16_500).map((size) => new Uint8Array(size)),
    );
    fc.assert(
      fc.property(
        text,
        payloads,
        fc.constantFrom(0, 1, 2),
        u16,
        properties,
        ids,
        (topic, payload, level, packetId, given, subscriptionIds) => {
          const qos = level as 0 | 1 | 2;
          const { isPayloadUtf8, correlationData, ...same } = given;
          for (const protocolVersion of [4, 5] as const) {
            const wanted = generate(
              {
                ...{ cmd: "publish", topic, payload: Buffer.from(payload), qos, dup: qos > 0, retain: qos === 2, messageId: packetId },
                properties: {
                  ...(isPayloadUtf8 === undefined ? {} : { payloadFormatIndicator: isPayloadUtf8 }),
                  ...(same.messageExpiryInterval === undefined ? {} : { messageExpiryInterval: same.messageExpiryInterval }),
                  ...(same.contentType === undefined ? {} : { contentType: same.contentType }),
                  ...(same.responseTopic === undefined ? {} : { responseTopic: same.responseTopic }),
                  ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
                  ...(subscriptionIds.length === 0 ? {} : { subscriptionIdentifier: subscriptionIds }),
                  ...(same.topicAlias === undefined ? {} : { topicAlias: same.topicAlias }),
                  userProperties: { b: "1", a: ["2", "3"] },
                },
              },
              { protocolVersion },
            );
            const userProperties = [
              ["b", "1"],
              ["a", "2"],
              ["a", "3"],
            ] as const;
            const written = writePacket(
              {
                kind: "publish",
                topic,
                payload,
                qos,
                isDuplicate: qos > 0,
                isRetain: qos === 2,
                packetId,
                properties: { ...given, subscriptionIds, userProperties },
              },
              protocolVersion,
            );
            expect(Buffer.compare(written, wanted)).toBe(0);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("broker codec: acknowledgements that say only success, byte for byte the library's", () => {
    for (const kind of ["puback", "pubrec", "pubrel", "pubcomp"] as const) {
      for (const protocolVersion of [4, 5] as const) {
        const wanted = generate({ cmd: kind, messageId: 0xabcd, reasonCode: 0 }, { protocolVersion });
        expect([...writePacket({ kind, packetId: 0xabcd, reasonCode: 0 }, protocolVersion)]).toEqual([...wanted]);
      }
    }
  });

  test("broker codec: user properties keep order and repetition through writing and reading, also names that objects know", () => {
    const pair = fc.tuple(fc.constantFrom("b", "a", "1", "__proto__", "toString", ""), text);
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), (userProperties) => {
        const shape = { topic: "t", payload: new Uint8Array(0), qos: 0, isDuplicate: false, isRetain: false, packetId: 0 } as const;
        const read = readPacket(frameOf(writePacket({ kind: "publish", ...shape, properties: { userProperties } }, 5)), 5);
        expect(read.ok && read.value.kind === "publish" ? (read.value.properties.userProperties ?? []) : read).toEqual(userProperties);
      }),
      { numRuns: 200 },
    );
  });

  test("broker codec: CONNECT with everything, read as the library wrote it", () => {
    const packet = generate({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 5,
      clientId: "c",
      clean: false,
      keepalive: 30,
      username: "u",
      password: Buffer.from([0, 1]),
      will: {
        topic: "w",
        payload: Buffer.from("x"),
        qos: 2,
        retain: true,
        properties: { willDelayInterval: 7, userProperties: { k: "v" } },
      },
      properties: {
        sessionExpiryInterval: 9,
        receiveMaximum: 3,
        maximumPacketSize: 500,
        topicAliasMaximum: 2,
        requestProblemInformation: false,
      },
    });
    expect(readConnect(frameOf(packet))).toEqual({
      ok: true,
      value: {
        kind: "connect",
        version: 5,
        clientId: "c",
        isCleanStart: false,
        keepAliveSeconds: 30,
        username: "u",
        password: Uint8Array.of(0, 1),
        will: {
          topic: "w",
          payload: Uint8Array.of(0x78),
          qos: 2,
          isRetain: true,
          properties: { willDelayInterval: 7, userProperties: [["k", "v"]] },
        },
        properties: {
          sessionExpiryInterval: 9,
          receiveMaximum: 3,
          maximumPacketSize: 500,
          topicAliasMaximum: 2,
          requestProblemInformation: 0,
        },
      },
    });
  });

  test("broker codec: any bytes in any pieces, cut the same way, within the bound, and never a throw", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), cuts, (stream, sizes) => {
        const whole = framesOf([stream]);
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) {
          pieces.push(stream.slice(at, at + size));
          at += size;
        }
        pieces.push(stream.slice(at));
        expect(framesOf(pieces)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test("broker codec: a valid packet with any byte changed or cut, a verdict and never a throw", () => {
    const valid = [
      generate(
        {
          cmd: "publish",
          topic: "a/b",
          payload: "x",
          qos: 1,
          dup: false,
          retain: true,
          messageId: 5,
          properties: { contentType: "c", userProperties: { a: "b" } },
        },
        { protocolVersion: 5 },
      ),
      generate(
        {
          cmd: "subscribe",
          messageId: 5,
          subscriptions: [{ topic: "a/+", qos: 2, nl: true, rap: true, rh: 1 }],
          properties: { subscriptionIdentifier: 300 },
        },
        { protocolVersion: 5 },
      ),
      generate({
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion: 5,
        clientId: "c",
        clean: true,
        keepalive: 1,
        will: { topic: "w", payload: "p", qos: 1 },
        username: "u",
        password: Buffer.from("p"),
      }),
    ];
    for (const packet of valid) {
      for (let at = 0; at < packet.length; at++) {
        for (const value of [0, 1, 0x7f, 0x80, 0xff, (packet[at] ?? 0) ^ 1]) {
          const changed = Uint8Array.from(packet);
          changed[at] = value;
          readAll(changed);
        }
        readAll(packet.subarray(0, at));
        readAll(Uint8Array.from([...packet.subarray(0, 1), Math.max(0, at - 2), ...packet.subarray(2, at)]));
      }
    }
  });

  test("broker codec: a length that promises much holds no more than what came", () => {
    const splitter = new FrameSplitter(1 << 21);
    splitter.push(Uint8Array.of(0x30, 0xff, 0xff, 0x3f));
    for (let i = 0; i < 100; i++) splitter.push(Uint8Array.of(1, 2, 3));
    expect([splitter.next(), splitter.heldBytes]).toEqual([undefined, 304]);
    splitter.bound(10);
    expect(splitter.next()).toEqual({ ok: false, error: "packetTooLarge" });
  });

  test("broker codec: why the library does not read for the broker: it takes what the specification forbids", () => {
    const read = (...body: number[]): unknown[] => {
      const packets: unknown[] = [];
      const library = parser({ protocolVersion: 5 });
      library.on("packet", (packet) => packets.push(packet));
      library.on("error", () => packets.push("error"));
      library.parse(Buffer.from(body));
      return packets;
    };
    // Text that is not UTF-8 becomes another text (MQTT-1.5.4-1).
    expect(read(0x30, 4, 0, 1, 0xff, 0)).toMatchObject([{ topic: "\uFFFD" }]);
    // A DISCONNECT without a body takes its reason code out of the packet that follows.
    expect(read(0xe0, 0, 0xe0, 0)).toEqual(["error"]);
    // The order of user properties is lost (MQTT-3.3.2-18).
    const pairs = [0x26, 0, 1, 0x62, 0, 0, 0x26, 0, 1, 0x31, 0, 0];
    expect(
      Object.keys(
        (read(0x30, 4 + pairs.length, 0, 1, 0x74, pairs.length, ...pairs)[0] as { properties: { userProperties: object } }).properties
          .userProperties,
      ),
    ).toEqual(["1", "b"]);
  });
});

function framesOf(pieces: readonly Uint8Array[]): unknown[] {
  const splitter = new FrameSplitter(60);
  const frames: unknown[] = [];
  for (const piece of pieces) {
    splitter.push(piece);
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      if (!frame.ok) return [...frames, frame.error];
      frames.push({ ...frame.value, body: [...frame.value.body] });
      readPacket(frame.value, 5);
      readPacket(frame.value, 4);
    }
    expect(splitter.heldBytes).toBeLessThanOrEqual(60 + piece.length);
  }
  return frames;
}

function readAll(stream: Uint8Array): void {
  const splitter = new FrameSplitter(1_000);
  splitter.push(stream);
  for (let frame = splitter.next(); frame?.ok; frame = splitter.next()) {
    for (const version of [4, 5] as const) expect(typeof readPacket(frame.value, version).ok).toBe("boolean");
    expect(typeof readConnect(frame.value).ok).toBe("boolean");
  }
}
