import { expect, test } from "bun:test";
import { Prng } from "../../../../src/kernel/index.ts";
import type { Reply } from "../../../../sync/agent/index.ts";
import {
  encodeAck,
  encodeRefusal,
  MESSAGE_KINDS,
  type RequestKind,
  SYNC_LANES,
  SYNC_REFUSALS,
  type SyncRefusalCode,
} from "../../../../sync/protocol/index.ts";
import { AgentWorld, type Answerer } from "./agent-world.ts";

const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const KINDS = Object.keys(MESSAGE_KINDS) as (keyof typeof MESSAGE_KINDS)[];
const CODES = Object.keys(SYNC_REFUSALS) as SyncRefusalCode[];

/** Stands before an aggregator and says what it likes now and then. */
class Jester implements Answerer {
  /** Answers out of 100 that are not the aggregator's. */
  share = 0;
  target: Answerer | undefined;
  readonly #prng: Prng;
  #lastAck: Reply | undefined;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  async answer(kind: RequestKind, message: Uint8Array): Promise<Reply> {
    const said = await this.target?.answer(kind, message);
    if (!said) throw new Error("an aggregator stands behind it");
    const before = this.#lastAck;
    if (said.kind === "ack") this.#lastAck = said;
    return this.#prng.below(100) < this.share ? this.#invent(said, before) : said;
  }

  #invent(said: Reply, before: Reply | undefined): Reply {
    const noise = Uint8Array.from({ length: this.#prng.below(200) }, () => this.#prng.below(256));
    const code = CODES[this.#prng.below(CODES.length)] ?? "full";
    switch (this.#prng.below(5)) {
      case 0:
        return { kind: KINDS[this.#prng.below(KINDS.length)] ?? "ack", message: noise };
      case 1:
        return { kind: KINDS[this.#prng.below(KINDS.length)] ?? "ack", message: said.message };
      case 2:
        return { kind: said.kind, message: said.message.map((byte) => (this.#prng.below(60) === 0 ? byte ^ 1 : byte)) };
      case 3:
        return before ?? said;
      default:
        return { kind: "refusal", message: encodeRefusal({ code, detail: "", retryAfterMs: this.#prng.below(100_000) }) };
    }
  }
}

function jestingWorld(seed: number): { world: AgentWorld; jester: Jester } {
  const jester = new Jester(seed);
  const world = new AgentWorld(seed, jester);
  jester.target = world.aggregator;
  return { world, jester };
}

test("sync chaos: an aggregator that answers garbage, nothing lost and nothing believed, all held once it speaks sense", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { world, jester } = jestingWorld(seed);
    jester.share = seed % 2 === 0 ? 30 : 100;
    const agent = world.start();
    for (let round = 0; round < 30; round++) {
      for (const lane of SYNC_LANES) world.add(lane, (round * seed) % 9);
      await world.pass(20_000, 1_000);
      for (const lane of SYNC_LANES) {
        expect(agent.acknowledged(lane)?.sequence ?? 0).toBeLessThanOrEqual(world.aggregator.cursors.get(lane)?.sequence ?? 0);
      }
    }
    jester.share = 0;
    await world.pass(1_200_000, 5_000);
    for (const lane of SYNC_LANES)
      expect([seed, lane, world.aggregator.sequences(lane)]).toEqual([seed, lane, countTo(world.log.tip(lane).sequence)]);
  }
}, 120_000);

test("sync chaos: a signed acknowledgement of records that are still to come, not counted and the link given up", async () => {
  const world = new AgentWorld();
  world.aggregator.signsAnything = true;
  world.aggregator.distort = (cursor) => ({ ...cursor, sequence: cursor.sequence + 7 });
  const agent = world.start();
  world.add("crit", 3);
  await world.pass(3_000);
  expect(agent.acknowledged("crit")).toBeUndefined();
  expect(agent.status()).toMatchObject({ isUp: false, reason: "an acknowledgement of records that are not ours" });
});

test("sync chaos: the same acknowledgement again and again, sent anew after the link stalled", async () => {
  const world = new AgentWorld();
  const agent = world.start();
  world.add("chain", 5);
  await world.pass(4_000);
  const first = agent.acknowledged("chain");
  if (!first) throw new Error("nothing was acknowledged");
  world.aggregator.signsAnything = true;
  world.aggregator.distort = (cursor) => (cursor.lane === "chain" ? first : cursor);
  world.add("chain", 5);
  await world.pass(40_000);
  expect(agent.acknowledged("chain")?.sequence).toBe(5);
  expect(world.carrier.opened).toBe(2);
  world.aggregator.distort = (cursor) => cursor;
  await world.pass(40_000);
  expect(agent.acknowledged("chain")?.sequence).toBe(10);
});

test("sync chaos: a cursor of an incarnation that this node never had, told once and gone on in one after it", async () => {
  const world = new AgentWorld();
  world.onFork = (lane, cursor, verdict) => {
    if (lane !== "chain") world.log.reopen(lane, cursor.epoch, verdict === "ahead" ? "restore" : "clone");
    return lane !== "chain";
  };
  world.add("crit", 4);
  world.aggregator.cursors.set("crit", { lane: "crit", epoch: 5, sequence: 40, hash: new Uint8Array(32).fill(5) });
  const agent = world.start();
  await world.pass(5_000);
  world.add("crit", 2);
  await world.pass(5_000);
  expect(world.forks).toEqual([{ lane: "crit", verdict: "ahead" }]);
  expect(world.aggregator.sequences("crit", 6)).toEqual(countTo(3));
  expect(agent.acknowledged("crit")).toMatchObject({ epoch: 6, sequence: 3 });
});

test("sync chaos: a cursor of an incarnation that cannot be, no new one begun and the link given up", async () => {
  const world = new AgentWorld();
  world.add("crit", 4);
  const cursor = { lane: "crit" as const, epoch: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER, hash: new Uint8Array(32) };
  world.aggregator.cursors.set("crit", cursor);
  const agent = world.start();
  await world.pass(600_000, 1_000);
  expect(world.forks).toEqual([]);
  expect(agent.status()).toMatchObject({ isUp: false, reason: "a lane in an incarnation that cannot be" });
  expect(world.log.tip("crit")).toMatchObject({ epoch: 1, sequence: 4 });
});

test("sync chaos: an aggregator that holds another history at every hello, told a few times an hour and no more", async () => {
  const world = new AgentWorld();
  world.onFork = (lane, cursor) => {
    world.log.reopen(lane as "crit", cursor.epoch, "clone");
    return true;
  };
  world.add("crit", 4);
  world.start();
  for (let minute = 0; minute < 60; minute++) {
    const { epoch, sequence } = world.log.tip("crit");
    world.aggregator.cursors.set("crit", { lane: "crit", epoch, sequence: sequence + 3, hash: new Uint8Array(32).fill(minute) });
    world.aggregator.crash();
    world.add("ops");
    await world.pass(60_000, 1_000);
  }
  expect(world.forks.length).toBeWithin(2, 8);
});

test("sync chaos: another box's record comes in while a batch is on its way, told once and gone on in a new incarnation", async () => {
  const world = new AgentWorld();
  world.onFork = (lane, cursor) => {
    world.log.reopen(lane as "crit", cursor.epoch, "clone");
    return true;
  };
  const agent = world.start();
  world.add("crit", 3);
  await world.pass(2_000);
  const stored = world.aggregator.cursors.get("crit");
  if (!stored) throw new Error("nothing was acknowledged");
  world.aggregator.cursors.set("crit", { ...stored, sequence: 4, hash: new Uint8Array(32).fill(4) });
  world.add("crit", 1);
  world.add("chain", 30);
  await world.pass(6_000);
  world.add("crit", 2);
  await world.pass(6_000);
  expect(world.forks).toHaveLength(1);
  expect(world.aggregator.sequences("crit", 2)).toEqual(countTo(world.log.tip("crit").sequence));
  expect(agent.status()).toMatchObject({ isUp: true, unacknowledgedMs: 0 });
});

test("sync chaos: waits without end asked for, heeded for an hour at most", async () => {
  const world = new AgentWorld();
  world.aggregator.refusal = { code: "slowDown", detail: "", retryAfterMs: 2 ** 50 };
  world.aggregator.intervalMs = 2 ** 50;
  world.start();
  world.add("crit", 3);
  await world.pass(5_000);
  world.aggregator.refusal = undefined;
  await world.pass(3_600_000, 10_000);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(3));
  world.add("crit", 3);
  await world.pass(3_610_000, 10_000);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(6));
});

test("sync chaos: turned away at the hello for ever, the wait stays within what a timer takes and an hour", async () => {
  const { world, jester } = jestingWorld(1);
  jester.target = {
    answer: () => ({ kind: "refusal", message: encodeRefusal({ code: "unavailable", detail: "", retryAfterMs: 2 ** 50 }) }),
  };
  const { time } = world.bench;
  const { after } = time;
  const delays: number[] = [];
  time.after = (delayMs, action) => {
    delays.push(delayMs);
    return after.call(time, delayMs, action);
  };
  world.start();
  world.add("crit", 3);
  await world.pass(10_000);
  jester.target = world.aggregator;
  await world.pass(3_600_000, 10_000);
  expect(Math.max(...delays)).toBeWithin(3_500_000, 3_600_001);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(3));
});

test("sync chaos: no credit at all, records go one batch at a time", async () => {
  const world = new AgentWorld();
  world.aggregator.creditBytes = 0;
  world.start();
  for (const lane of SYNC_LANES) world.add(lane, 6);
  await world.pass(60_000);
  for (const lane of SYNC_LANES) expect(world.aggregator.sequences(lane)).toEqual(countTo(world.log.tip(lane).sequence));
});

test("sync chaos: two aggregators, one of which lies, the other holds everything", async () => {
  const honest = new AgentWorld(1);
  const lying = new AgentWorld(2);
  lying.log = honest.log;
  lying.aggregator.signsAnything = true;
  lying.aggregator.distort = (cursor) => ({ ...cursor, hash: cursor.hash.map((byte) => byte ^ 1) });
  const [truthful, liar] = [honest.start(), lying.start()];
  for (let round = 0; round < 20; round++) {
    for (const lane of SYNC_LANES) honest.add(lane, 11);
    await Promise.all([honest.pass(5_000, 500), lying.pass(5_000, 500)]);
  }
  for (const lane of SYNC_LANES) {
    expect(truthful.acknowledged(lane)?.sequence).toBe(honest.log.tip(lane).sequence);
    expect(liar.acknowledged(lane)).toBeUndefined();
  }
  expect(liar.status()).toMatchObject({ isUp: false, reason: "an acknowledgement of records that are not ours" });
});

test("sync chaos: an acknowledgement that was distorted by a bit, refused whatever the bit", async () => {
  const world = new AgentWorld();
  const agent = world.start();
  world.add("crit");
  const place = { lane: "crit" as const, epoch: 1, sequence: 1, hash: new Uint8Array(32) };
  const forged = encodeAck({ ...place, timeMs: 1, creditBytes: 1, intervalMs: 0, witness: new Uint8Array(64) });
  world.aggregator.answer = () => ({ kind: "ack", message: forged });
  await world.pass(5_000);
  expect(agent.acknowledged("crit")).toBeUndefined();
});
