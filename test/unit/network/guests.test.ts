import { expect, test } from "bun:test";
import type { Connection } from "@libp2p/interface";
import type { Timers } from "../../../src/kernel/index.ts";
import { Guests } from "../../../src/network/guests.ts";

/** A connection as far as guests look at it. */
class Door extends EventTarget {
  status: "open" | "aborted" = "open";
  abort(): void {
    this.status = "aborted";
    this.dispatchEvent(new Event("close"));
  }
}

function scene(linked: ReadonlySet<Door> = new Set()) {
  const due = new Set<() => void>();
  const timers: Timers = {
    after(_delayMs, action) {
      due.add(action);
      return () => void due.delete(action);
    },
  };
  const guests = new Guests(timers, 1_000, (connection) => linked.has(connection as unknown as Door));
  const admit = (door: Door) => guests.admit(door as unknown as Connection);
  const pass = () => {
    for (const action of [...due]) action();
  };
  return { guests, admit, pass, due };
}

test("guests: their time is over, shown out unless they became links", () => {
  const [guest, friend] = [new Door(), new Door()];
  const { admit, pass, guests } = scene(new Set([friend]));
  admit(guest);
  admit(friend);
  pass();
  expect([guest.status, friend.status, guests.count]).toEqual(["aborted", "open", 0]);
});

test("guests: too many, the oldest that is no link goes at once", () => {
  const doors = Array.from({ length: 70 }, () => new Door());
  const linked = new Set(doors.slice(0, 3));
  const { admit, guests } = scene(linked);
  for (const door of doors) admit(door);
  expect(guests.count).toBeLessThanOrEqual(64);
  expect(doors.filter(({ status }) => status === "aborted")).toEqual(doors.slice(3, 6));
});

test("guests: one that leaves by itself, forgotten with its timer", () => {
  const guest = new Door();
  const { admit, guests, due } = scene();
  admit(guest);
  guest.abort();
  expect([guests.count, due.size]).toEqual([0, 0]);
});
