import { describe, expect, test } from "bun:test";
import { BANDWIDTH_PROFILES, categoryOf, EventPump, type EventPumpParts, TelemetryStore } from "../../../appliance/telemetry/index.ts";
import { EVENT_SCHEMAS, event } from "../../../src/events/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { EventBench } from "../events/event-fixture.ts";
import { faultsOf } from "./cloud-event-rules.ts";
import { FakeOutlet, jsonOf, memoryStore, NODE, settled } from "./telemetry-fixture.ts";

/** An event log, a broker and a pump between them. */
class Rig {
  readonly bench = new EventBench();
  readonly log = this.bench.open();
  readonly kept = memoryStore();
  outlet = new FakeOutlet();
  pump = this.start();

  start(change: Partial<EventPumpParts> = {}): EventPump {
    this.outlet = new FakeOutlet();
    const pump = new EventPump({
      name: NODE,
      broker: "outside",
      outlet: this.outlet,
      events: this.log,
      store: new TelemetryStore(this.kept.database, silentLog),
      profile: BANDWIDTH_PROFILES.unmetered,
      waitingMax: 1_000,
      clock: this.bench.time,
      timers: this.bench.time,
      log: silentLog,
      ...change,
    });
    pump.start();
    return pump;
  }

  alert(name: string): void {
    this.log.appendCrit(event("alert.raised", { alert: name, severity: "warning", detail: "x" }));
  }

  async pass(ms = 300): Promise<void> {
    for (let i = 0; i < 10; i++) {
      this.bench.time.pass(ms / 10);
      await settled();
    }
  }

  get ids(): unknown[] {
    return this.outlet.arrived.map((message) => jsonOf(message)["id"]);
  }
}

describe("telemetry: CloudEvents", () => {
  test("event: every record, a CloudEvent that breaks no rule, on its category's topic with QoS 1", async () => {
    const rig = new Rig();
    rig.outlet.connect();
    rig.alert("disk-low");
    rig.log.appendOps(event("consensus.reached", { kind: "finalization", epoch: 0, view: 3 }));
    rig.log.appendOps(event("transaction.submitted", { batch: new Uint8Array(32), transactions: 2, sizeBytes: 300 }));
    await rig.pass(5_000);
    expect(rig.outlet.arrived.map(({ topic }) => topic).sort()).toEqual([
      "bizra/v1/0123abcd/events/consensus/box-1",
      "bizra/v1/0123abcd/events/network/box-1",
      "bizra/v1/0123abcd/events/transaction/box-1",
    ]);
    for (const message of rig.outlet.arrived) {
      expect(faultsOf(jsonOf(message))).toEqual([]);
      expect({ qos: message.qos, isRetained: message.isRetained, contentType: message.contentType }).toEqual({
        qos: 1,
        isRetained: false,
        contentType: "application/cloudevents+json; charset=utf-8",
      });
    }
    expect(jsonOf(rig.outlet.arrived[0])).toMatchObject({
      id: "crit-1-1",
      source: "urn:bizra:0123abcd:node:box-1",
      type: "bizra.alert.raised",
      lane: "crit",
      data: { alert: "disk-low", severity: "warning", detail: "x" },
    });
  });

  test("event: each type that this release writes, a category", () => {
    const byCategory = Map.groupBy(Object.keys(EVENT_SCHEMAS), categoryOf);
    expect([...byCategory.keys()].sort()).toEqual(["block", "consensus", "network", "transaction", "validation"]);
    expect(byCategory.get("block")).toContain("block.finalized");
    expect(byCategory.get("consensus")).toContain("set.changed");
    expect(categoryOf("something.of.a.later.release")).toBe("network");
  });
});

describe("telemetry: events to a broker", () => {
  test("events: hours without a broker and a restart, all in order and each once", async () => {
    const rig = new Rig();
    for (let i = 0; i < 100; i++) rig.alert(`a${i}`);
    await rig.pass(20_000);
    rig.pump.close();
    rig.pump = rig.start();
    for (let i = 100; i < 150; i++) rig.alert(`a${i}`);
    rig.outlet.connect();
    await rig.pass();
    expect(rig.ids).toEqual(Array.from({ length: 150 }, (_, i) => `crit-1-${i + 1}`));
    expect(rig.pump.waiting).toBe(0);
  });

  test("events: the connection breaks under way, those without an acknowledgement come again under the same ids", async () => {
    const rig = new Rig();
    rig.outlet.isHolding = true;
    rig.outlet.connect();
    for (let i = 0; i < 3; i++) rig.alert(`a${i}`);
    await rig.pass();
    rig.outlet.acknowledge(1);
    rig.outlet.disconnect();
    rig.outlet.isHolding = false;
    await rig.pass();
    rig.outlet.connect();
    await rig.pass();
    expect(new Set(rig.ids)).toEqual(new Set(["crit-1-1", "crit-1-2", "crit-1-3"]));
    expect(rig.outlet.published.length).toBe(6); // what may have arrived is sent again: consumers know it by id
  });

  test("events: a process that dies, at most what was told since the cursor was kept comes again", async () => {
    const rig = new Rig();
    rig.outlet.connect();
    rig.alert("a");
    await rig.pass(20_000);
    rig.alert("b");
    await rig.pass(300); // told, and the cursor not kept yet
    rig.pump = rig.start(); // without close
    rig.outlet.connect();
    await rig.pass();
    expect(rig.ids).toEqual(["crit-1-2"]);
  });

  test("events: a broker that is new, from now on", async () => {
    const rig = new Rig();
    rig.alert("before");
    rig.pump = rig.start({ broker: "another" });
    rig.alert("after");
    rig.outlet.connect();
    await rig.pass();
    expect(rig.ids).toEqual(["crit-1-2"]);
  });

  test("events: more than may wait, the oldest are left out and one event says which", async () => {
    const rig = new Rig();
    rig.pump.close();
    rig.pump = rig.start({ waitingMax: 10 });
    for (let i = 0; i < 30; i++) rig.alert(`a${i}`);
    rig.outlet.connect();
    await rig.pass();
    expect(jsonOf(rig.outlet.arrived[0])).toMatchObject({
      type: "bizra.telemetry.skipped",
      data: { lane: "crit", epoch: 1, from: 1, to: 20 },
    });
    expect(faultsOf(jsonOf(rig.outlet.arrived[0]))).toEqual([]);
    expect(rig.ids.slice(1)).toEqual(Array.from({ length: 10 }, (_, i) => `crit-1-${i + 21}`));
  });

  test("events: the metered profile, the vital lane alone; the others wait and are told when it is over", async () => {
    const rig = new Rig();
    rig.outlet.connect();
    rig.log.appendOps(event("service.started", { service: "node", version: "1", height: 0 }));
    await rig.pass(5_000);
    rig.pump.close();
    rig.pump = rig.start({ profile: BANDWIDTH_PROFILES.metered });
    rig.outlet.connect();
    rig.alert("a");
    rig.log.appendOps(event("service.stopped", { service: "node", reason: "x" }));
    await rig.pass(10_000);
    expect(rig.ids).toEqual(["crit-1-1"]);
    rig.pump.close();
    rig.pump = rig.start();
    rig.outlet.connect();
    await rig.pass();
    expect(rig.ids).toEqual(["ops-1-2"]);
  });
});
