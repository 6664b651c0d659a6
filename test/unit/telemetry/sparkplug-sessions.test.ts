/** Rebirths, the primary host and what waited, against assertions of the Sparkplug 3.0 specification, which titles name by tck-id. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../../src/kernel/index.ts";
import { deviceOf, SparkplugRig, TOPIC } from "./sparkplug-rig.ts";
import { settled } from "./telemetry-fixture.ts";

const kinds = (rig: SparkplugRig): string[] => rig.outlet.published.map(({ topic }) => topic.split("/")[2] ?? "");

describe("sparkplug: rebirth", () => {
  test("tck-id-operational-behavior-data-commands-rebirth-action-1, -2, -3: a rebirth command, no data until NBIRTH and DBIRTHs, the same bdSeq", async () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.connect();
    await rig.tell({ height: 8 }); // ten seconds after the birth
    rig.command("Node Control/Rebirth", true);
    await rig.edgeNode.tell({ timeMs: rig.time.nowMs(), isHeartbeat: false, values: { height: 9 } });
    expect(kinds(rig)).toEqual(["NBIRTH", "DBIRTH", "NDATA"]);
    rig.time.pass(0);
    await settled();
    expect(kinds(rig)).toEqual(["NBIRTH", "DBIRTH", "NDATA", "NBIRTH", "DBIRTH", "NDATA"]);
    const births = rig.all("NBIRTH").map(({ metrics }) => Number(metrics.find(({ name }) => name === "bdSeq")?.value));
    expect(births).toEqual([0, 0]);
    expect(rig.sequence()).toEqual([0, 1, 2, 0, 1, 2]); // tck-id-topics-nbirth-seq-num
    expect(rig.last("NDATA").metrics[0]?.isHistorical).toBe(true); // what came meanwhile is told with its own time
  });

  test("tck-id-operational-behavior-data-commands-ncmd-rebirth-value: false, another name, or bytes that are no payload, nothing happens", () => {
    const rig = new SparkplugRig();
    rig.connect();
    rig.time.pass(10_000);
    rig.command("Node Control/Rebirth", false);
    rig.command("Node Control/Reboot", true);
    rig.outlet.receive(TOPIC.ncmd, { topic: TOPIC.ncmd, payload: utf8("rebirth!") });
    rig.time.pass(60_000);
    expect(rig.all("NBIRTH").length).toBe(1);
  });

  test("rebirth: a host that asks a hundred times in a second, at most one birth in five seconds", () => {
    const rig = new SparkplugRig();
    rig.connect();
    for (let i = 0; i < 100; i++) {
      rig.command("Node Control/Rebirth", true);
      rig.time.pass(100);
    }
    expect(rig.all("NBIRTH").length).toBe(3);
  });
});

describe("sparkplug: what must not be", () => {
  test("rebirth: a command that a broker kept, which no host may ask it to, nothing happens", () => {
    const rig = new SparkplugRig();
    rig.connect();
    rig.time.pass(10_000);
    rig.command("Node Control/Rebirth", true, true);
    rig.time.pass(60_000);
    expect(rig.all("NBIRTH").length).toBe(1);
  });

  test("death: figures and devices while the broker's answer to NDEATH is awaited, nothing follows NDEATH", async () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    rig.host(true, 10);
    await rig.tell({ height: 8 });
    rig.outlet.isHolding = true;
    rig.host(false, 11);
    await settled();
    await rig.tell({ height: 9 });
    rig.devices = [deviceOf("pump", 0)];
    rig.edgeNode.tellDevices();
    await settled();
    expect(kinds(rig)).toEqual(["NBIRTH", "NDATA", "NDEATH"]);
    rig.outlet.acknowledge();
    rig.outlet.isHolding = false;
    await settled();
    rig.connect();
    rig.host(true, 12);
    await settled();
    expect(rig.last("NDATA").metrics.map(({ value }) => Number(value))).toEqual([9]);
  });

  test("device: gone and back under other aliases between two looks, DDEATH and DBIRTH, no data by aliases that were never born", () => {
    const rig = new SparkplugRig();
    rig.devices = [deviceOf("pump", 0)];
    rig.connect();
    rig.devices = [deviceOf("valve", 0), deviceOf("pump", 7, 5)];
    rig.edgeNode.tellDevices();
    expect(rig.outlet.published.map(({ topic }) => topic.split("/").slice(2).join(" "))).toEqual([
      "NBIRTH box-1",
      "DBIRTH box-1 pump",
      "DDEATH box-1 pump",
      "DBIRTH box-1 valve",
      "DBIRTH box-1 pump",
    ]);
  });

  test("bdSeq: a process that dies between CONNECT and birth, and one whose counter stands at 255, the next number, then 0", () => {
    const first = new SparkplugRig();
    first.edgeNode.will();
    const second = new SparkplugRig("", first.store);
    second.connect();
    expect(second.wills).toEqual([1]);
    first.store.putNumber("bdSeq", 254);
    const third = new SparkplugRig("", first.store);
    third.connect();
    third.outlet.disconnect();
    third.connect();
    expect(third.wills).toEqual([255, 0]);
  });
});

describe("sparkplug: the primary host", () => {
  test("tck-id-message-flow-edge-node-birth-publish-phid-wait, -wait-online, tck-id-operational-behavior-edge-node-birth-sequence-wait: no birth before the host is online", () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    rig.host(false, 5);
    expect(rig.outlet.published).toEqual([]);
    rig.host(true, 6);
    expect(kinds(rig)).toEqual(["NBIRTH"]);
  });

  test("tck-id-message-flow-edge-node-birth-publish-phid-wait-id: the topic of the configured host alone", () => {
    const rig = new SparkplugRig("scada");
    expect(rig.outlet.subscriptions.map(({ filter }) => filter)).toEqual([TOPIC.ncmd, TOPIC.state]);
  });

  test("tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp: an online word older than the last, not believed", () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    rig.host(false, 10);
    rig.host(true, 9);
    expect(rig.outlet.published).toEqual([]);
    rig.host(true, 10);
    expect(kinds(rig)).toEqual(["NBIRTH"]);
  });

  test("tck-id-message-flow-edge-node-birth-publish-phid-offline, tck-id-operational-behavior-edge-node-termination-host-offline, -host-offline-reconnect: the host goes, NDEATH and the session ends", async () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    rig.host(true, 10);
    rig.host(false, 11);
    await settled();
    expect(kinds(rig)).toEqual(["NBIRTH", "NDEATH"]);
    expect(rig.outlet.calls.at(-1)).toBe("cycle");
    rig.connect();
    expect(rig.all("NBIRTH").length).toBe(1); // waits for the host again
    rig.host(true, 12);
    expect(rig.all("NBIRTH").length).toBe(2);
  });

  test("tck-id-operational-behavior-edge-node-termination-host-offline-timestamp: an offline word older than the online one, the session goes on", async () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    rig.host(true, 10);
    rig.host(false, 9);
    await settled();
    expect(rig.edgeNode.isBorn).toBe(true);
    expect(rig.outlet.calls).not.toContain("cycle");
  });

  test("primary host: a STATE that is no such JSON, not believed", () => {
    const rig = new SparkplugRig("scada");
    rig.connect();
    for (const text of ["ONLINE", "{}", '{"online":true}', '{"online":"true","timestamp":1}', '{"online":true,"timestamp":-1}'])
      rig.outlet.receive(TOPIC.state, { topic: TOPIC.state, payload: utf8(text) });
    expect(rig.outlet.published).toEqual([]);
  });
});

describe("sparkplug: what waited", () => {
  test("is_historical: hours without a broker, after the birth everything in the order of its time, then live data", async () => {
    const rig = new SparkplugRig();
    for (let height = 1; height <= 50; height++) await rig.tell({ height });
    rig.connect();
    await settled();
    const told = rig.all("NDATA").flatMap(({ metrics }) => metrics);
    expect(told.map(({ value }) => Number(value))).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(told.every(({ isHistorical }) => isHistorical === true)).toBe(true);
    const times = told.map(({ timestamp }) => Number(timestamp));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    await rig.tell({ height: 51 });
    expect(rig.last("NDATA").metrics.map(({ value, isHistorical }) => [Number(value), isHistorical ?? false])).toEqual([[51, false]]);
  });

  test("is_historical: the connection breaks before the broker answered for what was sent, told again with its time", async () => {
    const rig = new SparkplugRig();
    rig.connect();
    await rig.tell({ height: 8 });
    const sentAt = rig.time.nowMs();
    rig.outlet.disconnect();
    rig.connect();
    await settled();
    expect(rig.last("NDATA").metrics.map(({ value, timestamp, isHistorical }) => [Number(value), Number(timestamp), isHistorical])).toEqual(
      [[8, sentAt, true]],
    );
  });

  test("is_historical: the broker answered for what was sent, not told again", async () => {
    const rig = new SparkplugRig();
    rig.connect();
    await rig.tell({ height: 8 });
    rig.time.pass(60_000);
    await settled();
    rig.outlet.disconnect();
    rig.connect();
    await settled();
    expect(rig.all("NDATA").length).toBe(1);
  });

  test("is_historical: the connection breaks while it is told, the rest comes next time and nothing is missing", async () => {
    const rig = new SparkplugRig();
    for (let height = 1; height <= 50; height++) await rig.tell({ height });
    rig.outlet.isHolding = true; // the broker takes the first message and answers nothing
    rig.connect();
    await settled();
    rig.outlet.disconnect();
    rig.outlet.isHolding = false;
    rig.connect();
    await settled();
    const heights = rig.all("NDATA").flatMap(({ metrics }) => metrics.map(({ value }) => Number(value)));
    expect([...new Set(heights)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test("is_historical: a restart while nobody heard, told all the same", async () => {
    const first = new SparkplugRig("scada");
    first.connect(); // the host is away
    await first.tell({ height: 8 });
    const second = new SparkplugRig("", first.store);
    second.connect();
    await settled();
    expect(second.last("NDATA").metrics.map(({ value }) => Number(value))).toEqual([8]);
  });
});
