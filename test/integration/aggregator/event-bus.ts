/** The aggregator's bus: one suite, run by every implementation against a real server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EMPTY_LANE, event, type LaneTip, sealRecord } from "../../../src/events/index.ts";
import { silentLog, toHex } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { openMemoryDatabase } from "../../../src/storage/index.ts";
import {
  AGGREGATOR_APPLICATION_ID,
  AGGREGATOR_MIGRATIONS,
  type BusEvent,
  type EventBus,
  Forwarder,
  type ForwarderParts,
  type LaneHolding,
  type NodeRef,
  openBus,
  SqliteStore,
  StoreUnavailable,
} from "../../../sync/aggregator/index.ts";
import { appendageOf, nodeOf, refOf } from "../../contract/aggregator-store.ts";

/** A message as an independent reader of the bus sees it. */
export type Heard = { readonly topic: string; readonly node: string; readonly text: string };

/** A server under test. */
export type BusSubject = {
  readonly name: string;
  /** Its address. */
  readonly url: () => string;
  readonly start: () => Promise<void>;
  /** Ends it as a crash does; what it has acknowledged survives. */
  readonly kill: () => Promise<void>;
  readonly remove: () => Promise<void>;
  /** Everything on the bus, in the order of the bus for each topic and node. */
  readonly read: () => Promise<readonly Heard[]>;
};

const [HASH, ZEROS] = [new Uint8Array(32).fill(9), new Uint8Array(32)];

function oneOfEach(ref: NodeRef): BusEvent[] {
  let tip: LaneTip = EMPTY_LANE;
  const place = { height: 1, epoch: 1, view: 0, hash: HASH };
  const all = [
    event("block.validated", { ...place, verdict: "valid" }),
    event("consensus.reached", { kind: "final", epoch: 1, view: 0, hash: HASH }),
    event("block.created", { ...place, transactions: 3 }),
    event("transaction.submitted", { batch: ZEROS, transactions: 3, sizeBytes: 300 }),
    event("service.stopped", { service: "node", reason: "over" }),
  ];
  return all.map((one) => {
    const { sequence, timeMs, type, body, hash, epoch } = sealRecord("ops", tip, 1_700_000_000_000, one);
    tip = { epoch, sequence, hash };
    return { ...ref, lane: "ops", epoch, sequence, timeMs, type, body, hash, receivedAtMs: 1 };
  });
}

function open(subject: BusSubject): EventBus {
  const bus = openBus(subject.url());
  if (!bus.ok) throw new Error(bus.error.detail);
  return bus.value;
}

const idsOf = (heard: readonly Heard[], node: string): number[] =>
  heard.filter((one) => one.node === node && one.topic === "network.events").map(({ text }) => Number(JSON.parse(text).sequence));

/** Each number where it comes first. */
const firsts = (numbers: readonly number[]): number[] => [...new Set(numbers)];

/** Runs the suite. */
export function describeEventBus(subject: BusSubject): void {
  describe(`event bus: ${subject.name}`, () => {
    beforeAll(() => subject.start(), 120_000);
    afterAll(() => subject.remove());

    test("event bus: each event in its topic under its node, with its place and hash", async () => {
      const bus = open(subject);
      const events = oneOfEach(refOf("each"));
      await bus.publish(events);
      await bus.close();
      const heard = (await subject.read()).filter(({ node }) => node === "abababab.each");
      const topics = ["validation.events", "consensus.events", "block.events", "transaction.events", "network.events"];
      expect([...new Set(heard.map(({ topic }) => topic))].toSorted()).toEqual(topics.toSorted()); // a repetition is allowed
      const created = heard.find(({ topic }) => topic === "block.events");
      const { hash, sequence } = events[2] ?? { hash: ZEROS, sequence: 0 };
      expect(JSON.parse(created?.text ?? "{}")).toEqual({
        specversion: "1.0",
        id: `ops-1-${sequence}`,
        source: "urn:bizra:abababab:node:each",
        type: "bizra.block.created",
        time: "2023-11-14T22:13:20.000Z",
        datacontenttype: "application/json",
        lane: "ops",
        epoch: 1,
        sequence: String(sequence),
        recordhash: toHex(hash),
        data: { height: 1, epoch: 1, view: 0, hash: toHex(HASH), transactions: 3 },
      });
    }, 60_000);

    test("event bus: a server that is gone, told; and taken again when it is back", async () => {
      const bus = open(subject);
      const [first, second] = [appendageOf(refOf("gone"), undefined, 3), appendageOf(refOf("gone"), undefined, 5)];
      await bus.publish(first.events.map((one) => ({ ...one, ...refOf("gone") })));
      await subject.kill();
      const rest = second.events.slice(3).map((one) => ({ ...one, ...refOf("gone") }));
      await expect(bus.publish(rest)).rejects.toThrow();
      await subject.start();
      await bus.publish(rest);
      await bus.close();
      expect(firsts(idsOf(await subject.read(), "abababab.gone"))).toEqual([1, 2, 3, 4, 5]);
    }, 120_000);

    test("event bus: forwarded through a dead forwarder and a dead server, everything at least once and in order", async () => {
      const store = new SqliteStore(openMemoryDatabase({ applicationId: AGGREGATOR_APPLICATION_ID, migrations: AGGREGATOR_MIGRATIONS }));
      const nodes = ["n1", "n2", "n3"];
      for (const name of nodes) await store.putNode(nodeOf(name));
      const held = new Map<string, LaneHolding>();
      const add = async (count: number): Promise<void> => {
        for (const name of nodes) {
          const appendage = appendageOf(refOf(name), held.get(name), count);
          expect(await store.append([appendage])).toEqual(["stored"]);
          held.set(name, appendage.after);
        }
      };
      let moves = 0;
      // The first forwarder dies between the bus and its note of it.
      const forgetful: ForwarderParts["store"] = {
        lanesToForward: (...words) => store.lanesToForward(...words),
        leaseForwarding: (...words) => store.leaseForwarding(...words),
        readEvents: (...words) => store.readEvents(...words),
        moveForwarded: async (...words) => {
          if (moves++ === 1) throw new StoreUnavailable("failed", "killed");
          return store.moveForwarded(...words);
        },
      };
      const forwarder = (over: ForwarderParts["store"], aheadMs: number) => {
        const clock = { nowMs: () => systemClock.nowMs() + aheadMs, monotonicMs: () => systemClock.monotonicMs() };
        const parts = { store: over, bus: open(subject), clock, timers: systemTimers, entropy: systemEntropy, log: silentLog };
        return new Forwarder({ ...parts, onDefect: (error) => expect(error).toBeUndefined() });
      };
      await add(400);
      const first = forwarder(forgetful, 0);
      first.start();
      while (moves < 2) await Bun.sleep(20);
      await first.stop();
      await subject.kill();
      const second = forwarder(store, 120_000); // by then the first one's right is over
      second.start();
      await add(100);
      second.wake();
      await Bun.sleep(500);
      await subject.start();
      while ((await store.lanesToForward(bus(subject), undefined, 1)).length > 0) await Bun.sleep(50);
      await second.stop();
      const heard = await subject.read();
      for (const name of nodes) {
        expect(firsts(idsOf(heard, `abababab.${name}`))).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
      }
      await store.close();
    }, 90_000);
  });
}

const bus = (subject: BusSubject): string => open(subject).kind;
