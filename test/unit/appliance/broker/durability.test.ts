import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BROKER_DATABASE } from "../../../../appliance/broker/index.ts";
import { type Database, openDatabase } from "../../../../src/storage/index.ts";
import { ManualTime } from "../../gateway/manual-time.ts";
import { BrokerRig } from "./broker-rig.ts";
import { DurabilityTrial } from "./durability-trial.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-broker-"));
const opened: Database[] = [];
afterAll(() => {
  for (const database of opened) database.close();
  rmSync(folder, { recursive: true, force: true });
});
let copies = 0;

/** A broker on a file, in a folder of its own. */
function rigOnFile(home: string, startMs?: number): BrokerRig {
  const database = openDatabase({ ...BROKER_DATABASE, path: join(home, "broker.db"), create: true });
  opened.push(database);
  return new BrokerRig({ database, time: new ManualTime(startMs) });
}

function newHome(): string {
  return mkdtempSync(join(folder, "home-"));
}

/** The files as they are now: what the disk holds if the process is killed at this moment. */
function copyOf(home: string): string {
  const target = join(folder, `copy-${copies++}`);
  cpSync(home, target, { recursive: true });
  return target;
}

const KEPT = { clean: false, properties: { sessionExpiryInterval: 1_000 } };

describe("broker: what survives", () => {
  test("broker: no acknowledgement leaves before its commit, and one commit serves many", async () => {
    const home = newHome();
    const rig = rigOnFile(home);
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver", KEPT)];
    receiver.subscribe("t", 2);
    await rig.settle();
    receiver.lose();
    await rig.settle();
    const before = commitsOf(rig);
    for (let i = 0; i < 50; i++) sender.publish("t", String(i), { qos: i % 2 === 0 ? 1 : 2 });
    expect(sender.packets).toEqual([]);
    const killed = copyOf(home);
    rig.time.advance(2);
    expect([sender.packets.length, commitsOf(rig) - before]).toEqual([50, 1]);
    const kept = copyOf(home);
    for (const [copy, count] of [
      [killed, 0],
      [kept, 50],
    ] as const)
      expect(rigOnFile(copy).broker.figures().queuedCount).toBe(count);
  });

  test("broker: after a kill, sessions, subscriptions, messages with properties, retained ones and QoS 2 identifiers are there", async () => {
    const home = newHome();
    const rig = rigOnFile(home);
    const [sender, receiver] = [await rig.connect("sender", KEPT), await rig.connect("receiver", KEPT)];
    receiver.subscribe("t/#", 2, { id: 9 });
    receiver.subscribe("$share/g/s", 1);
    await rig.settle();
    receiver.lose();
    const userProperties = { z: "1", a: ["2", "3"] };
    const properties = {
      userProperties,
      contentType: "c",
      responseTopic: "r",
      correlationData: Buffer.from([0, 255]),
      payloadFormatIndicator: true,
    };
    sender.publish("t/1", "first", { qos: 2, messageId: 7, properties: { ...properties, messageExpiryInterval: 500 } });
    sender.publish("keep", "kept", { qos: 0, retain: true });
    sender.publish("s", "shared", { qos: 1 });
    await rig.settle();
    expect(rig.broker.figures()).toMatchObject({ queuedCount: 2, retainedCount: 1 });
    const next = rigOnFile(copyOf(home));
    expect(next.broker.figures()).toMatchObject({ sessionCount: 2, subscriptionCount: 2, retainedCount: 1, queuedCount: 2 });
    const again = await next.connect("sender", KEPT);
    expect(again.connack?.sessionPresent).toBe(true);
    again.publish("t/1", "first", { qos: 2, messageId: 7, dup: true });
    await next.settle();
    expect(again.take("pubrec").messageId).toBe(7);
    const back = await next.connect("receiver", KEPT);
    expect(back.packets.find(({ topic }) => topic === "t/1")?.properties).toMatchObject({ ...properties, subscriptionIdentifier: 9 });
    expect(back.takeMessages().toSorted()).toEqual(["s=shared", "t/1=first"]);
    back.subscribe("keep", 0);
    await next.settle();
    expect(back.takeMessages()).toEqual(["keep=kept"]);
  });

  test("broker: after a kill, wills of those who were connected or waited for are published when due; after a stop too", async () => {
    for (const end of ["kill", "stop"] as const) {
      const home = newHome();
      const rig = rigOnFile(home);
      const willOf = (payload: string, willDelayInterval: number) => ({
        topic: "w",
        payload,
        qos: 1 as const,
        properties: { willDelayInterval },
      });
      await rig.connect("now", { will: willOf("now", 0) });
      await rig.connect("later", { ...KEPT, will: willOf("later", 30) });
      (await rig.connect("waiting", { ...KEPT, will: willOf("waiting", 20) })).lose();
      await rig.connect("back", { ...KEPT, will: willOf("back", 20) });
      const watcher = await rig.connect("watcher", KEPT);
      watcher.subscribe("w", 1);
      await rig.settle();
      if (end === "stop") await rig.broker.stop();
      const next = rigOnFile(copyOf(home), rig.time.nowMs() + 5_000);
      await next.settle();
      await next.connect("back", KEPT);
      const again = await next.connect("watcher", KEPT);
      expect(again.takeMessages()).toEqual(["w=now"]);
      await next.pass(16_000);
      expect(again.takeMessages()).toEqual(["w=waiting"]);
      await next.pass(16_000);
      expect(again.takeMessages()).toEqual(["w=later"]);
    }
  });

  test("broker: a session that expired while the broker was away, gone with all it had", async () => {
    const home = newHome();
    const rig = rigOnFile(home);
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver", KEPT)];
    receiver.subscribe("t", 1);
    await rig.settle();
    receiver.lose();
    sender.publish("t", "x", { qos: 1 });
    await rig.settle();
    const copy = copyOf(home);
    const next = rigOnFile(copy, rig.time.nowMs() + 1_001_000);
    await next.settle();
    expect(next.broker.figures()).toMatchObject({ sessionCount: 0, subscriptionCount: 0, queuedCount: 0 });
    const after = rigOnFile(copyOf(copy));
    expect(
      after.database.askNumber("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM delivery) + (SELECT count(*) FROM session)"),
    ).toBe(0);
  });

  test("broker: what is delivered and acknowledged within one commit never touches the disk", async () => {
    const rig = rigOnFile(newHome());
    const [sender, receiver] = [await rig.connect("sender"), await rig.connect("receiver", KEPT)];
    receiver.subscribe("t", 1);
    await rig.settle();
    const before = commitsOf(rig);
    for (let messageId = 1; messageId <= 20; messageId++) {
      sender.publish("t", "x", { qos: 1 });
      receiver.send({ cmd: "puback", messageId, reasonCode: 0 });
    }
    await rig.settle();
    expect([commitsOf(rig) - before, sender.packets.length, rig.broker.figures().queuedCount]).toEqual([0, 20, 0]);
  });

  for (const seed of Array.from({ length: 5 }, (_, at) => at + 1)) {
    test(`broker: killed at a random moment, what was acknowledged arrives and QoS 2 exactly once, seed ${seed}`, async () => {
      const home = newHome();
      const trial = new DurabilityTrial(seed, rigOnFile(home));
      for (let kill = 0; kill < 3; kill++) {
        await trial.run(40);
        const copy = copyOf(kill === 0 ? home : trial.home);
        trial.restart(rigOnFile(copy, trial.rig.time.nowMs()), copy);
      }
      await trial.finish();
      expect(trial.faults()).toEqual([]);
    });
  }
});

/** Commits so far, as the broker's metrics have them. */
function commitsOf(rig: BrokerRig): number {
  const family = rig.broker.collect().find(({ name }) => name === "bizra_broker_commits_total");
  const [sample] = family?.samples ?? [];
  return sample !== undefined && "value" in sample ? Number(sample.value) : 0;
}
