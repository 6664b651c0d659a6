/**
 * The interoperability cases of the Eclipse Paho project (client_test.py for MQTT 3.1.1, client_test5.py for MQTT 5), written
 * anew from what they examine. Each is named after its original.
 *
 * @see https://github.com/eclipse-paho/paho.mqtt.testing/tree/master/interoperability
 */
import { expect } from "bun:test";
import type { IConnackPacket } from "mqtt-packet";
import { BOTH, type Case, FIVE, lasting } from "./case.ts";
import type { Arrived } from "./device.ts";
import { Wire } from "./wire.ts";

const texts = (messages: readonly Arrived[]): string[] => messages.map(({ payload }) => payload);

/** The cases. */
export const PAHO_CASES: readonly Case[] = [
  {
    title: "test_basic: connect, subscribe at 2, publish at 0, 1 and 2, disconnect; a second CONNECT ends the connection",
    versions: BOTH,
    run: async ({ wire, topic, version }) => {
      const client = await wire("a");
      expect(await client.subscribe(topic("t"), { qos: 2 })).toBe(2);
      for (const qos of [0, 1, 2] as const) await client.publish(topic("t"), `qos ${qos}`, { qos });
      expect(texts(await client.take(3)).sort()).toEqual(["qos 0", "qos 1", "qos 2"]);
      client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: version, clientId: "again", clean: true, keepalive: 0 });
      await client.ended();
    },
  },
  {
    title: "test_retained_message: three topics of three qualities come retained, after empty ones none",
    versions: BOTH,
    run: async ({ wire, topic }) => {
      const sender = await wire("s");
      for (const qos of [0, 1, 2] as const) await sender.publish(topic(`TopicA/${qos}`), `qos ${qos}`, { qos, retain: true });
      const first = await wire("b");
      await first.subscribe(topic("TopicA/+"), { qos: 2 });
      expect((await first.take(3)).map(({ retain, payload }) => [retain, payload]).sort()).toEqual(
        [0, 1, 2].map((n) => [true, `qos ${n}`]),
      );
      for (const qos of [0, 1, 2] as const) await sender.publish(topic(`TopicA/${qos}`), "", { qos, retain: true });
      const second = await wire("c");
      await second.subscribe(topic("TopicA/+"), { qos: 2 });
      expect(await second.take()).toEqual([]);
    },
  },
  {
    title: "test_will_message: the will of a client that was cut off reaches a subscriber at 2",
    versions: BOTH,
    run: async ({ wire, topic }) => {
      const watcher = await wire("w");
      await watcher.subscribe(topic("C"), { qos: 2 });
      const rude = await wire("r", {
        keepalive: 2,
        will: { topic: topic("C"), payload: Buffer.from("client not disconnected"), qos: 2, retain: false },
      });
      await rude.cut();
      expect(texts([await watcher.next()])).toEqual(["client not disconnected"]);
    },
  },
  {
    title: "test_zero_length_clientid: taken with a clean start; without one refused in 3.1.1 with code 2",
    versions: BOTH,
    run: async ({ wire, endpoint, version }) => {
      await wire("", { clientId: "" });
      const asking = await Wire.open(endpoint.tcp, version);
      const length = version === 5 ? 13 : 12;
      asking.sendBytes(Buffer.from([0x10, length, 0, 4, ...Buffer.from("MQTT"), version, 0, 0, 0, ...(version === 5 ? [0] : []), 0, 0]));
      const { returnCode, reasonCode } = (await asking.hear("connack")) as IConnackPacket;
      expect(version === 5 ? reasonCode : returnCode).toBe(version === 5 ? 0 : 2);
      await asking.cut();
    },
  },
  {
    title: "test_offline_message_queueing: what is published at 1 and 2 waits, at 0 may",
    versions: BOTH,
    run: async ({ wire, topic, version }) => {
      const away = await wire("r", lasting(version));
      await away.subscribe(topic("+/+"), { qos: 2 });
      await away.end();
      const sender = await wire("s");
      for (const qos of [0, 1, 2] as const) await sender.publish(topic(`a/${qos}`), `qos ${qos}`, { qos });
      const back = await wire("r", lasting(version));
      const got = texts(await back.take(2));
      expect(got.filter((text) => text !== "qos 0")).toEqual(["qos 1", "qos 2"]);
    },
  },
  {
    title: "test_keepalive: a client that falls silent is ended, and its will published",
    versions: BOTH,
    run: async ({ wire, topic }) => {
      const watcher = await wire("w");
      await watcher.subscribe(topic("gone"), { qos: 2 });
      const will = { topic: topic("gone"), payload: Buffer.from("keepalive expiry"), qos: 2 as const, retain: false };
      const silent = await wire("x", { keepalive: 1, will });
      expect(texts([await watcher.next()])).toEqual(["keepalive expiry"]);
      await silent.ended();
    },
  },
  {
    title: "test_redelivery_on_reconnect: what was not acknowledged comes again, marked as a repetition under its identifier",
    versions: BOTH,
    run: async ({ wire, topic, version }) => {
      const first = await wire("r", lasting(version));
      await first.subscribe(topic("t"), { qos: 2 });
      first.acknowledges = false;
      const sender = await wire("s");
      for (const qos of [1, 2] as const) await sender.publish(topic("t"), `${qos}`, { qos });
      const before = [await first.hear("publish"), await first.hear("publish")];
      await first.cut();
      const second = await wire("r", lasting(version));
      const again = await second.take(2);
      expect(again.map(({ payload, dup, qos }) => [payload, dup, qos])).toEqual([
        ["1", true, 1],
        ["2", true, 2],
      ]);
      expect(before.map(({ messageId }) => messageId)).toEqual([1, 2]);
      expect(await second.take()).toEqual([]);
      await second.end();
      expect(await (await wire("r", lasting(version))).take()).toEqual([]);
    },
  },
  {
    title: "redelivery after PUBREC: PUBREL comes again, the message does not",
    versions: BOTH,
    run: async ({ wire, topic, version }) => {
      const first = await wire("r", lasting(version));
      await first.subscribe(topic("t"), { qos: 2 });
      first.acknowledges = false;
      await (await wire("s")).publish(topic("t"), "once", { qos: 2 });
      const { messageId = 0 } = await first.hear("publish");
      first.send({ cmd: "pubrec", messageId, reasonCode: 0 });
      await first.hear("pubrel");
      await first.cut();
      const second = await wire("r", { ...lasting(version) });
      second.acknowledges = false;
      // What follows CONNACK at once is acknowledged before the flag is off; then silence says the same.
      const released = await second.hear("pubrel", 1_000).catch(() => undefined);
      if (released) expect(released.messageId).toBe(messageId);
      expect(await second.take()).toEqual([]);
    },
  },
  {
    title: "exactly once from the sender: a repetition before PUBREL is answered and not delivered again",
    versions: BOTH,
    run: async ({ wire, topic, version }) => {
      const listener = await wire("l");
      await listener.subscribe(topic("t"), { qos: 1 });
      const sender = await wire("s", lasting(version));
      sender.say(topic("t"), "once", { qos: 2, messageId: 7 });
      await sender.hear("pubrec");
      await sender.cut();
      const back = await wire("s", lasting(version));
      back.say(topic("t"), "once", { qos: 2, messageId: 7, dup: true });
      await back.hear("pubrec");
      back.send({ cmd: "pubrel", messageId: 7, reasonCode: 0 });
      await back.hear("pubcomp");
      await back.publish(topic("t"), "twice", { qos: 2 });
      expect(texts(await listener.take(2))).toEqual(["once", "twice"]);
    },
  },
  {
    title: "test_dollar_topics: $ topics are not found by wildcards in front",
    versions: BOTH,
    run: async ({ wire }) => {
      const client = await wire("x");
      await client.subscribe("+/+/+", { qos: 2 });
      await client.subscribe("#", { qos: 2 });
      client.say("$paho/test/dollar", "not for wildcards");
      const got = await client.take();
      expect(got.filter(({ topic }) => topic.startsWith("$"))).toEqual([]);
    },
  },
  {
    title: "test_unsubscribe: only what is still subscribed to comes",
    versions: BOTH,
    run: async ({ wire, topic }) => {
      const [client, sender] = [await wire("a"), await wire("b")];
      for (const name of ["TopicA", "TopicA/B", "Topic/C"]) await client.subscribe(topic(name), { qos: 2 });
      await client.unsubscribe(topic("TopicA"));
      for (const name of ["TopicA", "TopicA/B", "Topic/C"]) await sender.publish(topic(name), name, { qos: 1 });
      expect(texts(await client.take(2))).toEqual(["TopicA/B", "Topic/C"]);
    },
  },
  {
    title: "test_session_expiry: DISCONNECT sets it, and may not set one where there was none",
    versions: FIVE,
    run: async ({ wire, endpoint }) => {
      const kept = async (asked: number, last?: number): Promise<void> => {
        const client = await wire("x", { clean: false, properties: { sessionExpiryInterval: asked } });
        client.send({ cmd: "disconnect", reasonCode: 0, ...(last === undefined ? {} : { properties: { sessionExpiryInterval: last } }) });
        await client.ended();
      };
      await kept(600, 0);
      expect((await wire("x", { clean: false })).connack.sessionPresent).toBe(false);
      await kept(1, 600);
      await Bun.sleep(2_600);
      expect((await wire("x", { clean: false, properties: { sessionExpiryInterval: 1 } })).connack.sessionPresent).toBe(true);
      const bad = await wire("y", { clean: true });
      bad.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 5 } });
      const reason = await bad.ended();
      if (endpoint.name === "bizra") expect(reason).toBe(0x82);
    },
  },
  {
    title: "test_publication_expiry: gone after its time, the rest with what is left of it",
    versions: FIVE,
    run: async ({ wire, topic }) => {
      const settings = lasting(5);
      await (await wire("b", settings)).subscribe(topic("e"), { qos: 2 });
      await (await wire("b", settings)).end();
      const sender = await wire("a");
      for (const [text, qos, messageExpiryInterval] of [
        ["q1 1", 1, 1],
        ["q2 5", 2, 5],
        ["q1 6", 1, 6],
        ["q2 1", 2, 1],
      ] as const) {
        await sender.publish(topic("e"), text, { qos, properties: { messageExpiryInterval } });
      }
      await Bun.sleep(2_100);
      const got = await (await wire("b", settings)).take(2);
      expect(texts(got).sort()).toEqual(["q1 6", "q2 5"]);
      for (const { properties } of got) expect(properties.messageExpiryInterval).toBeLessThan(5);
    },
  },
  {
    title: "test_subscribe_identifiers: each delivery names the subscriptions that found it",
    versions: FIVE,
    run: async ({ wire, topic }) => {
      const [one, two] = [await wire("a"), await wire("b")];
      await one.subscribe(topic("a"), { qos: 2, id: 456_789 });
      await two.subscribe(topic("a"), { qos: 2, id: 2 });
      await two.subscribe(topic("+"), { qos: 2, id: 3 });
      await one.publish(topic("a"), "x", { qos: 1 });
      expect([(await one.next()).properties.subscriptionIdentifier].flat()).toEqual([456_789]);
      const ids = (await two.take(1)).flatMap(({ properties }) => properties.subscriptionIdentifier ?? []);
      expect(ids.sort()).toEqual([2, 3]);
    },
  },
  {
    title: "test_subscribe_identifiers: 0 is a protocol error",
    versions: FIVE,
    run: async ({ wire, endpoint }) => {
      const client = await wire("x");
      client.sendBytes(Uint8Array.of(0x82, 9, 0, 1, 2, 0x0b, 0, 0, 1, 0x61, 0));
      const reason = await client.ended();
      if (endpoint.name === "bizra") expect([0x81, 0x82]).toContain(reason ?? -1);
    },
  },
  {
    title: "test_client_topic_alias: 0 and one above the maximum end the connection; set, used, set anew",
    versions: FIVE,
    run: async ({ wire, topic, endpoint }) => {
      const bad = async (alias: number): Promise<number | undefined> => {
        const client = await wire("bad");
        const name = Buffer.from("t");
        client.sendBytes(Buffer.from([0x30, 7, 0, 1, ...name, 3, 0x23, alias >> 8, alias & 255]));
        return await client.ended();
      };
      for (const alias of [0, 60_000]) {
        const reason = await bad(alias);
        if (endpoint.name === "bizra") expect([0x82, 0x94]).toContain(reason ?? -1);
      }
      const client = await wire("x");
      expect(client.connack.properties?.topicAliasMaximum).toBeGreaterThan(0);
      await client.subscribe(topic("#"), { qos: 1 });
      const say = (name: string, text: string) => client.publish(name, text, { qos: 1, properties: { topicAlias: 1 } });
      await say(topic("a"), "1");
      await say("", "2");
      await say(topic("b"), "3");
      await say("", "4");
      expect((await client.take(4)).map((message) => message.topic)).toEqual(["a", "a", "b", "b"].map(topic));
      await client.end();
      const next = await wire("x");
      next.say("", "forgotten", { properties: { topicAlias: 1 } });
      await next.ended();
    },
  },
  {
    title: "test_server_topic_alias: never above what the client takes, and none where it takes none",
    versions: FIVE,
    run: async ({ wire, topic }) => {
      const sender = await wire("s");
      for (const topicAliasMaximum of [0, 2]) {
        const client = await wire(`r${topicAliasMaximum}`, { properties: { topicAliasMaximum } });
        await client.subscribe(topic(`${topicAliasMaximum}/#`), { qos: 1 });
        for (let n = 0; n < 12; n++) await sender.publish(topic(`${topicAliasMaximum}/${n % 3}`), `${n}`, { qos: 1 });
        const names = new Map<number, string>();
        const got = await client.take(12);
        for (const { topic: name, payload, properties } of got) {
          const { topicAlias } = properties;
          if (topicAlias !== undefined) expect(topicAlias).toBeLessThanOrEqual(topicAliasMaximum);
          if (topicAlias !== undefined && name !== "") names.set(topicAlias, name);
          const meant = name === "" ? names.get(topicAlias ?? 0) : name;
          expect(meant).toBe(topic(`${topicAliasMaximum}/${Number(payload) % 3}`));
        }
      }
    },
  },
  {
    title: "test_maximum_packet_size: larger ones are left out for the receiver, a larger one to the broker ends with 0x95",
    versions: FIVE,
    run: async ({ wire, topic, endpoint }) => {
      const sender = await wire("s");
      const receiver = await wire("r", { properties: { maximumPacketSize: 64 } });
      await receiver.subscribe(topic("t"), { qos: 2 });
      for (const [text, qos] of [
        ["y".repeat(200), 1],
        ["fits", 1],
        ["z".repeat(200), 2],
        ["too", 2],
      ] as const)
        await sender.publish(topic("t"), text, { qos });
      expect(texts(await receiver.take(2))).toEqual(["fits", "too"]);
      const { maximumPacketSize } = sender.connack.properties ?? {};
      if (endpoint.name !== "bizra" || maximumPacketSize === undefined) return;
      sender.say(topic("t"), "x".repeat(maximumPacketSize), { qos: 1 });
      expect(await sender.ended()).toBe(0x95);
    },
  },
  {
    title: "test_server_keep_alive: told when it is another than the client asked for",
    versions: FIVE,
    run: async ({ wire }) => {
      const client = await wire("x", { keepalive: 65_535 });
      expect(client.connack.properties?.serverKeepAlive).toBe(3_600);
    },
  },
  {
    title: "test_flow_control1: beyond the receive maximum of the broker 0x93 ends the connection",
    versions: FIVE,
    run: async ({ wire, topic, endpoint }) => {
      const client = await wire("x");
      const { receiveMaximum = 65_535 } = client.connack.properties ?? {};
      for (let n = 0; n <= receiveMaximum; n++) client.say(topic("t"), "", { qos: 2 });
      if (endpoint.name === "mosquitto") return; // it queues them instead
      expect(await client.ended()).toBe(0x93);
    },
  },
  {
    title: "test_flow_control2: no more is open to a client than its receive maximum, and the rest follows its answers",
    versions: FIVE,
    run: async ({ wire, topic, endpoint }) => {
      const receiver = await wire("r", { properties: { receiveMaximum: 3 } });
      await receiver.subscribe(topic("t"), { qos: 1 });
      receiver.acknowledges = false;
      const sender = await wire("s");
      for (let n = 0; n < 10; n++) await sender.publish(topic("t"), `${n}`, { qos: 1 });
      expect(texts(await receiver.take())).toEqual(["0", "1", "2"]);
      if (endpoint.name === "mosquitto") return; // 2.0 then sends several for one answer
      for (let n = 3; n < 10; n++) {
        const { messageId = 0 } = await receiver.hear("publish");
        receiver.send({ cmd: "puback", messageId, reasonCode: 0 });
        expect(texts(await receiver.take(1))).toEqual([`${n}`]);
      }
    },
  },
  {
    title: "test_flow_control2 with exactly once: a place is free again at PUBCOMP only",
    versions: FIVE,
    run: async ({ wire, topic }) => {
      const receiver = await wire("r", { properties: { receiveMaximum: 1 } });
      await receiver.subscribe(topic("t"), { qos: 2 });
      receiver.acknowledges = false;
      const sender = await wire("s");
      for (const text of ["a", "b"]) await sender.publish(topic("t"), text, { qos: 2 });
      const { messageId = 0 } = await receiver.hear("publish");
      receiver.send({ cmd: "pubrec", messageId, reasonCode: 0 });
      await receiver.hear("pubrel");
      expect(texts(await receiver.take())).toEqual(["a"]);
      receiver.send({ cmd: "pubcomp", messageId, reasonCode: 0 });
      expect(texts(await receiver.take(1))).toEqual(["b"]);
    },
  },
  {
    title: "test_subscribe_failure and ill-formed packets: ended, as MQTT 5 with a reason",
    versions: BOTH,
    run: async ({ wire, version, endpoint }) => {
      const bad: readonly (readonly number[])[] = [
        [0x80, 2, 0, 1], // SUBSCRIBE with wrong flags
        [0x82, 2, 0, 1], // and without a filter
        [0x36, 5, 0, 1, 0x61, 0, 1], // PUBLISH of quality 3
        [0x30, 4, 0, 2, 0xc0, 0x80], // a topic that is no UTF-8
        [0x32, 5, 0, 1, 0x61, 0, 0], // packet identifier 0
        [0x60, 2, 0, 1], // PUBREL with wrong flags
        [0xf1, 0], // a type with wrong flags
        [0x00, 0], // no type
        [0xc0, 0x80, 0x80, 0x80, 0x80, 0x01], // a length of five bytes
      ];
      for (const bytes of bad) {
        const client = await wire("x");
        client.sendBytes(Uint8Array.from(bytes));
        const reason = await client.ended();
        if (endpoint.name === "bizra" && version === 5) expect(reason).toBeGreaterThanOrEqual(0x80);
      }
    },
  },
];
