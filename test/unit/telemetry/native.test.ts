import { describe, expect, test } from "bun:test";
import {
  BANDWIDTH_PROFILES,
  homeAssistantDiscovery,
  METRIC_NAMES,
  NativeView,
  showableIn,
  statusMessage,
} from "../../../appliance/telemetry/index.ts";
import { ManualTime } from "../events/event-fixture.ts";
import { discoveryFaultsOf } from "./home-assistant-rules.ts";
import { FakeOutlet, jsonOf, NODE, sampleOf } from "./telemetry-fixture.ts";

const ROOT = "bizra/v1/0123abcd/node/box-1";

class Rig {
  readonly time = new ManualTime();
  readonly outlet = new FakeOutlet();
  height = 5;
  readonly listeners: (() => void)[] = [];
  readonly view: NativeView;

  constructor(profile: keyof typeof BANDWIDTH_PROFILES = "unmetered") {
    this.view = new NativeView({
      name: NODE,
      outlet: this.outlet,
      facts: {
        info: () => ({ node: "box-1", version: "1.2.3" }),
        head: () => ({ height: this.height, hash: "ab", epoch: 0, view: this.height, timeMs: 1_000 }),
        readiness: () => ({
          isOk: false,
          checks: [
            { name: "admission", isOk: false, reason: "the disk is full" },
            { name: "consensus", isOk: true },
          ],
        }),
        onHead: (listener) => {
          this.listeners.push(listener);
          return () => {};
        },
      },
      identity: { version: "1.2.3", chainName: "demo", model: "Board 4" },
      profile: BANDWIDTH_PROFILES[profile],
      homeAssistantPrefix: "homeassistant",
      sample: () => sampleOf(this.time.nowMs(), { height: this.height, temperatureCelsius: 40 }),
      clock: this.time,
      timers: this.time,
    });
  }

  block(): void {
    this.height++;
    for (const listener of this.listeners) listener();
  }

  words(): string[] {
    return this.outlet.published.map(({ topic }) => topic.split("/").at(-1) ?? "");
  }
}

describe("telemetry: native topics", () => {
  test("topics: a connection, everything that is true now, retained with QoS 1, and status last", () => {
    const rig = new Rig();
    rig.outlet.connect();
    expect(rig.words()).toEqual(["info", "head", "health", "config", "status"]);
    expect(rig.outlet.published.every(({ isRetained, qos }) => isRetained && qos === 1)).toBe(true);
    expect(rig.outlet.published[1]).toMatchObject({ topic: `${ROOT}/head` });
    expect(jsonOf(rig.outlet.published[1])).toEqual({ height: 5, hash: "ab", epoch: 0, view: 5, time: "1970-01-01T00:00:01.000Z" });
    expect(jsonOf(rig.outlet.published[2])).toMatchObject({
      isReady: false,
      failing: [{ check: "admission", reason: "the disk is full" }],
      values: { height: 5, voting: null },
    });
    expect(jsonOf(rig.outlet.published[4])["status"]).toBe("online");
  });

  test("status: the will says offline, and so does a stop", async () => {
    expect(jsonOf(statusMessage(NODE, "offline"))).toEqual({ status: "offline" });
    const rig = new Rig();
    rig.outlet.connect();
    await rig.view.farewell();
    expect(jsonOf(rig.outlet.published.at(-1))["status"]).toBe("offline");
  });

  test("head: fifty blocks a second, told once a second and the last one in the end", () => {
    const rig = new Rig();
    rig.outlet.connect();
    for (let i = 0; i < 100; i++) {
      rig.block();
      rig.time.pass(20);
    }
    rig.time.pass(2_000);
    const heads = rig.outlet.published.filter(({ topic }) => topic.endsWith("/head")).map((message) => jsonOf(message)["height"]);
    expect(heads.length).toBeLessThanOrEqual(4);
    expect(heads.at(-1)).toBe(105);
  });

  test("head: without a connection nothing is told, with the next one the block of then", () => {
    const rig = new Rig();
    rig.block();
    rig.time.pass(10_000);
    expect(rig.outlet.published).toEqual([]);
    rig.outlet.connect();
    expect(jsonOf(rig.outlet.published[1])["height"]).toBe(6);
  });
});

describe("telemetry: Home Assistant", () => {
  const all = showableIn(sampleOf(1_000, Object.fromEntries(METRIC_NAMES.map((name) => [name, 1]))));
  const identity = { version: "1.2.3", chainName: "demo", model: "Board 4" };

  test("discovery: every figure known, a message that Home Assistant takes", () => {
    const message = homeAssistantDiscovery("homeassistant", NODE, identity, all);
    expect(message).toMatchObject({ topic: "homeassistant/device/bizra_box-1/config", isRetained: true });
    expect(discoveryFaultsOf(message.topic, jsonOf(message))).toEqual([]);
  });

  test("discovery: the rules themselves, a unit that does not fit and a field that is not known are found", () => {
    const message = jsonOf(homeAssistantDiscovery("homeassistant", NODE, identity, all));
    const components = message["components"] as Record<string, Record<string, unknown>>;
    const broken = {
      ...message,
      components: { ...components, height: { ...components["height"], device_class: "temperature", colour: "red" } },
    };
    expect(discoveryFaultsOf("homeassistant/device/x/config", broken)).toEqual([
      "height: colour is not known",
      "height: undefined is no unit of temperature",
    ]);
  });

  test("discovery: a machine without a thermometer, no such entity; the connection is always one", () => {
    const sparse = jsonOf(homeAssistantDiscovery("homeassistant", NODE, identity, showableIn(sampleOf(1_000, { height: 1, view: 1 }))));
    expect(Object.keys(sparse["components"] as object)).toEqual(["status", "height"]);
  });

  test("discovery: a figure that becomes known later, told again with it and those before", () => {
    const rig = new Rig();
    rig.outlet.connect();
    rig.view.tellHealth(sampleOf(2_000, { height: 6 }));
    rig.view.tellHealth(sampleOf(3_000, { height: 6, cpuPercent: 3 }));
    const told = rig.outlet.published
      .filter(({ topic }) => topic.endsWith("/config"))
      .map((message) => Object.keys(jsonOf(message)["components"] as object));
    expect(told).toEqual([
      ["status", "height", "temperatureCelsius"],
      ["status", "height", "temperatureCelsius", "cpuPercent"],
    ]);
  });
});
