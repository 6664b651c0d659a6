import { expect, test } from "bun:test";
import { LINK_TUNINGS } from "../../../../../sync/agent/profile.ts";
import { complaintsOf, HEARTBEAT_EVERY_MS, STATUS_BOUNDS, stateOf, statusTimesOf } from "../../../../../sync/aggregator/fleet/status.ts";
import { LINK_PROFILES } from "../../../../../sync/protocol/index.ts";

const WELL = { isReady: true, state: "voting", figures: { alerts: 0, diskFreeBytes: 1e10, temperatureCelsius: 50, isThrottled: 0 } };

test("fleet status: ages at the rule's edges, online then degraded then unknown", () => {
  const times = statusTimesOf("unmetered");
  expect(times).toEqual({ lateMs: 60_000, silentMs: 90_000 });
  expect(stateOf(0, times, [])).toBe("online");
  expect(stateOf(59_999, times, [])).toBe("online");
  expect(stateOf(60_000, times, [])).toBe("degraded");
  expect(stateOf(89_999, times, [])).toBe("degraded");
  expect(stateOf(90_000, times, [])).toBe("unknown");
  expect(stateOf(undefined, times, [])).toBe("unknown");
});

test("fleet status: the intervals are those that agents keep", () => {
  for (const profile of LINK_PROFILES) expect<number>(HEARTBEAT_EVERY_MS[profile]).toBe(LINK_TUNINGS[profile].heartbeatMs);
});

test("fleet status: what a heartbeat complains of, degraded while it is fresh and unknown once it is old", () => {
  expect(complaintsOf(WELL)).toEqual([]);
  expect(complaintsOf({ ...WELL, isReady: false })).toEqual(["notReady"]);
  expect(complaintsOf({ ...WELL, state: "catchingUp" })).toEqual(["catchingUp"]);
  const figures = {
    alerts: 2,
    diskFreeBytes: 1_000,
    storageWearPercent: 90,
    temperatureCelsius: 80,
    isThrottled: 1,
    isClockSynchronized: 0,
  };
  const all = complaintsOf({ ...WELL, figures });
  expect(all).toEqual(["alerts", "diskLow", "storageWorn", "hot", "throttled", "clockUnsynchronized"]);
  const times = statusTimesOf("metered");
  expect(stateOf(0, times, all)).toBe("degraded");
  expect(stateOf(times.silentMs, times, all)).toBe("unknown");
});

test("fleet status: figures at their bounds and figures that are not known, no complaint", () => {
  const { diskFreeBytesMin, storageWearPercentMax, temperatureCelsiusMax } = STATUS_BOUNDS;
  const figures = {
    diskFreeBytes: diskFreeBytesMin,
    storageWearPercent: storageWearPercentMax - 1,
    temperatureCelsius: temperatureCelsiusMax - 0.1,
  };
  expect(complaintsOf({ ...WELL, figures })).toEqual([]);
  expect(complaintsOf({ ...WELL, figures: {} })).toEqual([]);
});
