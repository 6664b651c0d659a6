import { describe, expect, test } from "bun:test";
import { BANDWIDTH_PROFILES, hasLeftBand, METRIC_NAMES, planReport, Sampler } from "../../../appliance/telemetry/index.ts";
import { ManualTime } from "../events/event-fixture.ts";
import { sampleOf } from "./telemetry-fixture.ts";

const { unmetered, metered, emergency } = BANDWIDTH_PROFILES;

describe("telemetry: report by exception", () => {
  test("report: the first sample, a heartbeat with every figure", () => {
    const { report } = planReport(undefined, sampleOf(0, { height: 1 }), unmetered);
    expect(report?.isHeartbeat).toBe(true);
    expect(Object.keys(report?.values ?? {})).toEqual([...METRIC_NAMES]);
  });

  test("report: nothing changed, no report and no new state", () => {
    const first = planReport(undefined, sampleOf(0, { height: 1 }), unmetered);
    expect(planReport(first.state, sampleOf(10_000, { height: 1 }), unmetered)).toEqual({ state: first.state });
  });

  test("report: a temperature that creeps, told when it is more than two degrees from what was told last", () => {
    let state = planReport(undefined, sampleOf(0, { temperatureCelsius: 40 }), unmetered).state;
    const told: unknown[] = [];
    for (let i = 1; i <= 5; i++) {
      const next = planReport(state, sampleOf(i * 10_000, { temperatureCelsius: 40 + i }), unmetered);
      state = next.state;
      told.push(next.report?.values);
    }
    expect(told).toEqual([undefined, undefined, { temperatureCelsius: 43 }, undefined, undefined]);
  });

  test("report: a state that changes or becomes unknown, told at once", () => {
    const { state } = planReport(undefined, sampleOf(0, { voting: "voting", temperatureCelsius: 40 }), metered);
    const { report } = planReport(state, sampleOf(1, { voting: "mute" }), metered);
    expect(report).toEqual({ timeMs: 1, isHeartbeat: false, values: { voting: "mute", temperatureCelsius: null } });
  });

  test("report: the heartbeat's time is over, all figures whether they changed or not", () => {
    const { state } = planReport(undefined, sampleOf(0), unmetered);
    expect(planReport(state, sampleOf(299_999), unmetered).report).toBeUndefined();
    expect(planReport(state, sampleOf(300_000), unmetered).report?.isHeartbeat).toBe(true);
  });

  test("report: the emergency profile, essential figures alone", () => {
    const { report } = planReport(undefined, sampleOf(0, { height: 1, residentBytes: 5 }), emergency);
    expect(Object.keys(report?.values ?? {})).toContain("height");
    expect(Object.keys(report?.values ?? {})).not.toContain("residentBytes");
  });

  test("bands: the larger of absolute and share, widened by the profile", () => {
    expect(hasLeftBand("pendingTransactions", 1_000, 1_200, 1)).toBe(false);
    expect(hasLeftBand("pendingTransactions", 1_000, 1_201, 1)).toBe(true);
    expect(hasLeftBand("pendingTransactions", 1_000, 1_201, 3)).toBe(false);
    expect(hasLeftBand("pendingTransactions", 0, 10, 1)).toBe(false);
    expect(hasLeftBand("pendingTransactions", 0, 11, 1)).toBe(true);
    expect(hasLeftBand("height", 1, 2, 10)).toBe(true);
  });
});

test("sampler: two readers, the later one counts; a figure that is not finite is not known; a second look within a second, the same", () => {
  const time = new ManualTime();
  let height = 1;
  const sampler = new Sampler([{ read: () => ({ height, peers: 3 }) }, { read: () => ({ peers: 4, loadAverage: Number.NaN }) }], time);
  const sample = sampler.sample();
  expect(sample.values).toMatchObject({ height: 1, peers: 4, loadAverage: null, voting: null });
  height = 2;
  expect(sampler.sample()).toBe(sample);
  time.pass(1_000);
  expect(sampler.sample().values.height).toBe(2);
});
