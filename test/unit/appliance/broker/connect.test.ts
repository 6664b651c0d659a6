import { describe, expect, test } from "bun:test";
import { err } from "../../../../src/kernel/index.ts";
import { BrokerRig } from "./broker-rig.ts";

const CONNECT = { cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId: "c", clean: true, keepalive: 0 } as const;

/** Bytes of a CONNECT: version, flags, keep alive, what follows. */
function rawConnect(level: number, flags: number, rest: readonly number[], name = "MQTT"): Uint8Array {
  const body = [0, name.length, ...Buffer.from(name), level, flags, 0, 60, ...rest];
  return Uint8Array.from([0x10, body.length, ...body]);
}

describe("broker: CONNECT", () => {
  test("broker: [MQTT-3.1.0-1] another packet first, closed without an answer", () => {
    const rig = new BrokerRig();
    for (const version of [4, 5] as const) {
      const client = rig.open(version);
      client.send({ cmd: "pingreq" });
      expect([client.isClosed, client.packets.length]).toEqual([true, 0]);
    }
  });

  test("broker: [MQTT-3.1.0-2] a second CONNECT, protocol error", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.send(CONNECT);
    expect(client.take("disconnect").reasonCode).toBe(0x82);
    expect(client.isClosed).toBe(true);
    const old = await rig.connect("o", { protocolVersion: 4 });
    old.send({ ...CONNECT, protocolVersion: 4 });
    expect([old.isClosed, old.packets.length]).toEqual([true, 0]);
  });

  test("broker: [MQTT-3.1.2-2] versions that are not served, told in the version's own words", () => {
    const rig = new BrokerRig();
    const later = rig.open(5);
    later.sendBytes(rawConnect(6, 2, [0, 0, 0]));
    expect(later.take("connack").reasonCode).toBe(0x84);
    const old = rig.open(4);
    old.sendBytes(rawConnect(3, 2, [0, 1, 0x63], "MQIsdp"));
    expect(old.take("connack").returnCode).toBe(1);
    const other = rig.open(5);
    other.sendBytes(rawConnect(5, 2, [0, 0, 0], "HTTP"));
    expect([later.isClosed, old.isClosed, other.isClosed, other.packets.length]).toEqual([true, true, true, 0]);
  });

  test("broker: [MQTT-3.1.2-3] [MQTT-3.1.2-11] flags that contradict each other, malformed", () => {
    const rig = new BrokerRig();
    for (const flags of [0b0000_0011, 0b0001_1110, 0b0010_0010, 0b0000_1010]) {
      const client = rig.open(5);
      client.sendBytes(rawConnect(5, flags, [0, 0, 1, 0x63]));
      expect(client.take("connack").reasonCode).toBe(0x81);
    }
    const client = rig.open(4);
    client.sendBytes(rawConnect(4, 0b0100_0010, [0, 1, 0x63, 0, 1, 0x70]));
    expect([client.isClosed, client.packets.length]).toEqual([true, 0]);
  });

  test("broker: properties of CONNECT that are repeated, out of range or out of place", () => {
    const rig = new BrokerRig();
    const cases: readonly (readonly [number, readonly number[]])[] = [
      [0x82, [0x21, 0, 0]], // receive maximum 0
      [0x82, [0x27, 0, 0, 0, 0]], // maximum packet size 0
      [0x82, [0x17, 2]], // request problem information 2
      [0x82, [0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]], // twice
      [0x82, [0x16, 0, 1, 7]], // authentication data alone
      [0x81, [0x23, 0, 1]], // a topic alias
      [0x81, [0x7f, 0]], // unknown
      [0x81, [0x11, 0, 0]], // cut short
      [0x8c, [0x15, 0, 1, 0x78]], // an authentication method
    ];
    for (const [code, properties] of cases) {
      const client = rig.open(5);
      client.sendBytes(rawConnect(5, 2, [properties.length, ...properties, 0, 1, 0x63]));
      expect(client.take("connack").reasonCode).toBe(code);
      expect(client.isClosed).toBe(true);
    }
  });

  test("broker: [MQTT-1.5.4-1] [MQTT-1.5.4-2] a client id that is not UTF-8, a surrogate or has U+0000, malformed", () => {
    const rig = new BrokerRig();
    for (const bytes of [[0xff], [0], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const client = rig.open(5);
      client.sendBytes(rawConnect(5, 2, [0, 0, bytes.length, ...bytes]));
      expect(client.take("connack").reasonCode).toBe(0x81);
    }
  });

  test("broker: [MQTT-3.1.3-6] [MQTT-3.1.3-8] no client id, given one in MQTT 5; in 3.1.1 only for a clean session", async () => {
    const rig = new BrokerRig();
    const five = await rig.connect("");
    expect(five.connack?.properties?.assignedClientIdentifier).toMatch(/^auto-[0-9a-f]{24}$/);
    await rig.connect("", { protocolVersion: 4 });
    const four = rig.open(4);
    four.sendBytes(rawConnect(4, 0, [0, 0]));
    expect(four.take("connack").returnCode).toBe(2);
    expect(four.isClosed).toBe(true);
  });

  test("broker: what CONNACK says, the limits of this server and what it changed", async () => {
    const rig = new BrokerRig({
      limits: { receiveMaximum: 9, packetBytesMax: 5_000, topicAliasMax: 3, keepAliveSecondsMax: 100, sessionExpirySecondsMax: 50 },
    });
    const client = await rig.connect("c", { keepalive: 500, properties: { sessionExpiryInterval: 0xffff_ffff } });
    expect({ ...client.connack?.properties }).toEqual({
      receiveMaximum: 9,
      maximumPacketSize: 5_000,
      topicAliasMaximum: 3,
      serverKeepAlive: 100,
      sessionExpiryInterval: 50,
    });
    const modest = await rig.connect("d", { keepalive: 60, properties: { sessionExpiryInterval: 20 } });
    expect(modest.connack?.properties).not.toContainAnyKeys(["serverKeepAlive", "sessionExpiryInterval", "assignedClientIdentifier"]);
  });

  test("broker: who is refused, told why in both versions", async () => {
    const codes = {
      badCredentials: [0x86, 4],
      notAuthorized: [0x87, 5],
      clientIdInvalid: [0x85, 2],
      unavailable: [0x88, 3],
      banned: [0x8a, 5],
    } as const;
    for (const [refusal, [reason, returned]] of Object.entries(codes)) {
      const rig = new BrokerRig({ access: { authenticate: async () => err(refusal as keyof typeof codes) } });
      const [five, four] = [rig.open(5), rig.open(4)];
      five.send(CONNECT);
      four.send({ ...CONNECT, protocolVersion: 4 });
      await rig.settle();
      expect([five.take("connack").reasonCode, four.take("connack").returnCode]).toEqual([reason, returned]);
      expect([five.isClosed, four.isClosed, rig.broker.figures().sessionCount]).toEqual([true, true, 0]);
    }
  });

  test("broker: access rules that fail, server unavailable", async () => {
    const rig = new BrokerRig({ access: { authenticate: () => Promise.reject(new Error("no file")) } });
    const client = rig.open();
    client.send(CONNECT);
    await rig.settle();
    expect(client.take("connack").reasonCode).toBe(0x88);
  });

  test("broker: packets sent before CONNACK, answered after it", async () => {
    const rig = new BrokerRig();
    const client = rig.open();
    client.send(CONNECT);
    client.subscribe("t");
    client.send({ cmd: "pingreq" });
    expect([client.packets.length, client.isPaused]).toEqual([0, true]);
    await rig.settle();
    expect(client.packets.map(({ cmd }) => cmd)).toEqual(["connack", "suback", "pingresp"]);
    expect(client.isPaused).toBe(false);
  });

  test("broker: nothing or half a packet for the connect timeout, closed", () => {
    const rig = new BrokerRig({ limits: { connectTimeoutMs: 1_000 } });
    const [silent, half] = [rig.open(), rig.open()];
    half.sendBytes(Uint8Array.of(0x10));
    rig.time.advance(999);
    expect([silent.isClosed, half.isClosed]).toEqual([false, false]);
    rig.time.advance(1);
    expect([silent.isClosed, half.isClosed, rig.broker.figures().connectionCount]).toEqual([true, true, 0]);
  });

  test("broker: [MQTT-3.1.2-22] silence of one and a half keep alives, told 0x8D and closed; a ping holds it off", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c", { keepalive: 10 });
    rig.time.advance(14_000);
    client.send({ cmd: "pingreq" });
    client.take("pingresp");
    rig.time.advance(14_900);
    expect(client.isClosed).toBe(false);
    rig.time.advance(200);
    expect(client.take("disconnect").reasonCode).toBe(0x8d);
    expect(client.isClosed).toBe(true);
  });

  test("broker: the limits on connections, of all, of one address and of their rate", async () => {
    const rig = new BrokerRig({ limits: { connectionsMax: 3, connectionsPerAddressMax: 2, connectBurst: 3, connectsPerSecond: 1 } });
    const [first] = [rig.open(5, "a"), rig.open(5, "a")];
    expect(() => rig.open(5, "a")).toThrow("addressFull");
    rig.open(5, "b");
    expect(() => rig.open(5, "c")).toThrow("connectionsFull");
    first?.lose();
    rig.open(5, "a").lose();
    expect(() => rig.open(5, "a")).toThrow("connectingTooFast");
    rig.time.advance(1_000);
    rig.open(5, "a");
    await rig.broker.stop();
    expect(() => rig.open(5, "d")).toThrow("stopping");
  });
});
