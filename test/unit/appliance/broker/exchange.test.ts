import { describe, expect, test } from "bun:test";
import { MetricRegistry } from "../../../../src/monitoring/index.ts";
import { BrokerRig } from "./broker-rig.ts";

describe("broker: publications", () => {
  test("broker: QoS 0 to a subscriber of either version, delivered with its topic and payload", async () => {
    const rig = new BrokerRig();
    const [five, four] = [await rig.connect("five"), await rig.connect("four", { protocolVersion: 4 })];
    for (const client of [five, four]) client.subscribe("a/+", 0);
    await rig.settle();
    expect(five.take("suback").granted).toEqual([0]);
    expect(four.take("suback").granted).toEqual([0]);
    five.publish("a/b", "hello");
    expect(five.takeMessages()).toEqual(["a/b=hello"]);
    expect(four.takeMessages()).toEqual(["a/b=hello"]);
  });

  test("broker: [MQTT-4.3.2-4] QoS 1, acknowledged with its packet identifier, delivered and acknowledged by the receiver", async () => {
    const rig = new BrokerRig();
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver")];
    receiver.subscribe("t", 1);
    await rig.settle();
    receiver.take("suback");
    sender.publish("t", "one", { qos: 1, messageId: 7 });
    await rig.settle();
    expect(sender.take("puback")).toMatchObject({ messageId: 7, reasonCode: 0 });
    const delivered = receiver.take("publish");
    expect(delivered).toMatchObject({ qos: 1, dup: false, messageId: 1 });
    receiver.send({ cmd: "puback", messageId: 1, reasonCode: 0 });
    expect(rig.broker.figures().queuedCount).toBe(0);
    sender.publish("nobody", "x", { qos: 1, messageId: 8 });
    await rig.settle();
    expect(sender.take("puback")).toMatchObject({ messageId: 8, reasonCode: 0x10 });
  });

  test("broker: [MQTT-4.3.3-10] QoS 2 sent twice before PUBREL, delivered once; the identifier is new after PUBCOMP", async () => {
    const rig = new BrokerRig();
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver")];
    receiver.subscribe("t", 2);
    await rig.settle();
    receiver.take("suback");
    for (const dup of [false, true]) {
      sender.publish("t", "once", { qos: 2, dup, messageId: 5 });
      await rig.settle();
      expect(sender.take("pubrec")).toMatchObject({ messageId: 5, reasonCode: 0 });
    }
    sender.send({ cmd: "pubrel", messageId: 5, reasonCode: 0 });
    await rig.settle();
    expect(sender.take("pubcomp")).toMatchObject({ messageId: 5, reasonCode: 0 });
    const messageId = receiver.packets[0]?.messageId ?? 0;
    expect(receiver.takeMessages()).toEqual(["t=once"]);
    receiver.send({ cmd: "pubrec", messageId, reasonCode: 0 });
    expect(receiver.take("pubrel")).toMatchObject({ messageId, reasonCode: 0 });
    receiver.send({ cmd: "pubcomp", messageId, reasonCode: 0 });
    expect(rig.broker.figures().queuedCount).toBe(0);
    sender.publish("t", "twice", { qos: 2, messageId: 5 });
    await rig.settle();
    expect(receiver.takeMessages()).toEqual(["t=twice"]);
  });

  test("broker: PUBREL and PUBREC for an identifier nobody knows, 0x92", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.send({ cmd: "pubrel", messageId: 9, reasonCode: 0 });
    client.send({ cmd: "pubrec", messageId: 10, reasonCode: 0 });
    await rig.settle();
    expect(client.take("pubcomp")).toMatchObject({ messageId: 9, reasonCode: 0x92 });
    expect(client.take("pubrel")).toMatchObject({ messageId: 10, reasonCode: 0x92 });
  });

  test("broker: [MQTT-3.3.2-18] properties of a message, unchanged and in their order", async () => {
    const rig = new BrokerRig();
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver")];
    receiver.subscribe("t", 0);
    await rig.settle();
    receiver.take("suback");
    sender.publish("t", "p", {
      properties: {
        payloadFormatIndicator: true,
        contentType: "text/plain",
        responseTopic: "r/1",
        correlationData: Buffer.from([0, 1, 255]),
        userProperties: { b: ["1", "2"], a: "3", __proto__x: "4" },
      },
    });
    expect(receiver.take("publish").properties).toMatchObject({
      payloadFormatIndicator: true,
      contentType: "text/plain",
      responseTopic: "r/1",
      correlationData: Buffer.from([0, 1, 255]),
      userProperties: { b: ["1", "2"], a: "3", __proto__x: "4" },
    });
  });
});

describe("broker: figures", () => {
  test("broker: its metrics, as a scraper gets them", async () => {
    const rig = new BrokerRig();
    const client = await rig.connect("c");
    client.subscribe("t", 1);
    client.publish("t", "x", { qos: 1, retain: true });
    await rig.settle();
    const registry = new MetricRegistry();
    registry.addSource(rig.broker);
    for (const format of ["openmetrics", "prometheus"] as const) {
      const { body } = await registry.render(format);
      for (const line of [
        "bizra_broker_connections 1",
        "bizra_broker_retained_messages 1",
        'bizra_broker_publishes_total{direction="in"} 1',
      ]) {
        expect(body).toContain(line);
      }
    }
  });
});
