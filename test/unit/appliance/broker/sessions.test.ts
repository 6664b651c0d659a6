import { describe, expect, test } from "bun:test";
import { BrokerRig } from "./broker-rig.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 100 } };

describe("broker: sessions", () => {
  test("broker: [MQTT-3.1.2-5] a session that is kept, resumed with what waited, in order; a clean start ends it", async () => {
    const rig = new BrokerRig();
    const sender = await rig.connect("sender");
    const first = await rig.connect("c", KEPT);
    expect(first.connack?.sessionPresent).toBe(false);
    first.subscribe("t", 2);
    await rig.settle();
    first.lose();
    for (const [payload, qos] of [
      ["1", 1],
      ["lost", 0],
      ["2", 2],
      ["3", 1],
    ] as const)
      sender.publish("t", payload, { qos });
    await rig.settle();
    const again = await rig.connect("c", KEPT);
    expect(again.connack?.sessionPresent).toBe(true);
    expect(again.packets.map(({ payload, qos, dup }) => [String(payload), qos, dup])).toEqual([
      ["1", 1, false],
      ["3", 1, false],
      ["2", 2, false],
    ]);
    again.lose();
    const clean = await rig.connect("c", { ...KEPT, clean: true });
    expect([clean.connack?.sessionPresent, clean.packets.length, rig.broker.figures().queuedCount]).toEqual([false, 0, 0]);
    sender.publish("t", "4", { qos: 1 });
    expect(clean.packets).toEqual([]);
  });

  test("broker: [MQTT-4.4.0-1] on resume, PUBLISH again with DUP and PUBREL again, under the same identifiers", async () => {
    const rig = new BrokerRig();
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    client.subscribe("t", 2);
    await rig.settle();
    client.take("suback");
    for (const qos of [1, 2, 2] as const) sender.publish("t", `q${qos}`, { qos });
    await rig.settle();
    expect(client.packets.map(({ messageId }) => messageId)).toEqual([1, 2, 3]);
    client.send({ cmd: "pubrec", messageId: 2, reasonCode: 0 });
    await rig.settle();
    client.lose();
    const again = await rig.connect("c", KEPT);
    expect(again.packets.map(({ cmd, messageId, dup }) => [cmd, messageId, dup])).toEqual([
      ["publish", 1, true],
      ["pubrel", 2, false],
      ["publish", 3, true],
    ]);
    again.send({ cmd: "puback", messageId: 1, reasonCode: 0 });
    again.send({ cmd: "pubcomp", messageId: 2, reasonCode: 0 });
    again.send({ cmd: "pubrec", messageId: 3, reasonCode: 0x83 });
    expect(rig.broker.figures().queuedCount).toBe(0);
  });

  test("broker: [MQTT-3.1.2-23] a session ends when its expiry has passed, and not before", async () => {
    const rig = new BrokerRig();
    for (const [passed, isPresent] of [
      [99_000, true],
      [101_000, false],
    ] as const) {
      const client = await rig.connect("c", KEPT);
      client.lose();
      await rig.pass(passed);
      const again = await rig.connect("c", KEPT);
      expect(again.connack?.sessionPresent).toBe(isPresent);
      again.lose();
    }
  });

  test("broker: DISCONNECT changes the expiry; from none it cannot be raised", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c", KEPT);
    client.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    expect([client.isClosed, rig.broker.figures().sessionCount]).toEqual([true, 0]);
    const fleeting = await rig.connect("f");
    fleeting.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 5 } });
    expect(fleeting.take("disconnect").reasonCode).toBe(0x82);
  });

  test("broker: [MQTT-3.1.4-3] a client id that connects again, the first told 0x8E and closed; nobody else may", async () => {
    const rig = new BrokerRig();
    const first = await rig.connect("c", { ...KEPT, username: "ann" });
    const second = await rig.connect("c", { ...KEPT, username: "ann" });
    expect(first.take("disconnect").reasonCode).toBe(0x8e);
    expect([first.isClosed, second.connack?.sessionPresent, rig.broker.figures().sessionCount]).toEqual([true, true, 1]);
    await expect(rig.connect("c", { ...KEPT, username: "bob" })).rejects.toThrow(String(0x87));
    await rig.settle();
    expect(second.isClosed).toBe(false);
  });

  test("broker: access rules that changed, a session comes back without what it may no longer hear", async () => {
    const rules = { secret: true };
    const rig = new BrokerRig({ access: { maySubscribe: (_, filter) => rules.secret || !filter.startsWith("secret") } });
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    for (const filter of ["secret/#", "$share/g/secret/#", "open"]) client.subscribe(filter, 1);
    await rig.settle();
    client.lose();
    rules.secret = false;
    const again = await rig.connect("c", KEPT);
    for (const topic of ["secret/1", "open"]) sender.publish(topic, "x", { qos: 1 });
    expect([again.connack?.sessionPresent, again.takeMessages(), rig.broker.figures().subscriptionCount]).toEqual([true, ["open=x"], 1]);
  });

  test("broker: 3.1.1, a session that is not clean is kept for the longest expiry", async () => {
    const rig = new BrokerRig({ limits: { sessionExpirySecondsMax: 50 } });
    const old = { protocolVersion: 4, clean: false } as const;
    (await rig.connect("c", old)).lose();
    await rig.pass(49_000);
    const again = await rig.connect("c", old);
    expect(again.connack?.sessionPresent).toBe(true);
    again.send({ cmd: "disconnect" });
    await rig.pass(51_000);
    expect((await rig.connect("c", old)).connack?.sessionPresent).toBe(false);
  });

  test("broker: one session too many, refused while those there can come back", async () => {
    const rig = new BrokerRig({ limits: { sessionsMax: 1 } });
    (await rig.connect("c", KEPT)).lose();
    await expect(rig.connect("d")).rejects.toThrow(String(0x97));
    await rig.settle();
    await rig.connect("c", KEPT);
  });

  test("broker: one principal with a session too many, refused while others come, and let in when one of its own ends", async () => {
    const rig = new BrokerRig({ limits: { sessionsPerPrincipalMax: 2 } });
    const as = (username: string, more = {}) => ({ ...KEPT, username, password: Buffer.from("x"), ...more });
    (await rig.connect("a1", as("a"))).lose();
    await rig.connect("a2", as("a", { clean: true, properties: {} }));
    await expect(rig.connect("a3", as("a"))).rejects.toThrow(String(0x97));
    await rig.connect("b1", as("b"));
    const next = rig.next({ limits: { sessionsPerPrincipalMax: 2 } });
    await next.connect("a1", as("a"));
    await next.connect("a3", as("a"));
    await expect(next.connect("a4", as("a"))).rejects.toThrow(String(0x97));
  });

  test("broker: an operator ends a client, told 0x98; the end of the broker, told 0x8B", async () => {
    const rig = new BrokerRig();
    const [a, b] = [await rig.connect("a"), await rig.connect("b")];
    expect([rig.broker.disconnect(new Set(["a"])), rig.broker.disconnect(new Set(["nobody"]))]).toEqual([1, 0]);
    expect(a.take("disconnect").reasonCode).toBe(0x98);
    await rig.broker.stop();
    expect(b.take("disconnect").reasonCode).toBe(0x8b);
    expect([a.isClosed, b.isClosed, rig.time.pending]).toEqual([true, true, 0]);
  });
});

describe("broker: wills", () => {
  const will = { topic: "w", payload: "gone", qos: 1, retain: false } as const;

  test("broker: [MQTT-3.1.2-8] [MQTT-3.1.2-10] a connection that is lost, its will is published; not after goodbye, unless it says so", async () => {
    const rig = new BrokerRig();
    const watcher = await rig.connect("watcher");
    watcher.subscribe("w", 0);
    await rig.settle();
    watcher.take("suback");
    (await rig.connect("lost", { will })).lose();
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
    (await rig.connect("polite", { will })).send({ cmd: "disconnect", reasonCode: 0 });
    (await rig.connect("old", { will, protocolVersion: 4 })).send({ cmd: "disconnect" });
    await rig.settle();
    expect(watcher.takeMessages()).toEqual([]);
    (await rig.connect("telling", { will })).send({ cmd: "disconnect", reasonCode: 4 });
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
    (await rig.connect("wrong", { will })).sendBytes(Uint8Array.of(0, 0));
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
  });

  test("broker: [MQTT-3.1.3-9] a will with a delay, published after it, at the session's end, or never when the client is back", async () => {
    const rig = new BrokerRig();
    const watcher = await rig.connect("watcher");
    watcher.subscribe("w", 0);
    await rig.settle();
    watcher.take("suback");
    const delayed = { ...KEPT, will: { ...will, properties: { willDelayInterval: 10 } } };
    (await rig.connect("c", delayed)).lose();
    await rig.pass(9_000);
    const back = await rig.connect("c", delayed);
    await rig.pass(10_000);
    expect(watcher.takeMessages()).toEqual([]);
    back.lose();
    await rig.pass(10_001);
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
    (await rig.connect("c", delayed)).lose();
    await rig.connect("c", { ...KEPT, clean: true });
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
    const short = { ...delayed, properties: { sessionExpiryInterval: 2 } };
    (await rig.connect("d", short)).lose();
    await rig.pass(2_001);
    expect(watcher.takeMessages()).toEqual(["w=gone"]);
  });

  test("broker: a will to a topic that may not be published to, or to $SYS, no connection", async () => {
    const rig = new BrokerRig({ access: { mayPublish: (_, topic) => topic !== "secret" } });
    for (const topic of ["secret", "$SYS/x"]) await expect(rig.connect("c", { will: { ...will, topic } })).rejects.toThrow(String(0x87));
    await expect(rig.connect("c", { will: { ...will, topic: "a/#" } })).rejects.toThrow(String(0x90));
    await rig.settle();
    expect(rig.broker.figures().sessionCount).toBe(0);
  });

  test("broker: a retained will with an expiry, alive from when it is published", async () => {
    const rig = new BrokerRig();
    (await rig.connect("c", { will: { ...will, retain: true, properties: { messageExpiryInterval: 5 } } })).lose();
    const watcher = await rig.connect("watcher");
    await rig.pass(2_000);
    watcher.subscribe("w", 1);
    await rig.settle();
    watcher.take("suback");
    expect(watcher.take("publish").properties?.messageExpiryInterval).toBeLessThanOrEqual(3);
    await rig.pass(3_000);
    watcher.subscribe("w", 1);
    await rig.settle();
    expect(watcher.takeMessages()).toEqual([]);
  });
});
