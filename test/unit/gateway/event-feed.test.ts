import { expect, test } from "bun:test";
import type { EventCursor, EventPage, EventQueries, EventRecord } from "../../../src/gateway/index.ts";
import { EventFeed } from "../../../src/gateway/streams/event-feed.ts";
import { EventReader } from "../../../src/gateway/streams/event-reader.ts";
import { ManualTime } from "./manual-time.ts";

/** A lane whose reads answer when the test lets them, with what the lane held when they were asked. */
class HeldLane implements EventQueries {
  readonly records: EventRecord[] = [];
  readonly reads: { readonly after: EventCursor; readonly answer: () => void }[] = [];
  isHeld = false;

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      const hash = "0".repeat(64);
      this.records.push({ lane: "chain", epoch: 1, sequence: this.records.length + 1, previousHash: hash, time: "", type: "t", hash });
    }
  }

  read(_lane: "crit" | "chain" | "ops", after: EventCursor, limit: number): Promise<EventPage> {
    const records = this.records.slice(after.sequence, after.sequence + limit);
    const { promise, resolve } = Promise.withResolvers<EventPage>();
    const answer = (): void => resolve({ records, head: this.head() });
    this.reads.push({ after, answer });
    if (!this.isHeld) answer();
    return promise;
  }

  head(): EventCursor {
    return { epoch: 1, sequence: this.records.length };
  }

  subscribe(): () => void {
    return () => {};
  }
}

const at = (sequence: number): EventCursor => ({ epoch: 1, sequence });

test("feed: readers at one place, one read of the log shared by all", async () => {
  const lane = new HeldLane();
  lane.append(3);
  lane.isHeld = true;
  const feed = new EventFeed("chain", lane);
  const pages = [feed.read(at(0)), feed.read(at(0)), feed.read(at(0))];
  expect(lane.reads).toHaveLength(1);
  lane.reads[0]?.answer();
  for (const page of await Promise.all(pages)) expect(page.events.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  expect((await feed.read(at(1))).events.map(({ sequence }) => sequence)).toEqual([2, 3]);
  expect(lane.reads).toHaveLength(1);
});

test("feed: growth while a read is under way, who asks afterwards is not told that read's answer", async () => {
  const lane = new HeldLane();
  lane.isHeld = true;
  const feed = new EventFeed("chain", lane);
  const before = feed.read(at(0));
  lane.append(1);
  feed.onGrown();
  const after = feed.read(at(0));
  expect(lane.reads).toHaveLength(2);
  for (const { answer } of lane.reads) answer();
  expect([(await before).events.length, (await after).events.length]).toEqual([0, 1]);
});

test("feed: many more events than are shared, a reader far behind gets every one in order", async () => {
  const lane = new HeldLane();
  const feed = new EventFeed("chain", lane);
  const live = new EventReader(feed, at(0), new ManualTime(), 1_000);
  for (let i = 0; i < 20; i++) {
    lane.append(100);
    feed.onGrown();
    const next = await live.next();
    expect(next.kind === "events" ? next.events.map(({ sequence }) => sequence) : []).toEqual(
      Array.from({ length: 100 }, (_, k) => 100 * i + k + 1),
    );
  }
  const late = new EventReader(feed, at(0), new ManualTime(), 1_000);
  const seen: number[] = [];
  while (seen.length < 2_000) {
    const next = await late.next();
    if (next.kind === "events") seen.push(...next.events.map(({ sequence }) => sequence));
  }
  expect(seen).toEqual(Array.from({ length: 2_000 }, (_, i) => i + 1));
  const another = new EventReader(feed, at(0), new ManualTime(), 1_000);
  await another.next();
  lane.append(1);
  feed.onGrown();
  expect(await live.next()).toMatchObject({ kind: "events", events: [{ sequence: 2_001 }] });
  const following = await another.next();
  expect(following.kind === "events" ? following.events[0]?.sequence : undefined).toBe(129);
});

test("feed: growth between the look and the wait, not missed", async () => {
  const lane = new HeldLane();
  const time = new ManualTime();
  const feed = new EventFeed("chain", lane);
  const reader = new EventReader(feed, at(0), time, 1_000);
  lane.isHeld = true;
  const next = reader.next();
  lane.append(1);
  feed.onGrown();
  lane.isHeld = false;
  lane.reads[0]?.answer();
  expect(await next).toMatchObject({ kind: "events", events: [{ sequence: 1 }] });
  expect(time.pending).toBe(0);
});

test("reader: nothing comes, a heartbeat; closed while it waits, closed and nothing left armed", async () => {
  const time = new ManualTime();
  const reader = new EventReader(new EventFeed("chain", new HeldLane()), at(0), time, 1_000);
  const beat = reader.next();
  time.advance(1_000);
  expect(await beat).toEqual({ kind: "heartbeat" });
  const last = reader.next();
  reader.close();
  expect([await last, await reader.next(), time.pending]).toEqual([{ kind: "closed" }, { kind: "closed" }, 0]);
});

test("reader: a lane from a later incarnation, no gap is claimed between epochs", async () => {
  const lane = new HeldLane();
  lane.append(2);
  const [first] = lane.records;
  if (!first) throw new Error("the lane has a record");
  lane.records.splice(0, 2, { ...first, epoch: 2, sequence: 7 });
  const page = await new EventFeed("chain", lane).read(at(0));
  expect([page.isGap, page.events[0]?.cursor]).toEqual([false, "2.7"]);
});
