/** Every feature of the broker as a case that any client can play. */
import { expect } from "bun:test";
import { BOTH, type Case, FIVE, lasting } from "./case.ts";
import type { Arrived } from "./device.ts";

const texts = (messages: readonly Arrived[]): string[] => messages.map(({ payload }) => payload);

/** The cases, by feature in the order of the specification. */
export const FEATURE_CASES: readonly Case[] = [
  {
    title: "quality of service: published at 0, 1 and 2, delivered at the lower of both sides",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      for (const granted of [0, 1, 2] as const) expect(await receiver.subscribe(topic(`q${granted}`), { qos: granted })).toBe(granted);
      for (const granted of [0, 1, 2] as const) {
        for (const qos of [0, 1, 2] as const) expect(await sender.publish(topic(`q${granted}`), `${qos}`, { qos })).toBe(0);
        const arrived = await receiver.take();
        expect(arrived.map(({ payload, qos, dup, retain }) => [payload, qos, dup, retain])).toEqual(
          ["0", "1", "2"].map((text) => [text, Math.min(Number(text), granted), false, false]),
        );
      }
    },
  },
  {
    title: "order: 200 messages of each quality arrive in the order in which they were sent",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      for (const qos of [0, 1, 2] as const) {
        await receiver.subscribe(topic(`o${qos}`), { qos });
        for (let n = 0; n < 200; n++) await sender.publish(topic(`o${qos}`), `${n}`, { qos });
        expect(texts(await receiver.take(200))).toEqual(Array.from({ length: 200 }, (_, n) => `${n}`));
      }
    },
  },
  {
    title: "payloads: empty, binary and 200 KB come through whole",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      await receiver.subscribe(topic("#"), { qos: 1 });
      const large = "x".repeat(200_000);
      for (const text of ["", "\u0000\u0001", large]) await sender.publish(topic("p"), text, { qos: 1 });
      expect(texts([await receiver.next(), await receiver.next(), await receiver.next()])).toEqual(["", "\u0000\u0001", large]);
    },
  },
  {
    title: "wildcards: + is one level, # is any and the one above, neither in front finds $ topics",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      const heard = async (filter: string): Promise<string[]> => {
        await receiver.subscribe(filter);
        for (const name of ["a", "a/b", "a/b/c", "/a", "a/"]) await sender.publish(topic(name), name);
        const names = texts(await receiver.take());
        await receiver.unsubscribe(filter);
        return names;
      };
      expect(await heard(topic("a/#"))).toEqual(["a", "a/b", "a/b/c", "a/"]);
      expect(await heard(topic("a/+"))).toEqual(["a/b", "a/"]);
      expect(await heard(topic("+/+"))).toEqual(["a/b", "/a", "a/"]);
      expect(await heard(topic("+/b/#"))).toEqual(["a/b", "a/b/c"]);
      await receiver.subscribe("+/broker/#");
      expect(await receiver.take()).toEqual([]);
    },
  },
  {
    title: "unsubscribing: nothing more comes",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      for (const name of ["a", "b"]) await receiver.subscribe(topic(name));
      await receiver.unsubscribe(topic("a"));
      for (const name of ["a", "b"]) await sender.publish(topic(name), name);
      expect(texts(await receiver.take())).toEqual(["b"]);
    },
  },
  {
    title: "retained: kept, replaced, marked as retained to a new subscriber only, cleared by an empty payload",
    versions: BOTH,
    run: async ({ connect, topic }) => {
      const [sender, early] = [await connect("s"), await connect("e")];
      await early.subscribe(topic("#"), { qos: 2 });
      for (const [text, qos] of [
        ["1", 0],
        ["2", 1],
        ["3", 2],
      ] as const)
        await sender.publish(topic("r"), text, { qos, retain: true });
      expect((await early.take(3)).map(({ payload, retain }) => [payload, retain])).toEqual([
        ["1", false],
        ["2", false],
        ["3", false],
      ]);
      const late = await connect("l");
      await late.subscribe(topic("+"), { qos: 2 });
      expect(await late.next()).toMatchObject({ payload: "3", retain: true, qos: 2 });
      await late.subscribe(topic("+"), { qos: 1 });
      expect(await late.next()).toMatchObject({ payload: "3", retain: true, qos: 1 });
      await sender.publish(topic("r"), "", { qos: 1, retain: true });
      expect(texts(await early.take(1))).toEqual([""]);
      const last = await connect("x");
      await last.subscribe(topic("#"));
      expect(await last.take()).toEqual([]);
    },
  },
  {
    title: "retain handling: 0 always, 1 for a new subscription, 2 never; retain as published",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      await sender.publish(topic("r"), "kept", { qos: 1, retain: true });
      const got = async (rh: 0 | 1 | 2): Promise<number> => {
        await receiver.subscribe(topic("r"), { rh });
        return (await receiver.take()).length;
      };
      expect([await got(2), await got(1), await got(0), await got(0)]).toEqual([0, 0, 1, 1]);
      await receiver.unsubscribe(topic("r"));
      expect([await got(1), await got(1)]).toEqual([1, 0]);
      await receiver.unsubscribe(topic("r"));
      await receiver.subscribe(topic("r"), { rap: true, rh: 2 });
      await sender.publish(topic("r"), "flag kept", { retain: true });
      expect((await receiver.take()).map(({ retain }) => retain)).toEqual([true]);
      await sender.publish(topic("r"), "", { retain: true });
    },
  },
  {
    title: "wills: published when the network is lost, not after a goodbye, with quality and retain as asked",
    versions: BOTH,
    run: async ({ connect, topic, version }) => {
      const watcher = await connect("w");
      await watcher.subscribe(topic("#"), { qos: 2 });
      const will = (name: string) => ({ will: { topic: topic(name), payload: Buffer.from(name), qos: 1 as const, retain: true } });
      const polite = await connect("polite", will("polite"));
      await polite.end();
      const rude = await connect("rude", will("rude"));
      await rude.cut();
      expect(await watcher.next()).toMatchObject({ payload: "rude", qos: 1 });
      if (version === 5) {
        const asking = await connect("asking", will("asking"));
        await asking.end(4);
        expect(await watcher.next()).toMatchObject({ payload: "asking" });
      }
      const late = await connect("late");
      await late.subscribe(topic("rude"), { qos: 1 });
      expect(await late.next()).toMatchObject({ payload: "rude", retain: true });
      for (const name of ["rude", "asking"]) await late.publish(topic(name), "", { qos: 1, retain: true });
      expect(texts(await watcher.take()).filter((text) => text !== "")).toEqual([]);
    },
  },
  {
    title: "will delay: waits, is forgotten when the client is back in time, and is said when the session ends",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const watcher = await connect("w");
      await watcher.subscribe(topic("#"), { qos: 1 });
      const settings = (name: string, willDelayInterval: number, sessionExpiryInterval: number) => ({
        clean: false,
        properties: { sessionExpiryInterval },
        will: { topic: topic(name), payload: Buffer.from(name), qos: 1 as const, retain: false, properties: { willDelayInterval } },
      });
      const back = settings("back", 2, 60);
      await (await connect("back", back)).cut();
      await (await connect("back", { ...back, will: { ...back.will, payload: Buffer.from("second") } })).end();
      await (await connect("late", settings("late", 1, 60))).cut();
      await (await connect("ends", settings("ends", 60, 1))).cut();
      expect(await watcher.take()).toEqual([]);
      expect(texts([await watcher.next(), await watcher.next()]).sort()).toEqual(["ends", "late"]);
      expect(await watcher.take()).toEqual([]);
    },
  },
  {
    title: "will properties: content type, response topic, correlation, user properties and expiry travel with it",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const watcher = await connect("w");
      await watcher.subscribe(topic("#"), { qos: 1 });
      const properties = {
        contentType: "text/plain",
        responseTopic: topic("answer"),
        correlationData: Buffer.from("c1"),
        userProperties: { a: "1" },
        messageExpiryInterval: 100,
        payloadFormatIndicator: true,
      };
      const rude = await connect("rude", { will: { topic: topic("gone"), payload: Buffer.from("x"), qos: 1, retain: false, properties } });
      await rude.cut();
      const got = await watcher.next();
      expect(got.properties).toMatchObject({ contentType: "text/plain", responseTopic: topic("answer"), payloadFormatIndicator: true });
      expect(String(got.properties.correlationData)).toBe("c1");
      expect({ ...got.properties.userProperties }).toEqual({ a: "1" });
      expect(got.properties.messageExpiryInterval).toBeLessThanOrEqual(100);
    },
  },
  {
    title: "sessions: what came while away is delivered on return; a clean start forgets it",
    versions: BOTH,
    run: async ({ connect, topic, version }) => {
      const sender = await connect("s");
      const first = await connect("r", lasting(version));
      expect(first.connack.sessionPresent).toBe(false);
      await first.subscribe(topic("#"), { qos: 2 });
      await first.end();
      for (const qos of [1, 2] as const) await sender.publish(topic("x"), `${qos}`, { qos });
      const second = await connect("r", lasting(version));
      expect(second.connack.sessionPresent).toBe(true);
      expect((await second.take(2)).map(({ payload, qos, dup }) => [payload, qos, dup])).toEqual([
        ["1", 1, false],
        ["2", 2, false],
      ]);
      await second.cut();
      const third = await connect("r", { ...lasting(version), clean: true });
      expect(third.connack.sessionPresent).toBe(false);
      await sender.publish(topic("x"), "unheard", { qos: 1 });
      expect(await third.take()).toEqual([]);
    },
  },
  {
    title: "session expiry: 0 ends it with the connection, DISCONNECT changes it, seconds pass",
    versions: FIVE,
    run: async ({ connect }) => {
      const present = async (seconds: number, clean = false): Promise<boolean> => {
        const device = await connect("x", { clean, properties: { sessionExpiryInterval: seconds } });
        await device.end();
        return device.connack.sessionPresent;
      };
      expect([await present(0, true), await present(600), await present(600), await present(1)]).toEqual([false, false, true, true]);
      await Bun.sleep(2_600);
      expect([await present(0), await present(0)]).toEqual([false, false]);
    },
  },
  {
    title: "take-over: a second connection of a client id ends the first, its session goes on",
    versions: BOTH,
    run: async ({ connect, topic, version, endpoint }) => {
      const first = await connect("x", lasting(version));
      await first.subscribe(topic("t"), { qos: 1 });
      const second = await connect("x", lasting(version));
      const reason = await first.ended();
      if (version === 5 && endpoint.name === "bizra") expect(reason).toBe(0x8e);
      expect(second.connack.sessionPresent).toBe(true);
      await second.publish(topic("t"), "mine", { qos: 1 });
      expect(texts([await second.next()])).toEqual(["mine"]);
    },
  },
  {
    title: "overlapping subscriptions: with highest quality, and all identifiers in MQTT 5",
    versions: BOTH,
    run: async ({ connect, topic, version, endpoint }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      await receiver.subscribe(topic("a/#"), { qos: 2, ...(version === 5 ? { id: 1 } : {}) });
      await receiver.subscribe(topic("a/+"), { qos: 1, ...(version === 5 ? { id: 268_435_455 } : {}) });
      await sender.publish(topic("a/b"), "x", { qos: 2 });
      const arrived = await receiver.take(version === 5 && endpoint.name === "mosquitto" ? 2 : 1);
      const ids = arrived.flatMap(({ properties }) => properties.subscriptionIdentifier ?? []);
      if (version === 5) expect(ids.sort()).toEqual([1, 268_435_455]);
      if (endpoint.name === "bizra") expect(arrived.map(({ qos }) => qos)).toEqual([2]);
      else expect(Math.max(...arrived.map(({ qos }) => qos))).toBeGreaterThan(0); // mosquitto sends a copy for each, or the first alone
    },
  },
  {
    title: "no local: a client does not hear itself, others do",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const [one, other] = [await connect("one"), await connect("other")];
      for (const device of [one, other]) await device.subscribe(topic("t"), { qos: 1, nl: true });
      await one.publish(topic("t"), "of one", { qos: 1 });
      await other.publish(topic("t"), "of other", { qos: 1 });
      expect([texts(await one.take()), texts(await other.take())]).toEqual([["of other"], ["of one"]]);
    },
  },
  {
    title: "shared subscriptions: each message to one member, all of them served, an ordinary subscriber hears all",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const sender = await connect("s");
      const members = [await connect("m1"), await connect("m2"), await connect("m3")];
      const listener = await connect("l");
      for (const member of members) expect(await member.subscribe(`$share/g/${topic("#")}`, { qos: 1 })).toBe(1);
      await listener.subscribe(topic("#"), { qos: 1 });
      const sent = Array.from({ length: 30 }, (_, n) => `${n}`);
      for (const text of sent) await sender.publish(topic("w"), text, { qos: 1 });
      const got = await Promise.all(members.map(async (member) => texts(await member.take())));
      expect(got.flat().sort()).toEqual([...sent].sort());
      for (const part of got) expect(part.length).toBeGreaterThan(0);
      expect(texts(await listener.take())).toEqual(sent);
    },
  },
  {
    title: "user properties, content type, payload format: unchanged, in order, with repetition",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const [sender, receiver] = [await connect("s"), await connect("r")];
      await receiver.subscribe(topic("t"), { qos: 1 });
      const properties = { userProperties: { b: ["2", "1"], a: "x" }, contentType: "application/json", payloadFormatIndicator: true };
      await sender.publish(topic("t"), "{}", { qos: 1, properties });
      const { properties: got } = await receiver.next();
      expect({ ...got.userProperties }).toEqual({ b: ["2", "1"], a: "x" });
      expect(got).toMatchObject({ contentType: "application/json", payloadFormatIndicator: true });
    },
  },
  {
    title: "message expiry: counted down while it waits, dropped when over",
    versions: FIVE,
    run: async ({ connect, topic, version }) => {
      const sender = await connect("s");
      const away = await connect("r", lasting(version));
      await away.subscribe(topic("t"), { qos: 1 });
      await away.end();
      await sender.publish(topic("t"), "short", { qos: 1, properties: { messageExpiryInterval: 1 } });
      await sender.publish(topic("t"), "long", { qos: 1, properties: { messageExpiryInterval: 100 } });
      await sender.publish(topic("t"), "kept", { qos: 1, retain: true, properties: { messageExpiryInterval: 1 } });
      await Bun.sleep(2_100);
      const back = await connect("r", lasting(version));
      const [long, ...more] = await back.take();
      expect(long).toMatchObject({ payload: "long" });
      expect(long?.properties.messageExpiryInterval).toBeLessThan(100);
      expect(more).toEqual([]);
      const late = await connect("l");
      await late.subscribe(topic("t"));
      expect(await late.take()).toEqual([]);
    },
  },
  {
    title: "request and response: response topic and correlation data reach the other side",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const [asker, answerer] = [await connect("a"), await connect("b")];
      await asker.subscribe(topic("answers/asker"), { qos: 1 });
      await answerer.subscribe(topic("questions"), { qos: 1 });
      const properties = { responseTopic: topic("answers/asker"), correlationData: Buffer.from([0, 1, 255]) };
      await asker.publish(topic("questions"), "?", { qos: 1, properties });
      const { properties: asked } = await answerer.next();
      const { responseTopic = "", correlationData = Buffer.from("none") } = asked;
      await answerer.publish(responseTopic, "!", { qos: 1, properties: { correlationData } });
      const answer = await asker.next();
      expect([answer.topic, answer.payload, answer.properties.correlationData]).toEqual([
        topic("answers/asker"),
        "!",
        Buffer.from([0, 1, 255]),
      ]);
    },
  },
  {
    title: "assigned client id: told, and each another one",
    versions: FIVE,
    run: async ({ connect }) => {
      const ids = await Promise.all([1, 2].map(async () => (await connect("")).connack.properties?.assignedClientIdentifier ?? ""));
      expect(ids[0]?.length).toBeGreaterThan(0);
      expect(ids[0]).not.toBe(ids[1]);
    },
  },
  {
    title: "maximum packet size: nothing larger than the receiver takes, smaller ones come",
    versions: FIVE,
    run: async ({ connect, topic }) => {
      const sender = await connect("s");
      const receiver = await connect("r", { properties: { maximumPacketSize: 200 } });
      await receiver.subscribe(topic("t"), { qos: 1 });
      for (const text of ["small", "x".repeat(500), "smaller"]) await sender.publish(topic("t"), text, { qos: 1 });
      expect(texts(await receiver.take())).toEqual(["small", "smaller"]);
    },
  },
  {
    title: "$SYS: version and figures are there, and cannot be written",
    versions: BOTH,
    run: async ({ connect }) => {
      const reader = await connect("r");
      await reader.subscribe("$SYS/broker/version");
      expect((await reader.next()).payload.length).toBeGreaterThan(0);
      await reader.subscribe("$SYS/broker/clients/connected");
      const figure = await reader.next();
      expect(Number(figure.payload)).toBeGreaterThanOrEqual(0);
      expect(figure.retain).toBe(true);
    },
  },
  {
    title: "filters of wrong form are refused, one by one, and the connection goes on",
    versions: FIVE,
    run: async ({ wire, topic, endpoint }) => {
      const device = await wire("x");
      if (endpoint.name === "mosquitto") return; // it ends the connection instead, which the specification allows too
      for (const filter of ["a/#/b", "a+", "#a", "$share//x", "$share/g"]) expect(await device.subscribe(filter)).toBe(0x8f);
      expect(await device.subscribe(topic("fine"))).toBe(0);
    },
  },
];
