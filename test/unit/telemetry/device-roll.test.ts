import { expect, test } from "bun:test";
import { DeviceRoll } from "../../../appliance/telemetry/index.ts";
import { ManualTime } from "../events/event-fixture.ts";

test("devices: submissions, counted by device and outcome", () => {
  const roll = new DeviceRoll(new ManualTime());
  for (const isAccepted of [true, false, true]) roll.onSubmission("pump", isAccepted);
  roll.onSubmission("valve", true);
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
  roll.onSubmission("pump", true);
  time.pass(3_600_001);
  expect(roll.devices()).toEqual([]);
  roll.onSubmission("valve", true);
  expect(roll.devices().map(({ index }) => index)).toEqual([0]);
});

test("devices: more than there is room for, the one silent longest makes room", () => {
  const time = new ManualTime();
  const roll = new DeviceRoll(time);
  for (let i = 0; i < 257; i++) {
    roll.onSubmission(`d${i}`, true);
    time.pass(1);
  }
  const devices = roll.devices();
  expect(devices.length).toBe(256);
  expect(devices.some(({ name }) => name === "d0")).toBe(false);
  expect(new Set(devices.map(({ index }) => index)).size).toBe(256);
});
