import { describe, expect, test } from "bun:test";
import { BrokerRig } from "./broker-rig.ts";

/** A packet's bytes: first byte, body. */
function raw(first: number, ...body: number[]): Uint8Array {
  return Uint8Array.from([first, body.length, ...body]);
}

const T = [0, 1, 0x74];

describe("broker: packets that are not as they must be", () => {
  const cases: readonly { readonly what: string; readonly code: number; readonly bytes: Uint8Array; readonly isOnlyV5?: boolean }[] = [
    { what: "packet type 0", code: 0x81, bytes: raw(0x00) },
    { what: "AUTH without a method", code: 0x82, bytes: raw(0xf0), isOnlyV5: true },
    { what: "a packet of servers (CONNACK)", code: 0x82, bytes: raw(0x20, 0, 0) },
    { what: "[MQTT-2.1.3-1] PINGREQ with flags", code: 0x81, bytes: raw(0xc1) },
    { what: "PINGREQ with a body", code: 0x81, bytes: raw(0xc0, 0) },
    { what: "[MQTT-3.6.1-1] PUBREL without its flag", code: 0x81, bytes: raw(0x60, 0, 1) },
    { what: "[MQTT-3.8.1-1] SUBSCRIBE without its flag", code: 0x81, bytes: raw(0x80, 0, 1, 0, ...T, 0) },
    { what: "[MQTT-3.10.1-1] UNSUBSCRIBE without its flag", code: 0x81, bytes: raw(0xa0, 0, 1, 0, ...T) },
    { what: "[MQTT-3.14.1-1] DISCONNECT with flags", code: 0x81, bytes: raw(0xe1) },
    { what: "[MQTT-3.3.1-4] PUBLISH of QoS 3", code: 0x81, bytes: raw(0x36, ...T, 0, 1, 0) },
    { what: "[MQTT-3.3.1-2] a duplicate of QoS 0", code: 0x81, bytes: raw(0x38, ...T, 0) },
    { what: "[MQTT-2.2.1-3] PUBLISH with identifier 0", code: 0x82, bytes: raw(0x32, ...T, 0, 0, 0) },
    { what: "PUBLISH whose topic is longer than the packet", code: 0x81, bytes: raw(0x30, 0, 9, 0x74) },
    { what: "[MQTT-3.3.2-2] a wildcard in a topic name", code: 0x90, bytes: raw(0x30, 0, 3, 0x74, 0x2f, 0x23, 0) },
    { what: "[MQTT-4.7.3-2] U+0000 in a topic", code: 0x81, bytes: raw(0x30, 0, 1, 0, 0) },
    { what: "no topic and no alias", code: 0x82, bytes: raw(0x30, 0, 0, 0), isOnlyV5: true },
    { what: "an alias nobody set", code: 0x82, bytes: raw(0x30, 0, 0, 3, 0x23, 0, 1), isOnlyV5: true },
    { what: "[MQTT-3.3.2-8] alias 0", code: 0x94, bytes: raw(0x30, ...T, 3, 0x23, 0, 0), isOnlyV5: true },
    { what: "[MQTT-3.3.2-9] an alias above the maximum", code: 0x94, bytes: raw(0x30, ...T, 3, 0x23, 1, 0), isOnlyV5: true },
    { what: "[MQTT-3.3.4-6] a subscription identifier from a client", code: 0x82, bytes: raw(0x30, ...T, 2, 0x0b, 1), isOnlyV5: true },
    { what: "[MQTT-3.3.2-14] a wildcard in the response topic", code: 0x82, bytes: raw(0x30, ...T, 4, 0x08, 0, 1, 0x2b), isOnlyV5: true },
    { what: "a payload format of 2", code: 0x82, bytes: raw(0x30, ...T, 2, 0x01, 2), isOnlyV5: true },
    { what: "a property cut off by its list's end", code: 0x81, bytes: raw(0x30, ...T, 2, 0x02, 0, 0, 0, 1), isOnlyV5: true },
    { what: "[MQTT-1.5.5-1] a property length in too many bytes", code: 0x81, bytes: raw(0x30, ...T, 0x80, 0x00), isOnlyV5: true },
    { what: "SUBSCRIBE with identifier 0", code: 0x82, bytes: raw(0x82, 0, 0, 0, ...T, 0) },
    { what: "[MQTT-3.8.3-2] SUBSCRIBE without a filter", code: 0x82, bytes: raw(0x82, 0, 1, 0), isOnlyV5: true },
    { what: "[MQTT-3.8.3-5] reserved subscription options", code: 0x81, bytes: raw(0x82, 0, 1, 0, ...T, 0x40), isOnlyV5: true },
    { what: "a subscription of QoS 3", code: 0x82, bytes: raw(0x82, 0, 1, 0, ...T, 3), isOnlyV5: true },
    { what: "retain handling 3", code: 0x82, bytes: raw(0x82, 0, 1, 0, ...T, 0x30), isOnlyV5: true },
    { what: "subscription identifier 0", code: 0x82, bytes: raw(0x82, 0, 1, 2, 0x0b, 0, ...T, 0), isOnlyV5: true },
    {
      what: "[MQTT-3.8.3-4] no local on a shared subscription",
      code: 0x82,
      bytes: raw(0x82, 0, 1, 0, 0, 10, ...Buffer.from("$share/g/t"), 4),
      isOnlyV5: true,
    },
    { what: "[MQTT-3.10.3-2] UNSUBSCRIBE without a filter", code: 0x82, bytes: raw(0xa2, 0, 1, 0), isOnlyV5: true },
    { what: "PUBACK with one byte", code: 0x81, bytes: raw(0x40, 0) },
    { what: "PUBACK with a reason code it does not have", code: 0x82, bytes: raw(0x40, 0, 1, 0x92), isOnlyV5: true },
    { what: "DISCONNECT with a code of servers", code: 0x82, bytes: raw(0xe0, 0x8e), isOnlyV5: true },
    { what: "a length of five bytes", code: 0x81, bytes: Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x01) },
    { what: "a packet above the maximum, from its header alone", code: 0x95, bytes: Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f) },
  ];
  for (const { what, code, bytes, isOnlyV5 = false } of cases) {
    test(`broker: ${what}, 0x${code.toString(16)} and closed`, async () => {
      const rig = new BrokerRig();
      const five = await rig.connect("five");
      five.sendBytes(bytes);
      expect(five.take("disconnect").reasonCode).toBe(code);
      expect(five.isClosed).toBe(true);
      if (isOnlyV5) return;
      const four = await rig.connect("four", { protocolVersion: 4 });
      four.sendBytes(bytes);
      expect([four.isClosed, four.packets.length]).toEqual([true, 0]);
    });
  }

  test("broker: 3.1.1, a DISCONNECT with a body, options with reserved bits and AUTH, closed", async () => {
    const rig = new BrokerRig();
    for (const bytes of [raw(0xe0, 0), raw(0x82, 0, 1, ...T, 4), raw(0xf0), raw(0x82, 0, 1)]) {
      const four = await rig.connect("four", { protocolVersion: 4 });
      four.sendBytes(bytes);
      expect([four.isClosed, four.packets.length]).toEqual([true, 0]);
    }
  });

  test("broker: a packet that comes byte by byte, and many in one chunk, read the same", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.subscribe("t");
    await rig.settle();
    client.take("suback");
    const bytes = raw(0x30, ...T, 0, 0x68, 0x69);
    for (const byte of bytes) client.sendBytes(Uint8Array.of(byte));
    client.sendBytes(Uint8Array.from([...bytes, ...bytes, ...raw(0xc0), ...bytes.subarray(0, 4)]));
    client.sendBytes(bytes.subarray(4));
    expect(client.packets.map(({ cmd }) => cmd)).toEqual(["publish", "publish", "publish", "pingresp", "publish"]);
    expect(client.takeMessages()).toEqual(["t=hi", "t=hi", "t=hi", "t=hi"]);
  });

  test("broker: [MQTT-1.5.4-3] a byte order mark in a topic, kept as a character", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.subscribe("#");
    await rig.settle();
    client.publish("\uFEFFt", "x");
    client.take("suback");
    expect(client.takeMessages()).toEqual(["\uFEFFt=x"]);
  });
});
