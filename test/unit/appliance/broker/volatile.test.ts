import { expect, test } from "bun:test";
import { utf8 } from "../../../../src/kernel/index.ts";
import { BrokerRig } from "./broker-rig.ts";

const said = (topic: string, text: string, isVolatile: boolean) =>
  ({ topic, payload: utf8(text), qos: 1, isRetain: true, isVolatile }) as const;

/** What a new client hears of a filter at once. */
async function heard(rig: BrokerRig, name: string, filter = "#"): Promise<string[]> {
  const client = await rig.connect(name);
  client.subscribe(filter);
  await rig.settle();
  return client.takeMessages().sort();
}

test("broker: what the node retains in memory, heard by who comes later, gone after a restart", async () => {
  const rig = new BrokerRig();
  const told = rig.broker.publish(said("node/head", "1", true)); // resolves without a commit
  await told;
  void rig.broker.publish(said("node/info", "a", false));
  await rig.settle();
  expect(await heard(rig, "first")).toEqual(["node/head=1", "node/info=a"]);
  expect(await heard(rig, "exact", "node/head")).toEqual(["node/head=1"]);
  expect(await heard(rig.next(), "second")).toEqual(["node/info=a"]);
});

test("broker: one retained message a topic, however it is kept; an empty one takes it away", async () => {
  const rig = new BrokerRig();
  void rig.broker.publish(said("t", "durable", false));
  void rig.broker.publish(said("t", "volatile", true));
  await rig.settle();
  expect(await heard(rig, "a")).toEqual(["t=volatile"]);
  void rig.broker.publish(said("t", "durable again", false));
  await rig.settle();
  expect(await heard(rig, "b")).toEqual(["t=durable again"]);
  void rig.broker.publish(said("t", "", true));
  await rig.settle();
  expect(await heard(rig, "c")).toEqual([]);
  expect(await heard(rig.next(), "d")).toEqual([]);
});
