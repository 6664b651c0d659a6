import { describe, expect, test } from "bun:test";
import { SamplePump, TELEMETRY_APPLICATION_ID, TELEMETRY_MIGRATIONS, TelemetryStore } from "../../../appliance/telemetry/index.ts";
import { Prng, silentLog } from "../../../src/kernel/index.ts";
import { MemoryDatabaseFile } from "../../../src/storage/index.ts";
import { FakeOutlet, jsonOf, memoryStore, NODE, reportOf, settled } from "./telemetry-fixture.ts";

const heightsOf = (outlet: FakeOutlet): unknown[] => outlet.arrived.map((message) => jsonOf(message)["values"]);
const report = (height: number) => reportOf(1_000 * height, { height });

describe("telemetry: reports to a broker", () => {
  test("reports: the broker answers, from memory and nothing is written", async () => {
    const { store } = memoryStore();
    const outlet = new FakeOutlet();
    const queue = store.queue("a", 100);
    const pump = new SamplePump(NODE, outlet, queue);
    outlet.connect();
    await pump.tell(report(1));
    expect(queue.length).toBe(0);
    expect(jsonOf(outlet.arrived[0])).toMatchObject({ id: "box-1-1000", isHistorical: false, omitted: 0, values: { height: 1 } });
  });

  test("reports: two of one look, what changed and everything because somebody asked, under two ids", async () => {
    const { store } = memoryStore();
    const outlet = new FakeOutlet();
    const pump = new SamplePump(NODE, outlet, store.queue("a", 100));
    outlet.connect();
    await pump.tell(report(1));
    await pump.tell({ ...report(1), isHeartbeat: true });
    expect(new Set(outlet.arrived.map((message) => jsonOf(message)["id"])).size).toBe(2);
  });

  test("reports: hours without a broker, kept on disk and told in the order of their time, live ones after them", async () => {
    const { store } = memoryStore();
    const outlet = new FakeOutlet();
    const pump = new SamplePump(NODE, outlet, store.queue("a", 1_000));
    for (let height = 1; height <= 100; height++) await pump.tell(report(height));
    outlet.connect();
    await pump.tell(report(101));
    await settled();
    await settled();
    await settled();
    expect(heightsOf(outlet)).toEqual(Array.from({ length: 101 }, (_, i) => ({ height: i + 1 })));
    expect(jsonOf(outlet.arrived[0])["isHistorical"]).toBe(true);
    expect(pump.waiting).toBe(0);
  });

  test("reports: the connection breaks before the acknowledgement, on disk and told again under the same id", async () => {
    const { store } = memoryStore();
    const outlet = new FakeOutlet();
    const queue = store.queue("a", 100);
    const pump = new SamplePump(NODE, outlet, queue);
    outlet.isHolding = true;
    outlet.connect();
    void pump.tell(report(1));
    void pump.tell(report(2));
    outlet.acknowledge(1);
    outlet.disconnect();
    await settled();
    expect(queue.length).toBe(1);
    outlet.isHolding = false;
    outlet.connect();
    await settled();
    expect(outlet.published.map((message) => jsonOf(message)["id"])).toEqual(["box-1-1000", "box-1-2000", "box-1-2000"]);
    expect(queue.length).toBe(0);
  });

  test("reports: a stop while one is under way, kept for the next start", async () => {
    const { database, store } = memoryStore();
    const outlet = new FakeOutlet();
    const pump = new SamplePump(NODE, outlet, store.queue("a", 100));
    outlet.isHolding = true;
    outlet.connect();
    void pump.tell(report(1));
    pump.close();
    await outlet.close();
    await settled();
    const again = new TelemetryStore(database, silentLog).queue("a", 100);
    expect(again.peek(10).map((kept) => kept.report)).toEqual([report(1)]);
  });

  test("reports: one that the broker refuses for good, not told for ever", async () => {
    const { store } = memoryStore();
    const outlet = new FakeOutlet();
    const queue = store.queue("a", 100);
    const pump = new SamplePump(NODE, outlet, queue);
    await pump.tell(report(1));
    outlet.refuses = () => true;
    outlet.connect();
    await settled();
    expect(outlet.published.length).toBe(1);
    expect(queue.length).toBe(0);
  });
});

describe("telemetry: the bound of a queue", () => {
  test("queue: more than its bound, every second of the older half goes and the one after says so", () => {
    const queue = memoryStore().store.queue("a", 8);
    queue.put(Array.from({ length: 9 }, (_, i) => report(i + 1)));
    expect(queue.peek(20).map(({ report: { values }, omitted }) => [values.height, omitted])).toEqual([
      [2, 1],
      [4, 1],
      [5, 0],
      [6, 0],
      [7, 0],
      [8, 0],
      [9, 0],
    ]);
  });

  test("queue: a year without a broker, within its bound; what is left and what was omitted make up everything", () => {
    const queue = memoryStore().store.queue("a", 16);
    for (let height = 1; height <= 1_000; height++) queue.put([report(height)]);
    const kept = queue.peek(100);
    expect(queue.length).toBeLessThanOrEqual(16);
    expect(kept.length).toBe(queue.length);
    expect(kept.reduce((sum, { omitted }) => sum + 1 + omitted, 0)).toBe(1_000);
    expect(kept.at(-1)?.report.values.height).toBe(1_000);
  });

  test("queue: opened again, length and order are what they were", () => {
    const { database, store } = memoryStore();
    store.queue("a", 100).put([report(2), report(1)]);
    store.queue("b", 100).put([report(3)]);
    const again = new TelemetryStore(database, silentLog).queue("a", 100);
    expect([again.length, again.peek(9).map((kept) => kept.report.values.height)]).toEqual([2, [1, 2]]);
    again.remove(again.peek(1));
    expect(again.peek(9).map((kept) => kept.report.values.height)).toEqual([2]);
  });
});

describe("telemetry: a disk that does not take it", () => {
  const fileOf = () =>
    new MemoryDatabaseFile(
      { path: "telemetry.db", applicationId: TELEMETRY_APPLICATION_ID, migrations: TELEMETRY_MIGRATIONS, durability: "full" },
      new Prng(1),
      () => {},
    );

  test("store: the disk is full, what it does not take is dropped, the next report says how many, and nothing is thrown", () => {
    const file = fileOf();
    const store = new TelemetryStore(file.open(), silentLog);
    const queue = store.queue("a", 100);
    for (let height = 1; height <= 3; height++) {
      file.failNextCommit("diskFull");
      queue.put([report(height)]);
    }
    expect(queue.length).toBe(0);
    queue.put([report(4)]);
    expect(queue.peek(9).map(({ omitted, report: { values } }) => [values.height, omitted])).toEqual([[4, 3]]);
    file.failNextCommit("diskFull");
    expect(queue.remove(queue.peek(1))).toBe(false);
    expect(queue.length).toBe(1);
    file.failNextCommit("diskFull");
    expect(store.rememberCommand(new Uint8Array(16), 10, 1, 10)).toBe("full");
    expect(store.rememberCommand(new Uint8Array(16), 10, 1, 10)).toBe("new");
    file.close();
  });

  test("store: the disk has failed, nothing is kept from then on, and nothing is thrown", () => {
    const file = fileOf();
    const store = new TelemetryStore(file.open(), silentLog);
    const queue = store.queue("a", 100);
    file.failNextCommit("ioFailed");
    queue.put([report(1)]);
    expect(store.putCursors("a", new Map([["crit", { epoch: 1, sequence: 1 }]]))).toBe(false);
    expect(queue.peek(1)).toEqual([]);
    expect(store.cursor("a", "crit")).toBeUndefined();
    expect(store.rememberCommand(new Uint8Array(16), 10, 1, 10)).toBe("full");
    file.close();
  });
});
