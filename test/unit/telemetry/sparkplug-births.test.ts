/** The edge node's births, deaths and data against assertions of the Sparkplug 3.0 specification, which titles name by tck-id. */
import { describe, expect, test } from "bun:test";
import { METRIC_NAMES, METRICS } from "../../../appliance/telemetry/index.ts";
import { deviceOf, SparkplugRig, TOPIC } from "./sparkplug-rig.ts";
import { decodedBy, settled } from "./telemetry-fixture.ts";

const byName = (payload: ReturnType<typeof decodedBy>, name: string) => payload.metrics.find((metric) => metric.name === name);

describe("sparkplug: the will", () => {
  test("tck-id-topics-ndeath-topic, -payload, -seq, tck-id-payloads-ndeath-will-message-qos, -retain: a will, bdSeq alone, no sequence", () => {
    const { edgeNode } = new SparkplugRig();
    const will = edgeNode.will();
    expect(will.topic).toBe(TOPIC.ndeath);
    expect({ qos: will.qos, isRetained: will.isRetained }).toEqual({ qos: 1, isRetained: false });
    const payload = decodedBy(will);
    expect(payload.metrics.map(({ name }) => name)).toEqual(["bdSeq"]);
    expect(payload.seq ?? null).toBeNull();
  });

  test("tck-id-topics-nbirth-bdseq-increment: a new store and 257 connections, from zero up by one to 255 and on from zero", () => {
    const { edgeNode } = new SparkplugRig();
    const numbers = Array.from({ length: 257 }, () => Number(decodedBy(edgeNode.will()).metrics[0]?.value));
    expect(numbers).toEqual(Array.from({ length: 257 }, (_, i) => i % 256));
  });

  test("tck-id-topics-nbirth-bdseq-increment: a restart, the number goes on", () => {
    const first = new SparkplugRig();
    first.connect();
    first.connect();
    const second = new SparkplugRig("", first.store);
    second.connect();
    expect([...first.wills, ...second.wills]).toEqual([0, 1, 2]);
  });
});

describe("sparkplug: NBIRTH", () => {
  test("tck-id-topics-nbirth-topic, -mqtt, -seq-num, -timestamp: a connection, one NBIRTH with QoS 0, not retained, sequence 0", () => {
    const rig = new SparkplugRig();
    rig.connect();
    const [birth] = rig.outlet.published;
    expect({ topic: birth?.topic, qos: birth?.qos, isRetained: birth?.isRetained }).toEqual({
      topic: TOPIC.nbirth,
      qos: 0,
      isRetained: false,
    });
    const payload = decodedBy(birth);
    expect(Number(payload.seq)).toBe(0);
    expect(Number(payload.timestamp)).toBe(rig.time.nowMs());
  });

  test("tck-id-topics-nbirth-bdseq-included, -bdseq-matching, tck-id-payloads-ndeath-bdseq: three connections, each birth has its will's number", () => {
    const rig = new SparkplugRig();
    for (let i = 0; i < 3; i++) {
      rig.connect();
      rig.outlet.disconnect();
    }
    expect(rig.all("NBIRTH").map((birth) => Number(byName(birth, "bdSeq")?.value))).toEqual(rig.wills);
    expect(rig.wills).toEqual([0, 1, 2]);
  });

  test("tck-id-topics-nbirth-metric-reqs, -metrics, tck-id-payloads-metric-datatype-req, -name-birth-data-requirement: every metric with name, type, timestamp and value", () => {
    const rig = new SparkplugRig();
    rig.connect();
    const birth = rig.last("NBIRTH");
    for (const name of METRIC_NAMES) {
      const metric = byName(birth, METRICS[name].path);
      expect({ name, type: metric?.type, timestamp: Number(metric?.timestamp) }).toEqual({
        name,
        type: METRICS[name].type,
        timestamp: rig.time.nowMs(),
      });
    }
    expect(Number(byName(birth, "Chain/Height")?.value)).toBe(7);
    expect(byName(birth, "Chain/Voting")?.value).toBe("voting");
    expect(byName(birth, "Health/Ready")?.value).toBe(true);
    expect(byName(birth, "Machine/Temperature")?.value).toBe(41.5);
    expect(byName(birth, "Machine/Temperature")?.properties?.["engUnit"]).toEqual({ value: "°C", type: "String" });
  });

  test("tck-id-operational-behavior-data-publish-nbirth-values: a figure that is not known, is_null and no value", () => {
    const rig = new SparkplugRig();
    rig.connect();
    const metric = byName(rig.last("NBIRTH"), "Storage/Wear");
    expect(metric?.value).toBeNull();
  });

  test("tck-id-payloads-alias-uniqueness, -alias-birth-requirement, tck-id-operational-behavior-data-commands-rebirth-name-aliases: one alias each, none for Rebirth", () => {
    const rig = new SparkplugRig();
    rig.devices = Array.from({ length: 256 }, (_, i) => deviceOf(`d${i}`, i));
    rig.connect();
    const metrics = [...rig.all("NBIRTH"), ...rig.all("DBIRTH")].flatMap((payload) => payload.metrics);
    const aliases = metrics.filter(({ name }) => name !== "Node Control/Rebirth").map(({ alias }) => Number(alias));
    expect(aliases.every((alias) => alias > 0)).toBe(true);
    expect(new Set(aliases).size).toBe(aliases.length);
    expect(byName(rig.last("NBIRTH"), "Node Control/Rebirth")?.alias ?? null).toBeNull();
  });

  test("tck-id-topics-nbirth-rebirth-metric, tck-id-operational-behavior-data-commands-rebirth-name, -datatype, -value: Node Control/Rebirth, boolean, false", () => {
    const rig = new SparkplugRig();
    rig.connect();
    expect(byName(rig.last("NBIRTH"), "Node Control/Rebirth")).toMatchObject({ type: "Boolean", value: false });
  });

  test("tck-id-case-sensitivity-metric-names: lower-cased, no two names are equal", () => {
    const names = METRIC_NAMES.map((name) => METRICS[name].path.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("sparkplug: data", () => {
  test("tck-id-topics-ndata-topic, -mqtt, -timestamp, -payload, tck-id-payloads-alias-data-cmd-requirement: what changed, by alias, without name", async () => {
    const rig = new SparkplugRig();
    rig.connect();
    await rig.tell({ height: 8 });
    const data = rig.outlet.published.at(-1);
    expect({ topic: data?.topic, qos: data?.qos, isRetained: data?.isRetained }).toEqual({ topic: TOPIC.ndata, qos: 0, isRetained: false });
    const { metrics, timestamp } = decodedBy(data);
    const born = byName(rig.last("NBIRTH"), "Chain/Height");
    expect(metrics.map(({ name, alias }) => ({ name: name ?? "", alias: String(alias) }))).toEqual([
      { name: "", alias: String(born?.alias) },
    ]);
    expect(Number(timestamp)).toBe(rig.time.nowMs());
  });

  test("tck-id-payloads-sequence-num-always-included, -incrementing, tck-id-topics-ndata-seq-num: 600 messages, one up each, 255 before 0", async () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.connect();
    for (let i = 0; i < 300; i++) {
      rig.devices = [deviceOf("pump", 0, i + 2)];
      rig.edgeNode.tellDevices();
      await rig.tell({ height: i });
    }
    const numbers = rig.sequence();
    expect(numbers.length).toBe(602);
    expect(numbers).toEqual(numbers.map((_, i) => i % 256));
  });

  test("tck-id-topics-dbirth-topic, -mqtt, -seq, -timestamp, -metrics, tck-id-payloads-dbirth-order: after NBIRTH and before data, a birth for each device", async () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0), deviceOf("valve", 1)];
    rig.connect();
    await rig.tell({ height: 8 });
    expect(rig.outlet.published.map(({ topic, qos, isRetained }) => ({ topic, qos, isRetained }))).toEqual(
      [TOPIC.nbirth, "spBv1.0/plant/DBIRTH/box-1/pump", "spBv1.0/plant/DBIRTH/box-1/valve", TOPIC.ndata].map((topic) => ({
        topic,
        qos: 0,
        isRetained: false,
      })),
    );
    expect(rig.last("DBIRTH").metrics.map(({ name, type, value }) => ({ name, type, value: String(value) }))).toEqual([
      { name: "Submissions", type: "UInt64", value: "1" },
      { name: "Accepted", type: "UInt64", value: "1" },
      { name: "Rejected", type: "UInt64", value: "0" },
      { name: "Last Submission", type: "UInt64", value: "1000" },
    ]);
    expect(rig.sequence()).toEqual([0, 1, 2, 3]);
  });

  test("tck-id-topics-ddata-topic, -mqtt, -seq-num, -payload: a device that submitted, what changed of it by alias", () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.connect();
    rig.devices = [deviceOf("pump", 0, 5)];
    rig.edgeNode.tellDevices();
    rig.edgeNode.tellDevices(); // nothing changed: tck-id-operational-behavior-data-publish-dbirth-change
    expect(rig.outlet.published.at(-1)?.topic).toBe("spBv1.0/plant/DDATA/box-1/pump");
    expect(rig.all("DDATA").length).toBe(1);
    expect(rig.last("DDATA").metrics.map(({ alias, value }) => `${alias}=${value}`)).toEqual(["1000=5", "1001=5"]);
    expect(rig.sequence()).toEqual([0, 1, 2]);
  });

  test("tck-id-topics-ddeath-topic, -mqtt, -seq-num, tck-id-operational-behavior-device-ddeath, tck-id-payloads-ddeath-timestamp, -seq-inc: a device that is gone, DDEATH", () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.connect();
    rig.devices = [];
    rig.edgeNode.tellDevices();
    const death = rig.outlet.published.at(-1);
    expect({ topic: death?.topic, qos: death?.qos, isRetained: death?.isRetained }).toEqual({
      topic: "spBv1.0/plant/DDEATH/box-1/pump",
      qos: 0,
      isRetained: false,
    });
    expect(Number(decodedBy(death).timestamp)).toBe(rig.time.nowMs());
    expect(rig.sequence()).toEqual([0, 1, 2]);
  });

  test("tck-id-message-flow-device-birth-publish-nbirth-wait: a device before the first connection, nothing is told", () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.edgeNode.tellDevices();
    expect(rig.outlet.published).toEqual([]);
  });
});

describe("sparkplug: the end of a session", () => {
  test("tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath, tck-id-payloads-ndeath-will-message-publisher: a stop, NDEATH with the session's number goes first", async () => {
    const rig = new SparkplugRig();
    rig.connect();
    await rig.edgeNode.farewell();
    expect(rig.outlet.published.at(-1)?.topic).toBe(TOPIC.ndeath);
    expect(Number(rig.last("NDEATH").metrics[0]?.value)).toBe(0);
    await rig.tell({ height: 9 });
    expect(rig.outlet.published.at(-1)?.topic).toBe(TOPIC.ndeath);
  });

  test("tck-id-message-flow-edge-node-ncmd-subscribe: NCMD of this node, QoS 1", async () => {
    const rig = new SparkplugRig();
    rig.connect();
    await settled();
    expect(rig.outlet.subscriptions.map(({ filter, qos }) => ({ filter, qos }))).toEqual([{ filter: TOPIC.ncmd, qos: 1 }]);
  });
});
