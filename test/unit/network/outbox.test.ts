import { expect, test } from "bun:test";
import { Outbox } from "../../../src/network/outbox.ts";

const message = (label: string, size: number, fill = 0) => ({ label, bytes: new Uint8Array(size).fill(fill) });

test("outbox: full with dropOldest, the oldest of the same label goes first, then the oldest of all", () => {
  const outbox = new Outbox({ bytesMax: 30, messagesMax: 10, policy: "dropOldest" });
  for (const fill of [1, 2]) outbox.offer(message("vote", 10, fill));
  outbox.offer(message("certificates", 10, 3));
  expect(outbox.offer(message("vote", 10, 4))).toEqual({ isQueued: true, dropped: [message("vote", 10, 1)] });
  expect(outbox.offer(message("proposal", 10, 5)).dropped).toEqual([message("vote", 10, 2)]);
  expect([outbox.poll(), outbox.poll(), outbox.poll()].map((sent) => sent?.bytes[0])).toEqual([3, 4, 5]);
  expect([outbox.bytes, outbox.length, outbox.poll()]).toEqual([0, 0, undefined]);
});

test("outbox: full with refuse, the newcomer waits outside and nothing is lost", () => {
  const outbox = new Outbox({ bytesMax: 20, messagesMax: 10, policy: "refuse" });
  expect(outbox.offer(message("batch", 20)).isQueued).toBe(true);
  expect(outbox.offer(message("batch", 1))).toEqual({ isQueued: false, dropped: [] });
  expect(outbox.isRoomy).toBe(false);
  outbox.poll();
  expect(outbox.isRoomy).toBe(true);
});

test("outbox: a message larger than the whole bound, taken when nothing else waits", () => {
  const outbox = new Outbox({ bytesMax: 10, messagesMax: 10, policy: "refuse" });
  expect(outbox.offer(message("batch", 100)).isQueued).toBe(true);
  expect(outbox.offer(message("batch", 1)).isQueued).toBe(false);
});

test("outbox: many small ones, bounded by their count too", () => {
  const outbox = new Outbox({ bytesMax: 1_000, messagesMax: 3, policy: "dropOldest" });
  for (let i = 0; i < 10; i++) outbox.offer(message("vote", 1, i));
  expect(outbox.length).toBe(3);
  expect(outbox.poll()?.bytes[0]).toBe(7);
});
