import { describe, expect, test } from "bun:test";
import { BrokerRig } from "./broker-rig.ts";

describe("broker: subscriptions", () => {
  test("broker: filters that are none, quota and access, each told by its own code", async () => {
    const rig = new BrokerRig({
      limits: { subscriptionsPerClientMax: 4, topicLevelsMax: 4 },
      access: { maySubscribe: (_, filter) => !filter.startsWith("secret") },
    });
    const [five, four] = [await rig.connect("five"), await rig.connect("four", { protocolVersion: 4 })];
    const filters = [
      "a/#/b",
      "a+",
      "",
      "$share/g/",
      "$share//t",
      "$share/+/t",
      "a/b/c/d/e",
      "secret/x",
      "$share/g/secret",
      "a",
      "b",
      "b2",
      "b3",
      "c",
      "a",
    ];
    for (const client of [five, four])
      client.send({ cmd: "subscribe", messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
    await rig.settle();
    expect(five.take("suback").granted).toEqual([0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 0x87, 0x87, 1, 1, 1, 1, 0x97, 1]);
    expect(four.take("suback").granted).toEqual([128, 128, 128, 128, 128, 128, 128, 128, 128, 1, 1, 1, 1, 128, 1]);
    five.unsubscribe("a", "never", "x/#/y");
    await rig.settle();
    expect(five.take("unsuback").granted).toEqual([0, 0x11, 0x8f]);
    expect(rig.broker.figures().subscriptionCount).toBe(7);
  });

  test("broker: a packet with more filters than any client needs, 0x97 and closed", async () => {
    const rig = new BrokerRig({ limits: { subscriptionsPerClientMax: 2 } });
    const [one, other] = [await rig.connect("one"), await rig.connect("other")];
    one.send({ cmd: "subscribe", messageId: 1, subscriptions: Array.from({ length: 9 }, () => ({ topic: "t", qos: 0 })) });
    other.unsubscribe(...Array.from({ length: 9 }, () => "t"));
    for (const client of [one, other]) expect([client.take("disconnect").reasonCode, client.isClosed]).toEqual([0x97, true]);
  });

  test("broker: [MQTT-3.3.4-2] overlapping subscriptions, one copy of the highest QoS with all identifiers", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.subscribe("a/#", 0, { id: 1 });
    client.subscribe("a/b", 2, { id: 268_435_455 });
    client.subscribe("+/b", 1);
    await rig.settle();
    client.packets.length = 0;
    client.publish("a/b", "x", { qos: 2, messageId: 77 });
    await rig.settle();
    const delivered = client.packets.filter(({ cmd }) => cmd === "publish");
    expect(delivered).toHaveLength(1);
    expect(delivered[0]).toMatchObject({ qos: 2, properties: { subscriptionIdentifier: [1, 268_435_455] } });
  });

  test("broker: [MQTT-3.8.3-3] no local, not to oneself; retain as published, only where asked", async () => {
    const rig = new BrokerRig();
    const [self, asIs, plain] = [await rig.connect("self"), await rig.connect("asIs"), await rig.connect("plain")];
    self.subscribe("t", 0, { nl: true });
    asIs.subscribe("t", 0, { rap: true });
    plain.subscribe("t", 0);
    await rig.settle();
    for (const client of [self, asIs, plain]) client.take("suback");
    self.publish("t", "x", { retain: true });
    expect(self.packets).toEqual([]);
    expect(asIs.take("publish").retain).toBe(true);
    expect(plain.take("publish").retain).toBe(false);
  });

  test("broker: [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] retain handling 0, 1 and 2", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.publish("r/1", "kept", { retain: true });
    client.publish("r/2", "gone", { retain: true });
    client.publish("r/2", "", { retain: true });
    const heard = async (rh: number): Promise<string[]> => {
      client.subscribe("r/#", 0, { rh });
      await rig.settle();
      client.take("suback");
      expect(client.packets.every(({ retain }) => retain === true)).toBe(true);
      return client.takeMessages();
    };
    expect([await heard(2), await heard(1), await heard(0)]).toEqual([[], [], ["r/1=kept"]]);
    client.unsubscribe("r/#");
    await rig.settle();
    client.take("unsuback");
    expect(await heard(1)).toEqual(["r/1=kept"]);
  });

  test("broker: retained messages beyond the bound, refused with 0x97, in 3.1.1 by closing; those there may change", async () => {
    const rig = new BrokerRig({ limits: { retainedCountMax: 1 } });
    const [five, four] = [await rig.connect("five"), await rig.connect("four", { protocolVersion: 4 })];
    five.publish("a", "1", { retain: true, qos: 1, messageId: 1 });
    five.publish("b", "2", { retain: true, qos: 1, messageId: 2 });
    five.publish("a", "3", { retain: true, qos: 1, messageId: 3 });
    await rig.settle();
    expect(five.packets.map(({ messageId, cmd }) => [messageId, cmd])).toEqual([
      [1, "puback"],
      [2, "puback"],
      [3, "puback"],
    ]);
    expect(five.packets.map((packet) => packet.reasonCode)).toEqual([0x10, 0x97, 0x10]);
    four.publish("c", "4", { retain: true, qos: 1, messageId: 4 });
    expect(four.isClosed).toBe(true);
  });

  test("broker: [MQTT-4.8.2] shared subscriptions, fair among the connected, skipping those who are gone", async () => {
    const rig = new BrokerRig();
    const settings = { properties: { sessionExpiryInterval: 60 } };
    const members = [await rig.connect("m1", settings), await rig.connect("m2", settings), await rig.connect("m3", settings)] as const;
    const sender = await rig.connect("s");
    for (const member of members) member.subscribe("$share/group/t/+", 1);
    members[0].subscribe("$share/other/t/#", 0);
    await rig.settle();
    for (const member of members) member.packets.length = 0;
    members[2].lose();
    for (let i = 0; i < 10; i++) sender.publish("t/x", String(i), { qos: 1 });
    await rig.settle();
    const heard = members.map((member) => member.packets.filter(({ cmd, qos }) => cmd === "publish" && qos === 1).length);
    expect(heard).toEqual([5, 5, 0]);
    expect(members[0].packets.filter(({ qos }) => qos === 0)).toHaveLength(10);
    for (const member of members.slice(0, 2)) member.lose();
    sender.publish("t/x", "kept", { qos: 1 });
    await rig.settle();
    const queued = rig.broker.figures().queuedCount;
    expect(queued).toBe(11);
  });

  test("broker: topics that begin with $, heard by no wildcard in front and spoken by no client", async () => {
    const rig = new BrokerRig({ limits: { sysIntervalMs: 1_000 } });
    const client = await rig.connect("c");
    for (const filter of ["#", "+/broker/version", "$SYS/broker/version"]) client.subscribe(filter, 0);
    await rig.settle();
    expect(client.takeMessages()).toEqual(["$SYS/broker/version=1.2.3"]);
    client.publish("$SYS/broker/version", "forged", { qos: 1, messageId: 3 });
    await rig.pass(1_000);
    expect(client.packets.find(({ cmd }) => cmd === "puback")).toMatchObject({ reasonCode: 0x87 });
    expect(client.takeMessages()).toEqual([]);
    client.subscribe("$SYS/broker/clients/connected", 0);
    await rig.settle();
    expect(client.takeMessages()).toEqual(["$SYS/broker/clients/connected=1"]);
  });

  test("broker: the node's own publications and subscriptions", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c", { properties: { sessionExpiryInterval: 10 } });
    client.subscribe("from/node", 1);
    await rig.settle();
    client.take("suback");
    const heard: string[] = [];
    const end = rig.broker.onPublish("cmd/+", ({ topic, payload, publisher }) =>
      heard.push(`${topic} ${Buffer.from(payload)} ${publisher?.clientId}`),
    );
    client.publish("cmd/go", "now");
    const isDurable = { value: false };
    void rig.broker.publish({ topic: "from/node", payload: Buffer.from("x"), qos: 1 }).then(() => {
      isDurable.value = true;
    });
    await Promise.resolve();
    expect(isDurable.value).toBe(false);
    await rig.settle();
    expect([isDurable.value, client.takeMessages()]).toEqual([true, ["from/node=x"]]);
    end();
    client.publish("cmd/go", "again");
    expect(heard).toEqual(["cmd/go now c"]);
  });
});
