import type { Connection, Stream } from "@libp2p/interface";
import { assert, type CancelTimer, type Clock, type Result, type Timers, toHex, utf8 } from "../kernel/index.ts";
import { Channel, type ChannelParts } from "./channel.ts";
import type { PairConnection } from "./duplicates.ts";
import { encodeFrame, type Frame } from "./frames.ts";
import { decodeHello, decodeRefusal, encodeHello, encodeRefusal, type Greeted, type Hello, type Refusal } from "./hello.ts";
import { FRAME, LANE_TRAITS, LANES, type Lane, type LaneRates } from "./lanes.ts";
import { decodeReach, encodeReach } from "./reach.ts";
import { isRelayed } from "./relay.ts";
import type { Misconduct } from "./standing.ts";
import type { Traffic } from "./traffic.ts";

/** How long a link waits. */
export type LinkTimes = {
  /** From the connection to both welcomes. */
  readonly helloMs: number;
  /** Silence after which the other end is asked for a sign of life; after three of them without one the link ends. */
  readonly pingMs: number;
  /** From a connection to us to its hello; until then it may ask outside protocols. */
  readonly guestMs: number;
};

/** What a link tells the network. */
export type LinkEvents = {
  /** The other end's hello: who it is, or why it is turned away. */
  readonly onHello: (link: Link, hello: Hello) => Result<Greeted, Refusal>;
  /** Both ends have welcomed each other. */
  readonly onUp: (link: Link) => void;
  /** A message on a link that is up. A promise holds the lane back. */
  readonly onMessage: (link: Link, lane: Lane, payload: Uint8Array) => void | Promise<void>;
  readonly onTip: (link: Link, tip: Uint8Array) => void;
  /** What a node says of itself, passed on by the other end. */
  readonly onPresence: (link: Link, encoded: Uint8Array) => void;
  /** The lowest block that the other end can serve, as it says. */
  readonly onReach: (link: Link, lowestHeight: number) => void;
  /** The other end met another box with our key, at an address that it may know. */
  readonly onTwin: (link: Link, address: string) => void;
  readonly onRoom: (link: Link, lane: Lane) => void;
  readonly onMisconduct: (link: Link, misconduct: Misconduct, detail: string) => void;
  /** The link is over, told once. `refusal` when one end turned the other away. */
  readonly onClosed: (link: Link, reason: string, refusal: Refusal | undefined) => void;
};

/** What a link is made of. */
export type LinkParts = {
  readonly connection: Connection;
  readonly own: Hello;
  readonly ownNodeKey: Uint8Array;
  /** Key that the connection has proven for the other end. */
  readonly nodeKey: Uint8Array;
  readonly times: LinkTimes;
  readonly rates: LaneRates;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly traffic: Traffic;
  readonly events: LinkEvents;
  /** Opens another connection to the same node; the dialler's only. */
  readonly dialAgain: () => Promise<Connection>;
  /** Whether a connection is part of a link already. */
  readonly isLinked: (connection: Connection) => boolean;
};

const SILENCES_MAX = 3;

/**
 * What joins two nodes: the hellos, then three lanes, then signs of life until it ends. It is up when both ends have
 * welcomed each other's hello, so neither ever takes a link for good that the other refuses.
 *
 * consensus lane: hello >, hello <, welcome > and <, then messages; once it is up the dialler opens the other lanes, on a
 * second connection so that no vote stands behind a batch in a buffer of the system or waits for its lost segments. Where
 * a second connection cannot be had, they share the first.
 */
export class Link {
  readonly connection: Connection;
  readonly isDialler: boolean;
  readonly nodeKey: Uint8Array;
  readonly #parts: LinkParts;
  readonly #channels: Readonly<Record<Lane, Channel>>;
  readonly #openedAtMs: number;
  #bulk: Connection | undefined;
  #hello: Hello | undefined;
  #greeted: Greeted | undefined;
  #isWelcomed = false;
  #isUp = false;
  #isClosed = false;
  #heardAtMs: number;
  #pingedAtMs: number | undefined;
  #rttMs: number | undefined;
  #cancelTimer: CancelTimer;

  constructor(parts: LinkParts) {
    const { connection, clock, timers, traffic, times, nodeKey } = parts;
    this.#parts = parts;
    this.connection = connection;
    this.isDialler = connection.direction === "outbound";
    this.nodeKey = nodeKey;
    this.#openedAtMs = clock.monotonicMs();
    this.#heardAtMs = this.#openedAtMs;
    const channel: ChannelParts = {
      clock,
      timers,
      traffic,
      rates: parts.rates,
      events: {
        onFrame: (lane, frame) => this.#onFrame(lane, frame),
        onFault: (lane, fault) => this.#onMisconduct(fault === "tooLarge" ? "oversized" : "garbage", `${lane}: ${fault}`),
        onEnded: (lane, error) => this.close(`stream ${lane} ended${error ? `: ${error.message}` : ""}`),
        onRoom: (lane) => parts.events.onRoom(this, lane),
      },
    };
    this.#channels = {
      consensus: new Channel("consensus", channel),
      batches: new Channel("batches", channel),
      blocks: new Channel("blocks", channel),
    };
    connection.addEventListener("close", ({ error }) => this.close(error ? `connection lost: ${error.message}` : "connection closed"));
    this.#cancelTimer = timers.after(times.helloMs, () => this.close("no hello in time"));
  }

  /** Whether messages may be sent and are taken. */
  get isUp(): boolean {
    return this.#isUp && !this.#isClosed;
  }

  /** Whether it is over. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Who is at the other end, once its hello is judged good. */
  get greeted(): Greeted | undefined {
    return this.#greeted;
  }

  /** What the other end said first. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** Milliseconds of the last ping's way there and back. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Monotonic time at which something last came. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** Monotonic time of the connection. */
  get openedAtMs(): number {
    return this.#openedAtMs;
  }

  /** Facts that decide between two connections of a pair. The other end's hello is there. */
  get pair(): PairConnection {
    const { ownNodeKey, nodeKey } = this.#parts;
    assert(this.#hello !== undefined, "a link is compared once it was greeted");
    return { dialler: this.isDialler ? ownNodeKey : nodeKey, instance: this.#hello.instance, isRelayed: this.isRelayed };
  }

  /** Whether it leads through a relay. */
  get isRelayed(): boolean {
    return isRelayed(this.connection.remoteAddr.toString());
  }

  /** Bytes that wait to be sent on a lane. */
  queuedBytes(lane: Lane): number {
    return this.#channels[lane].queuedBytes;
  }

  /** The dialler's first act: opens the consensus lane and says hello. */
  begin(): void {
    assert(this.isDialler, "the dialler opens the lanes");
    this.#open("consensus", this.connection);
  }

  /** Whether a connection is one of this link's. */
  carries(connection: Connection): boolean {
    return connection === this.connection || connection === this.#bulk;
  }

  /** Takes a stream that the other end opened on a connection of its node key; false when it is out of turn. */
  accept(lane: Lane, stream: Stream, connection: Connection): boolean {
    if (this.isDialler || this.#isClosed || this.#channels[lane].isAttached) return false;
    if (lane === "consensus" ? connection !== this.connection : !this.#isUp) return false;
    if (!this.carries(connection) && this.#bulk !== undefined) return false;
    if (connection !== this.connection) this.#adopt(connection);
    this.#attach(lane, stream);
    return true;
  }

  /** Queues an encoded message frame on a lane; false when the link is not up or the lane is full. */
  send(lane: Lane, label: string, frame: Uint8Array, isUrgent = false): boolean {
    return this.isUp && this.#channels[lane].offer(label, frame, isUrgent);
  }

  /** Tells the other end how far the chain is here. */
  sendTip(tip: Uint8Array): void {
    this.#say("tip", tip);
  }

  /** Passes on what a node says of itself; a peer of an older release is told nothing. */
  sendPresence(encoded: Uint8Array): void {
    if (this.isUp && this.#speaks(2)) this.#say("presence", encoded);
  }

  /** Tells the other end which is the lowest block that can be served from here. */
  sendReach(lowestHeight: number): void {
    if (this.isUp && this.#speaks(2)) this.#say("reach", encodeReach(lowestHeight));
  }

  /** Tells the other end that another box with its key is at an address. */
  sendTwin(address: string): void {
    if (this.isUp && this.#speaks(2)) this.#say("twin", utf8(address));
  }

  /** Ends the link with a word why. */
  refuse(refusal: Refusal, detail = ""): void {
    if (this.#isClosed) return;
    this.#say("goodbye", encodeRefusal(refusal, detail));
    this.#end(refusal, refusal);
  }

  /** Ends the link. */
  close(reason: string): void {
    if (!this.#isClosed) this.#end(reason, undefined);
  }

  #end(reason: string, refusal: Refusal | undefined): void {
    this.#isClosed = true;
    this.#cancelTimer();
    for (const lane of LANES) this.#channels[lane].close();
    for (const connection of [this.connection, this.#bulk]) {
      // A graceful close lets the goodbye out; a connection that does not close within its second is cut.
      if (connection?.status === "open") connection.close().catch((error: unknown) => connection.abort(asError(error)));
    }
    this.#parts.events.onClosed(this, reason, refusal);
  }

  #openBulk(): void {
    const open = (dialled: Connection): void => {
      // The library gives one connection to all who dial the same node at the same time; another link may have it.
      const connection = this.#parts.isLinked(dialled) ? this.connection : dialled;
      if (this.#isClosed) {
        if (connection !== this.connection) connection.abort(new Error("the link is over"));
        return;
      }
      if (connection !== this.connection) this.#adopt(connection);
      for (const lane of LANES) if (lane !== "consensus") this.#open(lane, connection);
    };
    // Whatever kept the second connection from coming, the first is there and can carry all lanes.
    this.#parts.dialAgain().then(open, () => open(this.connection));
  }

  #adopt(connection: Connection): void {
    if (this.#bulk === connection) return;
    assert(this.#bulk === undefined, "a link has two connections at most");
    this.#bulk = connection;
    connection.addEventListener("close", () => this.close("second connection lost"));
  }

  #open(lane: Lane, connection: Connection): void {
    connection
      .newStream(LANE_TRAITS[lane].protocol)
      .then((stream) => (this.#isClosed ? stream.abort(new Error("the link is over")) : this.#attach(lane, stream)))
      .catch((error: unknown) => this.close(`no stream ${lane}: ${asError(error).message}`)); // the other end or the way to it failed
  }

  #attach(lane: Lane, stream: Stream): void {
    stream.inactivityTimeout = 0;
    this.#channels[lane].attach(stream);
    if (lane === "consensus") this.#say("hello", encodeHello(this.#parts.own));
  }

  #say(kind: Exclude<keyof typeof FRAME, "message">, payload: Uint8Array): void {
    this.#channels.consensus.offer(`link-${kind}`, encodeFrame(FRAME[kind], payload));
  }

  #onFrame(lane: Lane, { kind, payload }: Frame): void | Promise<void> {
    const { events, clock, traffic } = this.#parts;
    this.#heardAtMs = clock.monotonicMs();
    if (kind === FRAME.message && this.#isUp) return events.onMessage(this, lane, payload);
    traffic.count("received", `${lane}/link-${nameOf(kind)}`, payload.length + 1);
    if (lane !== "consensus") this.#onMisconduct("outOfTurn", `frame ${kind} on ${lane}`);
    else if (kind === FRAME.hello && this.#hello === undefined) this.#onHello(payload);
    else if (kind === FRAME.welcome && !this.#isWelcomed) this.#onWelcome();
    else if (kind === FRAME.goodbye) this.#onGoodbye(payload);
    else if (kind === FRAME.ping && this.#isUp && payload.length === 0) this.#say("pong", payload);
    else if (kind === FRAME.pong && this.#isUp) this.#onPong();
    else if (kind === FRAME.tip && this.#isUp) events.onTip(this, payload);
    else if (kind === FRAME.presence && this.#isUp && this.#speaks(2)) events.onPresence(this, payload);
    else if (kind === FRAME.reach && this.#isUp && this.#speaks(2)) this.#onReach(payload);
    else if (kind === FRAME.twin && this.#isUp && this.#speaks(2)) events.onTwin(this, shownText(payload));
    else this.#onMisconduct("outOfTurn", `frame ${kind}`);
  }

  #onHello(payload: Uint8Array): void {
    const hello = decodeHello(payload);
    if (!hello.ok) {
      this.refuse("malformed");
      return;
    }
    this.#hello = hello.value;
    const greeted = this.#parts.events.onHello(this, hello.value);
    if (this.#isClosed) return;
    if (!greeted.ok) {
      this.refuse(greeted.error);
      return;
    }
    this.#greeted = greeted.value;
    this.#say("welcome", new Uint8Array(0));
    this.#riseIfAgreed();
  }

  #speaks(version: number): boolean {
    return (this.#greeted?.version ?? 0) >= version;
  }

  #onWelcome(): void {
    this.#isWelcomed = true;
    this.#riseIfAgreed();
  }

  #onGoodbye(payload: Uint8Array): void {
    const refusal = decodeRefusal(payload);
    if (refusal === "twin") this.#parts.events.onTwin(this, shownText(payload.subarray(1)));
    this.#end(refusal ? `refused by the other end: ${refusal}` : "refused by the other end", refusal ?? "notAllowed");
  }

  #riseIfAgreed(): void {
    if (!this.#isWelcomed || !this.#greeted || this.#isUp) return;
    this.#cancelTimer();
    this.#isUp = true;
    if (this.isDialler) this.#openBulk();
    this.#watch();
    this.#parts.events.onUp(this);
  }

  /** Gives a validator its budget. */
  grantValidator(): void {
    for (const lane of LANES) this.#channels[lane].grantValidator();
  }

  #watch(): void {
    const { clock, timers, times } = this.#parts;
    const silentMs = clock.monotonicMs() - this.#heardAtMs;
    if (silentMs >= SILENCES_MAX * times.pingMs) {
      this.close(`silent for ${Math.round(silentMs)} ms`);
      return;
    }
    // The listener asks later, so that on an idle link the dialler's question is the only one.
    const askAfterMs = this.isDialler ? times.pingMs : 1.5 * times.pingMs;
    if (silentMs >= askAfterMs) {
      this.#pingedAtMs ??= clock.monotonicMs();
      this.#say("ping", new Uint8Array(0));
    }
    const untilAskMs = silentMs >= askAfterMs ? times.pingMs / 2 : askAfterMs - silentMs;
    this.#cancelTimer = timers.after(Math.max(1, Math.ceil(untilAskMs)), () => this.#watch());
  }

  /** The answer to the first ping since the last sign of life measures the way; answers to its repetitions say nothing. */
  #onPong(): void {
    if (this.#pingedAtMs !== undefined) this.#rttMs = this.#parts.clock.monotonicMs() - this.#pingedAtMs;
    this.#pingedAtMs = undefined;
  }

  #onReach(payload: Uint8Array): void {
    const lowestHeight = decodeReach(payload);
    if (lowestHeight === undefined) this.#onMisconduct("garbage", "a reach that does not decode");
    else this.#parts.events.onReach(this, lowestHeight);
  }

  #onMisconduct(misconduct: Misconduct, detail: string): void {
    this.#parts.events.onMisconduct(this, misconduct, detail);
    this.close(`${misconduct}: ${detail}`);
  }

  /** For logs: the first digits of the other end's node key. */
  get shortName(): string {
    return toHex((this.#greeted?.key ?? this.nodeKey).subarray(0, 4));
  }
}

/** Text that a peer gave, fit for a log: of printable ASCII, and short. */
function shownText(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 300).filter((byte) => byte > 0x20 && byte < 0x7f));
}

function nameOf(kind: number): string {
  for (const [name, value] of Object.entries(FRAME)) if (value === kind) return name;
  return "unknown";
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
