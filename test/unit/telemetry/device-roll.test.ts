import { expect, test } from "bun:test";
import { DeviceRoll } from "../../../appliance/telemetry/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";
import { ManualTime } from "../events/event-fixture.ts";

const receipt = (device: string, status: string) => ({
  topic: `bizra/v1/0123abcd/tx/${device}/receipt`,
  payload: utf8(JSON.stringify({ id: "aa", status })),
});

test("devices: receipts, counted by device and outcome; the final one is not another submission", () => {
  const roll = new DeviceRoll(new ManualTime());
  for (const status of ["accepted", "final", "rejected", "accepted"]) roll.onReceipt(receipt("pump", status));
  roll.onReceipt(receipt("valve", "accepted"));
  roll.onReceipt({ topic: "bizra/v1/0123abcd/tx/pump/submit", payload: utf8("{}") });
  roll.onReceipt({ topic: "bizra/v1/0123abcd/tx/pump/receipt", payload: Uint8Array.of(0xa1, 1) });
  expect(
    roll.devices().map(({ name, index, submissions, accepted, rejected }) => ({ name, index, submissions, accepted, rejected })),
  ).toEqual([
    { name: "pump", index: 0, submissions: 3, accepted: 2, rejected: 1 },
    { name: "valve", index: 1, submissions: 1, accepted: 1, rejected: 0 },
  ]);
});

test("devices: silent for an hour, gone; its place is used again", () => {
  const time = new ManualTime();
  const roll = new DeviceRoll(time);
  roll.onReceipt(receipt("pump", "accepted"));
  time.pass(3_600_001);
  expect(roll.devices()).toEqual([]);
  roll.onReceipt(receipt("valve", "accepted"));
  expect(roll.devices().map(({ index }) => index)).toEqual([0]);
});

test("devices: more than there is room for, the one silent longest makes room", () => {
  const time = new ManualTime();
  const roll = new DeviceRoll(time);
  for (let i = 0; i < 257; i++) {
    roll.onReceipt(receipt(`d${i}`, "accepted"));
    time.pass(1);
  }
  const devices = roll.devices();
  expect(devices.length).toBe(256);
  expect(devices.some(({ name }) => name === "d0")).toBe(false);
  expect(new Set(devices.map(({ index }) => index)).size).toBe(256);
});
