/** Telemetry to a real mosquitto that is killed, cut off for hours of simulated time, and comes back. */
import { afterEach, describe, expect, test } from "bun:test";
import { BANDWIDTH_PROFILES, Link, type MetricValues, MqttConnector } from "../../../appliance/telemetry/index.ts";
import { event } from "../../../src/events/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { systemEntropy, systemTimers } from "../../../src/node/index.ts";
import { EventBench } from "../../unit/events/event-fixture.ts";
import { faultsOf } from "../../unit/telemetry/cloud-event-rules.ts";
import { decodedBy, memoryStore, NODE, sampleOf } from "../../unit/telemetry/telemetry-fixture.ts";
import { findMosquitto, Mosquitto } from "./mosquitto.ts";
import { jsonSeen, Observer, type Seen } from "./observer.ts";
import { Wire } from "./relay.ts";

const found = await findMosquitto();
const program = "path" in found ? found.path : undefined;
if ("reason" in found) console.warn(`SKIPPED telemetry over a real broker: ${found.reason}`);
const withBroker = test.skipIf(program === undefined);

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A node's telemetry whose time a test moves, on a wire to a mosquitto. */
class Rig {
  readonly bench = new EventBench();
  readonly events = this.bench.open();
  readonly kept = memoryStore();
  values: MetricValues = { height: 0 };
  #link: Link | undefined;

  readonly broker: Mosquitto;
  readonly wire: Wire;

  private constructor(broker: Mosquitto, wire: Wire) {
    this.broker = broker;
    this.wire = wire;
  }

  static async make(): Promise<Rig> {
    const broker = await Mosquitto.start(program ?? "");
    endings.push(() => broker.end());
    const wire = await Wire.to(broker.port);
    endings.push(() => wire.end());
    const rig = new Rig(broker, wire);
    endings.push(() => rig.stop());
    return rig;
  }

  start(version: "5" | "3.1.1" = "5"): Link {
    const address = { url: `mqtt://127.0.0.1:${this.wire.port}`, version, clientId: "bizra-box-1" } as const;
    const link = new Link(
      {
        name: NODE,
        identity: { version: "1.2.3", chainName: "demo" },
        facts: {
          info: () => ({ node: NODE.node }),
          head: () => ({ height: Number(this.values.height), hash: "ab", epoch: 0, view: 1, timeMs: 0 }),
          readiness: () => ({ isOk: true, checks: [] }),
          onHead: () => () => {},
        },
        events: this.events,
        store: this.kept.store,
        sample: () => sampleOf(this.bench.time.nowMs(), this.values),
        devices: () => [],
        clock: this.bench.time,
        timers: this.bench.time,
        log: silentLog,
      },
      {
        connector: new MqttConnector("outside", { address, timers: systemTimers, entropy: systemEntropy, log: silentLog }),
        profile: BANDWIDTH_PROFILES.unmetered,
        sparkplugGroup: "plant",
        sparkplugHost: "",
        homeAssistantPrefix: "homeassistant",
      },
    );
    link.start();
    this.#link = link;
    return link;
  }

  async observe(): Promise<Observer> {
    const observer = await Observer.connect(`mqtt://127.0.0.1:${this.broker.port}`);
    endings.push(() => observer.end());
    return observer;
  }

  /** Hours go by; the height grows with every look, and now and then an alert. */
  hours(count: number): void {
    for (let i = 0; i < count * 360; i++) {
      this.values = { height: Number(this.values.height) + 1 };
      if (i % 36 === 0)
        this.events.appendCrit(event("alert.raised", { alert: `a${this.values.height}`, severity: "warning", detail: "x" }));
      this.bench.time.pass(10_000);
    }
  }

  async stop(): Promise<void> {
    await this.#link?.stop();
    this.#link = undefined;
  }

  /** Lets the pumps' timers fire while the world goes on. */
  async turn(observer: Observer, holds: () => boolean, what: string): Promise<void> {
    const timer = setInterval(() => this.bench.time.pass(300), 20);
    try {
      await observer.until(holds, what);
    } finally {
      clearInterval(timer);
    }
  }
}

const METRICS = /\/metrics$/;
const EVENTS = /\/events\//;
const heightsIn = (messages: Seen[]): number[] =>
  messages.flatMap((message) => {
    const { height } = jsonSeen(message)["values"] as { height?: number };
    return height === undefined ? [] : [height];
  });

describe("telemetry over mosquitto", () => {
  withBroker(
    "outage: the broker is killed, six hours go by, it is back with nothing of before: reports and events in order, each once",
    async () => {
      const rig = await Rig.make();
      const before = await rig.observe();
      const link = rig.start();
      await before.until(
        () => [/\/status$/, METRICS, /NBIRTH/].every((topic) => before.on(topic).length > 0),
        "a first report and a birth",
      );
      await rig.broker.crash();
      rig.wire.cut();
      while (link.native.isConnected) await Bun.sleep(5);
      rig.hours(6);
      const lastHeight = Number(rig.values.height);
      await rig.broker.restart();
      const after = await rig.observe(); // hears before the node is back
      rig.wire.mend();
      await rig.turn(after, () => link.waiting.reports === 0 && after.on(EVENTS).length >= 60 && link.waiting.events === 0, "what waited");
      await rig.turn(after, () => sparkplugHeights(after).length >= lastHeight, "what waited of Sparkplug");
      const heights = heightsIn(after.on(METRICS).filter((message) => jsonSeen(message)["isHistorical"] === true));
      expect(heights).toEqual(Array.from({ length: heights.length }, (_, i) => i + (heights[0] ?? 0)));
      expect([heights[0], heights.at(-1)]).toEqual([1, lastHeight]);
      const ids = after.on(METRICS).map((message) => jsonSeen(message)["id"]);
      expect(new Set(ids).size).toBe(ids.length);
      const events = after.on(EVENTS).map(jsonSeen);
      expect(events.flatMap(faultsOf)).toEqual([]);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => `crit-1-${i + 1}`));
      expect(events.length).toBe(60);
      expect(sparkplugHeights(after).slice(0, lastHeight)).toEqual(Array.from({ length: lastHeight }, (_, i) => i + 1));
    },
    240_000,
  );

  withBroker(
    "outage: the wire is cut while much is under way, again and again: every event at least once, each id's content the same",
    async () => {
      const rig = await Rig.make();
      const observer = await rig.observe();
      const link = rig.start();
      await observer.until(() => observer.on(/\/status$/).length > 0, "a connection");
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 100; i++) rig.events.appendCrit(event("alert.raised", { alert: `a${i}`, severity: "warning", detail: "x" }));
        rig.bench.time.pass(300);
        await Bun.sleep(round * 3);
        rig.wire.cut();
        while (link.native.isConnected) await Bun.sleep(1);
        rig.wire.mend();
      }
      await rig.turn(observer, () => link.native.isConnected && link.waiting.events === 0, "everything");
      const events = observer.on(EVENTS).map(jsonSeen);
      const byId = Map.groupBy(events, ({ id }) => String(id));
      expect([...byId.keys()].sort()).toEqual(Array.from({ length: 500 }, (_, i) => `crit-1-${i + 1}`).sort());
      for (const same of byId.values()) expect(new Set(same.map((item) => JSON.stringify(item))).size).toBe(1);
    },
    240_000,
  );

  withBroker(
    "will: the wire is cut, status says offline and NDEATH has the number of the birth; the next birth has the next one",
    async () => {
      const rig = await Rig.make();
      const observer = await rig.observe();
      const link = rig.start();
      await observer.until(() => observer.on(/NBIRTH/).length === 1 && observer.on(/\/status$/).length === 1, "a birth");
      rig.wire.cut();
      await observer.until(() => observer.on(/NDEATH/).length === 1 && observer.on(/\/status$/).length === 2, "the wills");
      expect(jsonSeen(observer.on(/\/status$/).at(-1))).toEqual({ status: "offline" });
      while (link.native.isConnected) await Bun.sleep(5);
      rig.wire.mend();
      await observer.until(() => observer.on(/NBIRTH/).length === 2, "another birth");
      const numbers = [...observer.on(/NBIRTH/), ...observer.on(/NDEATH/)].map(({ payload, topic }) => {
        const { metrics } = decodedBy({ topic, payload, qos: 0, isRetained: false });
        return Number(metrics.find(({ name }) => name === "bdSeq")?.value);
      });
      expect(numbers).toEqual([0, 1, 0]);
    },
    240_000,
  );

  for (const version of ["5", "3.1.1"] as const) {
    withBroker(
      `stop: in good order over MQTT ${version}, status offline and NDEATH, and the next start goes on`,
      async () => {
        const rig = await Rig.make();
        const observer = await rig.observe();
        rig.start(version);
        await observer.until(() => observer.on(/NBIRTH/).length === 1 && observer.on(/\/status$/).length === 1, "a birth");
        await rig.stop();
        await observer.until(() => observer.on(/NDEATH/).length >= 1 && observer.on(/\/status$/).length === 2, "a farewell");
        expect(jsonSeen(observer.on(/\/status$/).at(-1))["status"]).toBe("offline");
        rig.start(version);
        await observer.until(() => observer.on(/NBIRTH/).length === 2, "another birth");
      },
      240_000,
    );
  }
});

function sparkplugHeights(observer: Observer): number[] {
  return observer
    .on(/NDATA/)
    .flatMap(({ topic, payload }) => decodedBy({ topic, payload, qos: 0, isRetained: false }).metrics)
    .filter(({ alias, isHistorical }) => Number(alias) === 10 && isHistorical === true)
    .map(({ value }) => Number(value));
}
