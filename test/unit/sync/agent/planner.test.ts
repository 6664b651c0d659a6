import { expect, test } from "bun:test";
import fc from "fast-check";
import { Prng } from "../../../../src/kernel/index.ts";
import { SyncPlanner } from "../../../../sync/agent/planner.ts";
import { type AgentEffect, isAfter, type Place } from "../../../../sync/agent/types.ts";
import { SYNC_LANES, SYNC_LIMITS, SYNC_REFUSALS, type SyncLane, type SyncRefusalCode } from "../../../../sync/protocol/index.ts";

const HASH = new Uint8Array(32);
const START: Place = { epoch: 1, sequence: 0 };
const CODES = Object.keys(SYNC_REFUSALS) as SyncRefusalCode[];
const MORE_THAN_A_WAIT_MS = 3_600_001;
const CRIT_LINGER_MS = 250;

type Flight = { readonly lane: SyncLane; readonly to: Place };

/** The shell around a planner with an aggregator that keeps what it acknowledged; checks the planner's promises at each step. */
class Shell {
  readonly planner: SyncPlanner;
  readonly tip: Record<SyncLane, Place> = { crit: START, chain: START, ops: START };
  /** What the aggregator holds. */
  readonly held: Record<SyncLane, Place> = { crit: START, chain: START, ops: START };
  /** What the agent keeps as acknowledged. */
  readonly kept: Record<SyncLane, Place> = { crit: START, chain: START, ops: START };
  flights: Flight[] = [];
  nowMs = 1_000;
  #creditBytes = 0;
  #bytesPerRecord = 50;
  readonly #prng: Prng;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.planner = new SyncPlanner("unmetered", this.#prng);
  }

  run(effects: readonly AgentEffect[]): void {
    const waiting = [...effects];
    for (let effect = waiting.shift(); effect; effect = waiting.shift()) waiting.push(...this.#perform(effect));
    this.#check();
  }

  grow(lane: SyncLane, count: number): void {
    const { epoch, sequence } = this.tip[lane];
    this.tip[lane] = { epoch, sequence: sequence + count };
    this.run(this.planner.onGrown(lane, this.tip[lane], this.nowMs));
  }

  pass(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let turns = 0; turns < 200; turns++) {
      const dueMs = this.planner.nextTickMs();
      if (dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.run(this.planner.onTick(this.nowMs));
    }
    this.nowMs = Math.max(endMs, this.nowMs);
  }

  welcome(creditBytes: number, intervalMs: number): void {
    if (this.planner.link.kind !== "greeting") return;
    this.flights = [];
    this.#creditBytes = creditBytes;
    const cursors = SYNC_LANES.map((lane) => ({ lane, ...this.held[lane], hash: HASH }));
    const judged = cursors.map((cursor) => ({ cursor, verdict: "same" as const }));
    const about = { session: HASH.subarray(16), timeMs: 0, witnessKey: HASH, configurationVersion: 0 };
    this.run(this.planner.onWelcome({ ...about, cursors, creditBytes, intervalMs }, judged, true, this.nowMs));
  }

  /** The aggregator takes the flight at this place of the list, or finds a gap before it. */
  answer(index: number): void {
    const flight = this.flights[index % Math.max(1, this.flights.length)];
    if (!flight) return;
    const { lane, to } = flight;
    const first = this.flights.find((other) => other.lane === lane);
    this.flights = this.flights.filter((other) => other !== flight);
    if (first !== flight) this.refuse(flight, "gap", 0);
    else {
      if (isAfter(to, this.held[lane])) this.held[lane] = to;
      this.acknowledge(lane, this.held[lane]);
    }
  }

  acknowledge(lane: SyncLane, place: Place): void {
    const ack = { lane, ...place, hash: HASH, timeMs: 0, creditBytes: this.#creditBytes, intervalMs: 0, witness: HASH };
    this.run(this.planner.onAck(ack, this.nowMs));
  }

  refuse({ lane, to }: Flight, code: SyncRefusalCode, retryAfterMs: number): void {
    const cursor = { lane, ...this.held[lane], hash: HASH };
    const isPlace = code === "gap" || code === "fork";
    const judged = isPlace ? { cursor, verdict: "same" as const } : undefined;
    if (isPlace && this.flights.length >= 0) this.flights = this.flights.filter((flight) => flight.lane !== lane);
    this.run(this.planner.onRefused(lane, to, { code, detail: "", retryAfterMs, ...(isPlace && { cursor }) }, judged, this.nowMs));
  }

  lose(): void {
    this.run(this.planner.onLost("rain", this.nowMs));
    this.flights = [];
  }

  #perform(effect: AgentEffect): readonly AgentEffect[] {
    switch (effect.kind) {
      case "send":
        return this.#send(effect);
      case "keep":
        expect(isAfter(effect.ack, this.kept[effect.ack.lane])).toBe(true);
        this.kept[effect.ack.lane] = { epoch: effect.ack.epoch, sequence: effect.ack.sequence };
        return [];
      case "close":
        this.flights = [];
        return [];
      default:
        return [];
    }
  }

  #send({ lane, after, bytesMax }: Extract<AgentEffect, { kind: "send" }>): readonly AgentEffect[] {
    const inFlight = this.planner.bytesInFlight;
    const isOwed = inFlight === 0 || (lane === "crit" && !this.flights.some((flight) => flight.lane === "crit"));
    expect(bytesMax).toBeGreaterThan(0);
    if (!isOwed) expect(bytesMax + inFlight).toBeLessThanOrEqual(this.#creditBytes);
    expect(this.flights.filter((flight) => flight.lane === lane).length).toBeLessThan(SYNC_LIMITS.inFlightMax);
    const last = this.flights.findLast((flight) => flight.lane === lane)?.to;
    if (last && isAfter(last, after)) expect(after).toEqual(this.held[lane]); // rewound to where the aggregator stands
    const waiting = this.tip[lane].sequence - after.sequence;
    const count = Math.min(waiting, SYNC_LIMITS.batchRecordsMax, Math.max(1, Math.floor(bytesMax / this.#bytesPerRecord)));
    if (count <= 0) {
      this.planner.onNothing(lane);
      return [];
    }
    const to = { epoch: 1, sequence: after.sequence + count };
    this.flights.push({ lane, to });
    const bytes = count * this.#bytesPerRecord + this.#prng.below(40);
    return this.planner.onSent(lane, { epoch: 1, from: after.sequence + 1, to: to.sequence, bytes }, this.nowMs);
  }

  #check(): void {
    for (const lane of SYNC_LANES) expect(isAfter(this.kept[lane], this.held[lane])).toBe(false);
    const dueMs = this.planner.nextTickMs();
    expect(dueMs - this.nowMs).toBeLessThan(MORE_THAN_A_WAIT_MS);
    expect(Number.isNaN(dueMs)).toBe(false);
  }
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("grow" as const), lane: fc.constantFrom(...SYNC_LANES), count: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 100, 300, 2_000, 9_000, 31_000) }),
  fc.record({ kind: fc.constant("connected" as const) }),
  fc.record({
    kind: fc.constant("welcome" as const),
    credit: fc.constantFrom(0, 100, 3_000, 100_000, 2_000_000),
    intervalMs: fc.constantFrom(0, 0, 500, 2 ** 52),
  }),
  fc.record({ kind: fc.constant("answer" as const), index: fc.nat(6) }),
  fc.record({ kind: fc.constant("answer" as const), index: fc.constant(0) }),
  fc.record({ kind: fc.constant("repeat" as const), lane: fc.constantFrom(...SYNC_LANES) }),
  fc.record({
    kind: fc.constant("refuse" as const),
    index: fc.nat(6),
    code: fc.constantFrom(...CODES),
    retryAfterMs: fc.constantFrom(0, 3_000, 2 ** 52),
  }),
  fc.record({ kind: fc.constant("lost" as const) }),
  fc.record({ kind: fc.constant("lie" as const) }),
);

function take(shell: Shell, input: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  switch (input.kind) {
    case "grow":
      shell.grow(input.lane, input.count);
      break;
    case "pass":
      shell.pass(input.ms);
      break;
    case "connected":
      shell.run(shell.planner.onConnected(shell.nowMs));
      break;
    case "welcome":
      shell.welcome(input.credit, input.intervalMs);
      break;
    case "answer":
      shell.answer(input.index);
      break;
    case "repeat":
      shell.acknowledge(input.lane, shell.held[input.lane]);
      break;
    case "refuse": {
      const flight = shell.flights[input.index];
      if (flight) shell.refuse(flight, input.code, input.retryAfterMs);
      break;
    }
    case "lost":
      shell.lose();
      break;
    case "lie":
      shell.run(shell.planner.onLie("a lie", shell.nowMs));
      break;
  }
}

/** A link that is up, with this credit. */
function connect(shell: Shell, creditBytes: number): void {
  for (let turns = 0; turns < 20 && shell.planner.link.kind !== "up"; turns++) {
    if (shell.planner.link.kind === "connecting") shell.run(shell.planner.onConnected(shell.nowMs));
    if (shell.planner.link.kind === "greeting") shell.welcome(creditBytes, 0);
    else shell.pass(Math.max(1, shell.planner.nextTickMs() - shell.nowMs));
  }
}

test("sync planner: any order of inputs, its promises hold, and an honest aggregator then gets everything", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 120 }), (seed, steps) => {
      const shell = new Shell(seed + 1);
      for (const input of steps) take(shell, input);
      shell.lose();
      for (let turns = 0; turns < 800 && SYNC_LANES.some((lane) => isAfter(shell.tip[lane], shell.kept[lane])); turns++) {
        connect(shell, 1_000_000);
        shell.pass(2_000);
        while (shell.flights.length > 0) shell.answer(0);
        // What the aggregator holds but never said again in this session is asked for by a repeated acknowledgement.
        for (const lane of SYNC_LANES) if (isAfter(shell.held[lane], shell.kept[lane])) shell.acknowledge(lane, shell.held[lane]);
      }
      expect(shell.kept).toEqual(shell.tip);
    }),
    { numRuns: 300 },
  );
});

test("sync planner: whatever is on its way, a vital record goes when it has lingered", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 100, 3_000, 2_000_000), (seed, steps, credit) => {
      const shell = new Shell(seed + 1);
      for (const input of steps) take(shell, input);
      shell.lose();
      connect(shell, credit);
      shell.grow("chain", 5_000);
      shell.grow("ops", 5_000);
      shell.pass(2_001);
      while (shell.flights.some(({ lane }) => lane === "crit")) shell.answer(shell.flights.findIndex(({ lane }) => lane === "crit"));
      shell.grow("crit", 1);
      shell.pass(CRIT_LINGER_MS + 1);
      expect(shell.flights.some(({ lane }) => lane === "crit")).toBe(true);
    }),
    { numRuns: 150 },
  );
});
