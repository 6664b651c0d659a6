import { localSigner, nativeSuite, sha256 } from "../../../../src/crypto/index.ts";
import { type EventLog, event } from "../../../../src/events/index.ts";
import { Prng, silentLog, toHex, utf8 } from "../../../../src/kernel/index.ts";
import { openMemoryDatabase } from "../../../../src/storage/index.ts";
import {
  AckTable,
  EscrowDepositor,
  EscrowHandover,
  EscrowKeeper,
  type EscrowKeeperParts,
  EscrowTable,
  SYNC_MIGRATIONS,
  SyncAgent,
} from "../../../../sync/agent/index.ts";
import { packBatch } from "../../../../sync/agent/pack.ts";
import {
  decodeStanding,
  type EscrowParcel,
  type EscrowStanding,
  encodeEscrowRequest,
  encodeParcel,
} from "../../../../sync/protocol/index.ts";
import { EventBench, ManualTime } from "../../events/event-fixture.ts";
import { RealAggregator } from "../aggregator/ingest-world.ts";
import { type Answerer, CLEAR, network, WeatherCarrier } from "./agent-world.ts";

/** A box on the local network: its event log, its agent, and both sides of escrow. */
export class EscrowBox {
  readonly name: string;
  readonly identity;
  readonly bench = new EventBench();
  readonly carrier: WeatherCarrier;
  readonly database = openMemoryDatabase({ applicationId: 2, migrations: SYNC_MIGRATIONS });
  readonly table = new EscrowTable(this.database);
  readonly log: EventLog;
  readonly agent: SyncAgent;
  keeper: EscrowKeeper;
  readonly depositor: EscrowDepositor;
  readonly handover: EscrowHandover;
  readonly #keeperParts: EscrowKeeperParts;
  isUp = true;
  flushed = 0;
  /** Requests that reached it over the local network. */
  readonly asked: { readonly from: string; readonly request: Uint8Array }[] = [];

  constructor(world: EscrowWorld, name: string, answerer: Answerer) {
    const { time } = world;
    this.name = name;
    this.identity = localSigner(sha256(utf8(`identity of ${name}`)));
    const { identity } = this;
    const prng = new Prng(name.length + name.charCodeAt(0));
    this.carrier = new WeatherCarrier(answerer, prng);
    this.log = this.bench.open({ identity, node: name, network: toHex(network).slice(0, 8), clock: time, timers: time });
    const ports = { clock: time, timers: time, log: silentLog };
    const { verify } = nativeSuite;
    this.agent = new SyncAgent({
      ...ports,
      source: this.log,
      carrier: this.carrier,
      acks: new AckTable(this.database),
      identity,
      suite: nativeSuite,
      entropy: { bytes: (count) => sha256(utf8(`${name} ${prng.uint32()}`)).subarray(0, count) },
      prng,
      profile: "unmetered",
      facts: {
        hello: () => ({ node: name, network, software: "test" }),
        heartbeat: () => ({ height: 1, epoch: 0, view: 1, state: "voting", isReady: true, reason: "", peers: 0, metrics: [] }),
      },
      forks: { onFork: () => false },
    });
    const flush = async (): Promise<void> => {
      this.flushed++;
    };
    this.#keeperParts = { ...ports, store: this.table, flush, network, verify, isWitness: (key) => this.agent.isWitness(key) };
    this.keeper = new EscrowKeeper(this.#keeperParts);
    this.handover = new EscrowHandover({ ...ports, store: this.table, outlets: [this.agent], network, verify });
    this.depositor = new EscrowDepositor({
      ...ports,
      source: this.log,
      neighbours: {
        list: () => [...world.boxes.values()].filter((other) => other !== this && other.isUp).map((other) => other.name),
        ask: (peer, request) => world.ask(this.name, peer, request),
      },
      acknowledged: () => this.agent.acknowledged("crit"),
      node: name,
      network,
      identity,
    });
  }

  /** Keeps for others within other bounds from now on. */
  rekeep(bounds: NonNullable<EscrowKeeperParts["bounds"]>): void {
    this.keeper = new EscrowKeeper({ ...this.#keeperParts, bounds });
  }

  start(): this {
    this.agent.start();
    this.depositor.start();
    this.handover.start();
    return this;
  }

  /** Its power is gone, for ever if nobody starts another in its place. */
  die(): void {
    this.isUp = false;
    this.agent.stop();
    this.depositor.stop();
    this.handover.stop();
  }

  alert(count = 1): void {
    for (let i = 0; i < count; i++) this.log.appendCrit(event("alert.raised", { alert: "a", severity: "warning", detail: `number ${i}` }));
  }

  /** Parcels that it keeps for another, as first-last. */
  keeps(other: EscrowBox): string[] {
    return this.table.parcelsAfter(other.identity.publicKey, { epoch: 0, sequence: 0 }, 1_000).map(({ from, to }) => `${from}-${to}`);
  }

  /** The last record that it keeps for another. */
  keptUpTo(other: EscrowBox): number {
    return this.table.find(other.identity.publicKey)?.tip.sequence ?? 0;
  }
}

/** Boxes on one local network, an aggregator, and time. */
export class EscrowWorld {
  readonly time = new ManualTime();
  readonly aggregator: RealAggregator;
  readonly boxes = new Map<string, EscrowBox>();
  /** Changes what travels on the local network; undefined: it does not arrive. */
  tamper: (request: Uint8Array, from: string, to: string) => Uint8Array | undefined = (request) => request;

  constructor(names: readonly string[] = ["a", "b", "c", "d"]) {
    this.aggregator = new RealAggregator(this.time);
    for (const name of names) this.boxes.set(name, new EscrowBox(this, name, this.aggregator));
  }

  box(name: string): EscrowBox {
    const found = this.boxes.get(name);
    if (!found) throw new Error(`there is no box ${name}`);
    return found;
  }

  /** Whether anyone reaches the aggregator. */
  set isOut(isOut: boolean) {
    for (const { carrier } of this.boxes.values()) carrier.weather = isOut ? { ...CLEAR, noWay: 100, lostRequest: 100 } : CLEAR;
  }

  async ask(from: string, to: string, request: Uint8Array): Promise<Uint8Array | undefined> {
    await Promise.resolve();
    const there = this.boxes.get(to);
    const arrived = this.tamper(request, from, to);
    if (!there?.isUp || !arrived) return undefined;
    there.asked.push({ from, request: arrived });
    return there.keeper.answer(from, arrived);
  }

  async pass(durationMs: number, stepMs = 250): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += stepMs) {
      this.time.pass(stepMs);
      for (let i = 0; i < 200; i++) await Promise.resolve();
    }
  }

  /** What the aggregator holds of a box's vital lane. */
  async held(box: EscrowBox): Promise<number> {
    const holdings = await this.aggregator.store.holdings({ network: toHex(network), node: box.name });
    return holdings.find(({ lane }) => lane === "crit")?.sequence ?? 0;
  }

  /** Boxes that keep something of another. */
  keepersOf(box: EscrowBox): EscrowBox[] {
    return [...this.boxes.values()].filter((other) => other.keeps(box).length > 0);
  }
}

/** A world whose boxes are known to the aggregator, which then goes away. */
export async function worldInOutage(names?: readonly string[]): Promise<EscrowWorld> {
  const world = new EscrowWorld(names);
  for (const box of world.boxes.values()) box.start().alert();
  await world.pass(5_000);
  world.isOut = true;
  return world;
}

/** A parcel of a box's records, changed before it is signed. */
export function parcelOf(box: EscrowBox, from: number, to: number, change: Partial<EscrowParcel> = {}, signer = box.identity): Uint8Array {
  const read = box.log.read("crit", { epoch: 1, sequence: from - 1 }, to - from + 1);
  const batch = read.ok ? packBatch(read.value, { session: new Uint8Array(0), codec: "zstd", bytesMax: 100_000 }) : undefined;
  if (!batch) throw new Error("the box has these records");
  const { session: _session, lane: _lane, ...records } = batch;
  return encodeParcel({ ...records, node: box.name, network, identityKey: box.identity.publicKey, ...change }, signer);
}

/** How a keeper answers a parcel. */
export async function deposit(keeper: EscrowBox, from: string, parcel: Uint8Array): Promise<EscrowStanding> {
  const answer = await keeper.keeper.answer(from, encodeEscrowRequest({ kind: "deposit", parcel }));
  const standing = answer && decodeStanding(answer);
  if (!standing?.ok) throw new Error("a deposit is answered");
  return standing.value;
}
