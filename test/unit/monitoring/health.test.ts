import { expect, test } from "bun:test";
import { ALERT_CONDITIONS, findAlerts, HealthModel } from "../../../src/monitoring/index.ts";

test("health: a failing check, closes its gates alone and says why", () => {
  const model = new HealthModel();
  let isSynced = false;
  model.add({ name: "event-loop", gates: ["live", "ready"], check: () => ({ isOk: true }) });
  model.add({ name: "synced", gates: ["ready"], check: () => (isSynced ? { isOk: true } : { isOk: false, reason: "12 blocks behind" }) });
  expect(model.report("live")).toEqual({ isOk: true, checks: [{ name: "event-loop", isOk: true }] });
  expect(model.report("ready")).toEqual({
    isOk: false,
    checks: [
      { name: "event-loop", isOk: true },
      { name: "synced", isOk: false, reason: "12 blocks behind" },
    ],
  });
  isSynced = true;
  expect(model.report("ready").isOk).toBe(true);
});

test("health: a process that has started, stays started whatever fails later", () => {
  const model = new HealthModel();
  let isOk = false;
  model.add({ name: "recovered", gates: ["startup"], check: () => (isOk ? { isOk } : { isOk, reason: "replaying" }) });
  expect(model.report("startup").isOk).toBe(false);
  isOk = true;
  expect(model.report("startup").isOk).toBe(true);
  isOk = false;
  expect(model.report("startup").isOk).toBe(true);
});

test("health: a check added twice or badly named, a broken invariant", () => {
  const model = new HealthModel();
  model.add({ name: "disk", gates: ["ready"], check: () => ({ isOk: true }) });
  expect(() => model.add({ name: "disk", gates: ["live"], check: () => ({ isOk: true }) })).toThrow("added once");
  expect(() => model.add({ name: "Disk Full", gates: ["live"], check: () => ({ isOk: true }) })).toThrow("lower-case");
});

test("alerts: a healthy or unknown node, nothing holds", () => {
  expect(findAlerts({})).toEqual([]);
  const healthy = { height: 9, lastBlockAgeMs: 900, heartbeatMs: 60_000, pendingTransactions: 3, pendingTransactionsMax: 100 } as const;
  expect(
    findAlerts({ ...healthy, syncState: "synced", diskFreeBytes: 2 ** 40, diskFreeBytesMin: 1, diskFreeBytesWarn: 2, clockOffsetMs: 3 }),
  ).toEqual([]);
});

test("alerts: each condition, holds for a sample made for it, with a reason and a remedy", () => {
  const samples = {
    "disk-spent": { diskFreeBytes: 2 ** 23, diskFreeBytesMin: 2 ** 26, diskFreeBytesReserve: 2 ** 24 },
    "disk-full": { diskFreeBytes: 2 ** 25, diskFreeBytesMin: 2 ** 26, diskFreeBytesReserve: 2 ** 24 },
    "storage-read-only": { isStorageReadOnly: true },
    "storage-worn-out": { storageReserve: 3, storageWearPercent: 90 },
    "storage-wearing-out": { storageReserve: 1, storageWearPercent: 80 },
    "power-weak": { isUndervolted: true, isThrottled: true },
    "too-hot": { temperatureCelsius: 80 },
    "clock-unset": { isClockSynchronized: false },
    outdated: { outdatedBecause: "this version does not know block version 2, activated at epoch 3" },
    "update-due": { comingUpdate: "block version 2 is approved from epoch 3 on" },
    recovering: { syncState: "recovering" },
    "key-shared": { sharedKeyAddress: "/ip4/192.0.2.7/tcp/8646" },
    "chain-stalled": { lastBlockAgeMs: 181_000, heartbeatMs: 60_000, height: 7 },
    "work-stalled": { lastBlockAgeMs: 31_000, pendingTransactions: 1 },
    "mempool-nearly-full": { pendingTransactions: 90, pendingTransactionsMax: 100 },
    "catching-up": { syncState: "catchingUp" },
    "disk-low": { diskFreeBytes: 2 ** 27, diskFreeBytesMin: 2 ** 26, diskFreeBytesWarn: 2 ** 29 },
    "disk-slow": { syncP99Ms: 251 },
    "verify-threads": { verifyThreadsFailed: 1 },
    "loop-lagging": { eventLoopLagP99Ms: 101 },
    "memory-high": { residentBytes: 2 ** 30 },
    "clock-off": { clockOffsetMs: -6_000 },
    "open-to-network": { listensBeyondLoopback: true },
  } as const;
  expect(Object.keys(samples).sort()).toEqual(ALERT_CONDITIONS.map((condition) => condition.name).sort());
  for (const [name, sample] of Object.entries(samples)) {
    const alerts = findAlerts(sample);
    expect(alerts.map((alert) => alert.name)).toEqual([name]);
    expect(alerts[0]?.reason.length).toBeGreaterThan(20);
    expect(alerts[0]?.remedy.length).toBeGreaterThan(20);
  }
});
