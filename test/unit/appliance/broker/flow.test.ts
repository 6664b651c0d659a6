import { describe, expect, test } from "bun:test";
import type { Submission, SubmissionAnswer } from "../../../../appliance/broker/index.ts";
import { BrokerRig } from "./broker-rig.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 100 } };

describe("broker: flow control", () => {
  test("broker: [MQTT-3.3.4-9] a client's receive maximum, never exceeded; each acknowledgement lets one follow", async () => {
    const rig = new BrokerRig();
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", { properties: { receiveMaximum: 2 } })];
    client.subscribe("t", 2);
    await rig.settle();
    client.take("suback");
    for (let i = 1; i <= 4; i++) sender.publish("t", String(i), { qos: i % 2 === 0 ? 2 : 1 });
    sender.publish("t", "free", { qos: 0 });
    await rig.settle();
    expect(client.takeMessages()).toEqual(["t=1", "t=2", "t=free"]);
    client.send({ cmd: "pubrec", messageId: 2, reasonCode: 0 });
    await rig.settle();
    expect(client.takeMessages()).toEqual([]);
    client.send({ cmd: "pubcomp", messageId: 2, reasonCode: 0 });
    expect(client.takeMessages()).toEqual(["t=3"]);
    client.send({ cmd: "puback", messageId: 1, reasonCode: 0 });
    expect(client.takeMessages()).toEqual(["t=4"]);
  });

  test("broker: a resume with a smaller receive maximum, what is sent again keeps to it", async () => {
    const rig = new BrokerRig();
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    client.subscribe("t", 1);
    await rig.settle();
    for (let i = 1; i <= 3; i++) sender.publish("t", String(i), { qos: 1 });
    await rig.settle();
    client.lose();
    const again = await rig.connect("c", { clean: false, properties: { sessionExpiryInterval: 100, receiveMaximum: 1 } });
    for (let i = 1; i <= 3; i++) {
      expect(again.take("publish")).toMatchObject({ messageId: i, dup: true });
      expect(again.packets).toEqual([]);
      again.send({ cmd: "puback", messageId: i, reasonCode: 0 });
    }
    expect(rig.broker.figures().queuedCount).toBe(0);
  });

  test("broker: [MQTT-3.3.4-7] more than this server's receive maximum, told 0x93; a 3.1.1 client is read more slowly", async () => {
    const answers: ((answer: SubmissionAnswer) => void)[] = [];
    const intake = { claims: () => true, take: () => new Promise<SubmissionAnswer>((resolve) => void answers.push(resolve)) };
    const rig = new BrokerRig({ limits: { receiveMaximum: 2 }, intakes: [intake] });
    const [five, four] = [await rig.connect("five"), await rig.connect("four", { protocolVersion: 4 })];
    for (let i = 1; i <= 3; i++) four.publish("t", "x", { qos: 1 });
    expect([four.isClosed, four.isPaused, answers.length]).toEqual([false, true, 2]);
    answers[0]?.({ reasonCode: 0 });
    await rig.settle();
    expect(answers).toHaveLength(3);
    expect(four.take("puback").messageId).toBe(1);
    five.publish("t", "x", { qos: 1 });
    five.publish("t", "x", { qos: 2 });
    five.send({ cmd: "pingreq" });
    expect(five.take("pingresp").cmd).toBe("pingresp");
    five.publish("t", "x", { qos: 1 });
    expect(five.packets.at(-1)).toMatchObject({ cmd: "disconnect", reasonCode: 0x93 });
  });

  test("broker: a client that is not read, because its submissions take long, is not taken for silent", async () => {
    const answers: ((answer: SubmissionAnswer) => void)[] = [];
    const intake = { claims: () => true, take: () => new Promise<SubmissionAnswer>((resolve) => void answers.push(resolve)) };
    const rig = new BrokerRig({ limits: { receiveMaximum: 1 }, intakes: [intake] });
    const client = await rig.connect("four", { protocolVersion: 4, keepalive: 10 });
    client.publish("t", "x", { qos: 1 });
    client.send({ cmd: "pingreq" });
    await rig.pass(40_000);
    expect([client.isClosed, client.isPaused]).toEqual([false, true]);
    answers[0]?.({ reasonCode: 0 });
    await rig.settle();
    expect(client.packets.map(({ cmd }) => cmd)).toEqual(["puback", "pingresp"]);
    await rig.pass(16_000);
    expect(client.isClosed).toBe(true);
  });

  test("broker: [MQTT-3.1.2-24] [MQTT-3.1.2-25] a message larger than the client takes, dropped as if delivered", async () => {
    const rig = new BrokerRig();
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", { properties: { maximumPacketSize: 60 } })];
    client.subscribe("t", 1);
    await rig.settle();
    client.take("suback");
    sender.publish("t", "x".repeat(100), { qos: 1 });
    sender.publish("t", "small", { qos: 1 });
    await rig.settle();
    expect(client.takeMessages()).toEqual(["t=small"]);
    expect(rig.broker.figures().queuedCount).toBe(1);
  });

  test("broker: topic aliases in both directions, within what each side allows", async () => {
    const rig = new BrokerRig({ limits: { topicAliasMax: 2 } });
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", { properties: { topicAliasMaximum: 1 } })];
    client.subscribe("#", 0);
    await rig.settle();
    client.take("suback");
    sender.publish("a", "1", { properties: { topicAlias: 1 } });
    sender.publish("", "2", { properties: { topicAlias: 1 } });
    sender.publish("b", "3", { properties: { topicAlias: 1 } });
    sender.publish("", "4", { properties: { topicAlias: 1 } });
    expect(client.packets.map(({ topic, properties, payload }) => [topic, properties?.topicAlias, String(payload)])).toEqual([
      ["a", 1, "1"],
      ["", 1, "2"],
      ["b", undefined, "3"],
      ["b", undefined, "4"],
    ]);
  });

  test("broker: [MQTT-3.3.2-5] [MQTT-3.3.2-6] message expiry, counted down while waiting and final", async () => {
    const rig = new BrokerRig();
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    client.subscribe("t", 1);
    await rig.settle();
    client.lose();
    for (const seconds of [5, 20]) sender.publish("t", String(seconds), { qos: 1, properties: { messageExpiryInterval: seconds } });
    await rig.pass(10_000);
    const again = await rig.connect("c", KEPT);
    const delivered = again.take("publish");
    expect([String(delivered.payload), again.packets.length]).toEqual(["20", 0]);
    expect(delivered.properties?.messageExpiryInterval).toBeOneOf([9, 10]);
  });

  test("broker: a queue that is full, the newest is dropped and those that wait stay, by count and by bytes", async () => {
    const rig = new BrokerRig({ limits: { queuedCountMax: 3, queuedBytesMax: 2_000 } });
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    client.subscribe("t", 1);
    await rig.settle();
    client.lose();
    for (let i = 1; i <= 5; i++) sender.publish("t", String(i), { qos: 1 });
    await rig.settle();
    const again = await rig.connect("c", KEPT);
    expect(again.takeMessages()).toEqual(["t=1", "t=2", "t=3"]);
    for (let i = 1; i <= 3; i++) again.send({ cmd: "puback", messageId: i, reasonCode: 0 });
    again.lose();
    for (let i = 1; i <= 3; i++) sender.publish("t", "x".repeat(800), { qos: 1 });
    await rig.settle();
    expect(rig.broker.figures().queuedCount).toBe(2);
  });

  test("broker: what has expired in a full queue makes room", async () => {
    const rig = new BrokerRig({ limits: { queuedCountMax: 2 } });
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c", KEPT)];
    client.subscribe("t", 1);
    await rig.settle();
    client.lose();
    for (const payload of ["1", "2", "3"]) sender.publish("t", payload, { qos: 1, properties: { messageExpiryInterval: 5 } });
    await rig.pass(6_000);
    sender.publish("t", "4", { qos: 1 });
    await rig.settle();
    expect((await rig.connect("c", KEPT)).takeMessages()).toEqual(["t=4"]);
  });

  test("broker: a client that takes nothing, QoS 0 yields to QoS 1, all within bounds; after a while it is ended", async () => {
    const rig = new BrokerRig({ limits: { queuedCountMax: 4, stuckTimeoutMs: 1_000, blockedControlBytesMax: 10 } });
    const [sender, client] = [await rig.connect("sender"), await rig.connect("c")];
    client.subscribe("t", 1);
    await rig.settle();
    client.take("suback");
    client.isFull = true;
    for (let i = 1; i <= 6; i++) sender.publish("t", `fleeting ${i}`);
    expect(rig.broker.figures().queuedCount).toBe(4);
    for (let i = 1; i <= 3; i++) sender.publish("t", `kept ${i}`, { qos: 1 });
    client.takeMessages();
    for (let i = 0; i < 8; i++) client.send({ cmd: "pingreq" });
    expect(client.isPaused).toBe(true);
    client.packets.length = 0;
    client.drain();
    await rig.settle();
    expect(client.isPaused).toBe(false);
    expect(client.takeMessages()).toEqual(["t=fleeting 5", "t=kept 1", "t=kept 2", "t=kept 3"]);
    client.isFull = true;
    sender.publish("t", "x");
    await rig.pass(1_000);
    expect([client.isDestroyed, rig.broker.figures().connectionCount]).toEqual([true, 1]);
  });

  test("broker: [MQTT-4.6.0-2] submissions, acknowledged in their order whatever the order of the answers, with code and reason", async () => {
    const taken: { submission: Submission; answer: (answer: SubmissionAnswer) => void }[] = [];
    const intake = {
      claims: (topic: string) => topic.startsWith("tx/"),
      take: (submission: Submission) => new Promise<SubmissionAnswer>((answer) => void taken.push({ submission, answer })),
    };
    const rig = new BrokerRig({ intakes: [intake] });
    const client = await rig.connect("device");
    client.subscribe("#", 0);
    await rig.settle();
    client.take("suback");
    for (const [messageId, qos] of [
      [1, 1],
      [2, 1],
      [3, 2],
    ] as const)
      client.publish("tx/1", `p${messageId}`, { qos, messageId });
    client.publish("other", "x", { qos: 1, messageId: 4 });
    expect(client.takeMessages()).toEqual(["other=x"]);
    for (const { answer } of taken.toReversed().slice(0, 2)) answer({ reasonCode: 0 });
    await rig.settle();
    expect(client.packets).toEqual([]);
    taken[0]?.answer({ reasonCode: 0x97, reasonString: "quota", retryAfterMs: 1_200 });
    await rig.settle();
    expect(client.packets.map(({ cmd, messageId }) => [cmd, messageId])).toEqual([
      ["puback", 1],
      ["puback", 2],
      ["pubrec", 3],
      ["puback", 4],
    ]);
    expect(client.packets[0]).toMatchObject({
      reasonCode: 0x97,
      properties: { reasonString: "quota", userProperties: { "retry-after": "2" } },
    });
    expect(taken[0]?.submission).toMatchObject({ clientId: "device", topic: "tx/1", qos: 1, protocolVersion: 5 });
    client.publish("tx/1", "last", { qos: 1, messageId: 5 });
    taken[3]?.answer("close");
    await rig.settle();
    expect(client.isClosed).toBe(true);
  });

  test("broker: [MQTT-3.1.2-29] a client that wants no problem information gets bare codes", async () => {
    const rig = new BrokerRig({ access: { mayPublish: () => false } });
    const client = await rig.connect("c", { properties: { requestProblemInformation: false } });
    client.publish("t", "x", { qos: 1, messageId: 1 });
    expect(client.take("puback")).toMatchObject({ reasonCode: 0x87 });
    const told = await rig.connect("d");
    told.publish("t", "x", { qos: 2, messageId: 1 });
    expect(told.take("pubrec").properties).toHaveProperty("reasonString");
    const old = await rig.connect("e", { protocolVersion: 4 });
    old.publish("t", "x", { qos: 0 });
    expect(old.isClosed).toBe(false);
    old.publish("t", "x", { qos: 1, messageId: 1 });
    expect([old.isClosed, old.packets.length]).toEqual([true, 0]);
  });
});

describe("broker: bounds across clients and connections", () => {
  test("broker: unfinished packets beyond the bound of all, whoever adds to a large one is ended with 0x97, small ones go on", async () => {
    const rig = new BrokerRig({ limits: { partialBytesTotalMax: 50_000 } });
    const [small, first, second] = [await rig.connect("small"), await rig.connect("first"), await rig.connect("second")];
    const unfinished = Buffer.concat([Buffer.from([0x30, 0xff, 0xff, 0x3e]), Buffer.alloc(30_000)]);
    first.sendBytes(unfinished);
    second.sendBytes(unfinished);
    expect([first.isClosed, second.take("disconnect").reasonCode, second.isClosed]).toEqual([false, 0x97, true]);
    small.sendBytes(Uint8Array.of(0x30, 0xff, 0x1f, 0, 1, 0x74));
    first.lose();
    const third = await rig.connect("third");
    third.sendBytes(unfinished);
    expect([small.isClosed, third.isClosed]).toEqual([false, false]);
  });

  test("broker: devices that are away and hold all that may wait, the longest queue gives way, newest first, to one that is shorter", async () => {
    const rig = new BrokerRig({ limits: { queuedBytesTotalMax: 60_000, queuedBytesMax: 40_000 } });
    const sender = await rig.connect("sender");
    for (const name of ["far", "near", "awake"]) {
      const client = await rig.connect(name, KEPT);
      client.subscribe(name, 1);
      await rig.settle();
      client.lose();
    }
    for (let i = 1; i <= 6; i++) sender.publish("far", `${i}${"x".repeat(5_999)}`, { qos: 1 });
    for (let i = 1; i <= 4; i++) sender.publish("near", `${i}${"x".repeat(5_999)}`, { qos: 1 });
    await rig.settle();
    const awake = await rig.connect("awake", KEPT);
    for (let i = 1; i <= 3; i++) sender.publish("awake", `${i}${"x".repeat(5_999)}`, { qos: 1 });
    await rig.settle();
    expect(awake.takeMessages().map((text) => text.slice(0, 7))).toEqual(["awake=1", "awake=2", "awake=3"]);
    expect(rig.broker.figures().queuedBytes).toBeLessThanOrEqual(60_000);
    const begun = (texts: readonly string[]) => texts.map((text) => text.split("x")[0]);
    expect(begun((await rig.connect("far", KEPT)).takeMessages())).toEqual(["far=1", "far=2", "far=3", "far=4"]);
    expect(begun((await rig.connect("near", KEPT)).takeMessages())).toEqual(["near=1", "near=2"]);
    // What gave way is gone from the disk as well.
    expect(rig.database.askNumber("SELECT count(*) FROM delivery")).toBe(9);
    expect(rig.next().broker.figures().queuedCount).toBe(9);
  });

  test("broker: room for all taken by clients that never acknowledge, a small message still reaches everybody", async () => {
    const rig = new BrokerRig({ limits: { queuedBytesTotalMax: 20_000 } });
    const sender = await rig.connect("sender");
    const greedy = await rig.connect("greedy");
    greedy.subscribe("noise", 1);
    const device = await rig.connect("device");
    device.subscribe("#", 1);
    await rig.settle();
    device.packets.length = 0;
    for (let i = 0; i < 3; i++) sender.publish("noise", "x".repeat(8_000), { qos: 1 });
    sender.publish("receipt", "final", { qos: 1 });
    await rig.settle();
    expect(device.takeMessages().at(-1)).toBe("receipt=final");
    expect(rig.broker.figures().queuedBytes).toBeLessThan(20_000 + 4_096);
  });

  test("broker: QoS 2 that is never released, over connections, as many as the receive maximum and no more", async () => {
    const rig = new BrokerRig({ limits: { receiveMaximum: 4 } });
    const settings = { clean: false, properties: { sessionExpiryInterval: 100 } };
    const begin = async (ids: readonly number[], version: 4 | 5) => {
      const client = await rig.connect("x", version === 5 ? settings : { clean: false, protocolVersion: 4 });
      for (const messageId of ids) client.publish("t", "x", { qos: 2, messageId });
      await rig.settle();
      const { isClosed } = client;
      client.lose();
      return isClosed;
    };
    expect([await begin([1, 2, 3], 5), await begin([4], 4), await begin([1, 2, 3, 4], 5), await begin([5], 4)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(rig.database.askNumber("SELECT count(*) FROM received")).toBe(4);
  });

  test("broker: a will to a topic whose publications are answered is refused with 0x87", async () => {
    const rig = new BrokerRig({ intakes: [{ claims: (topic) => topic === "claimed", take: async () => ({ reasonCode: 0 }) }] });
    const will = { topic: "claimed", payload: Buffer.from("x"), qos: 1 as const, retain: false };
    await expect(rig.connect("x", { will })).rejects.toThrow(String(0x87));
    await rig.connect("x", { will: { ...will, topic: "other" } });
  });
});
