import { decodeMessage, encodeMessage, type Message } from "../../src/consensus/index.ts";
import { Prng } from "../../src/kernel/index.ts";
import type { Schedule } from "./schedule.ts";

/** Encoded messages with what was worked out about them: one broadcast is encoded, hashed and decoded once. */
export type Parcel = { readonly bytes: Uint8Array; readonly hash: number; readonly kind: Message["kind"] | "batches" | "unknown" };

/** Whether a link lets a message through at the moment it would arrive; ends are box numbers. */
export type LinkRule = (from: number, to: number) => boolean;

/** What waits on a clogged link: as a TCP connection, in order, and beyond this the oldest is lost. */
const CLOGGED_PARCELS_MAX = 512;
/** Parcels remembered for replay. */
const ARCHIVE_MAX = 256;

/**
 * The simulated network: datagrams between numbered boxes that are late, lost, doubled, overtaken, held back, squeezed
 * through narrow links or replayed. Everything random comes from its own generator.
 */
export class SimNetwork {
  /** Milliseconds a message takes, at least and at most; evenly spread, so that messages overtake one another. */
  delayMs: readonly [number, number] = [0.2, 2];
  /** Share of messages lost, 0..1. */
  loss = 0;
  /** Share of messages that arrive twice. */
  duplicates = 0;
  /** Share of messages that come up to `straggleMs` late. */
  stragglers = 0;
  straggleMs = 2_000;
  /** Links that are cut, one way. */
  isLinkUp: LinkRule = () => true;
  /** Bytes a box can send in a millisecond; what does not fit waits its turn. */
  bytesPerMs = Number.POSITIVE_INFINITY;
  /** Extra milliseconds by link, `from:to`. */
  readonly slowLinks = new Map<string, number>();
  /** Messages delivered and bytes sent, in all. */
  deliveredCount = 0;
  sentBytes = 0;
  readonly #schedule: Schedule;
  readonly #prng: Prng;
  readonly #deliver: (from: number, to: number, parcel: Parcel) => void;
  readonly #clogged = new Map<string, Parcel[]>();
  readonly #freeAtMs = new Map<number, number>();
  readonly #archive: { readonly from: number; readonly to: number; readonly parcel: Parcel }[] = [];
  readonly #parcels = new WeakMap<Message, Parcel>();

  constructor(schedule: Schedule, seed: number, deliver: (from: number, to: number, parcel: Parcel) => void) {
    this.#schedule = schedule;
    this.#prng = new Prng(seed);
    this.#deliver = deliver;
  }

  /** The encoding of a message, made once however many it goes to. */
  parcelOf(message: Message): Parcel {
    const known = this.#parcels.get(message);
    if (known) return known;
    const parcel = { ...packed(encodeMessage(message)), kind: message.kind };
    this.#parcels.set(message, parcel);
    return parcel;
  }

  /** Sends a parcel on its way. */
  send(from: number, to: number, parcel: Parcel): void {
    this.sentBytes += parcel.bytes.length;
    this.#remember(from, to, parcel);
    if (this.loss > 0 && this.#prng.chance(this.loss)) return;
    this.#carry(from, to, parcel);
    if (this.duplicates > 0 && this.#prng.chance(this.duplicates)) this.#carry(from, to, parcel);
  }

  /** Holds back all that arrives on a link from now on, as a stuck connection does. */
  clog(from: number, to: number): void {
    const key = `${from}:${to}`;
    if (!this.#clogged.has(key)) this.#clogged.set(key, []);
  }

  /** Lets a link flow again: what it held back arrives at once, in order. */
  unclog(from: number, to: number): void {
    const key = `${from}:${to}`;
    const waiting = this.#clogged.get(key) ?? [];
    this.#clogged.delete(key);
    for (const parcel of waiting) this.#schedule.after(0, () => this.#arrive(from, to, parcel));
  }

  /** Links that are clogged, as pairs. */
  get clogged(): readonly (readonly [number, number])[] {
    return [...this.#clogged.keys()].map((key) => {
      const [from = 0, to = 0] = key.split(":").map(Number);
      return [from, to] as const;
    });
  }

  /** Sends some parcel of the past again over its own link: what an attacker on the wire, or a slow router, can do. */
  replay(): void {
    const old = this.#archive[this.#prng.below(this.#archive.length)];
    if (old) this.#carry(old.from, old.to, old.parcel);
  }

  /** Everything works again; links flow, nothing is lost any more. */
  heal(): void {
    this.loss = 0;
    this.duplicates = 0;
    this.stragglers = 0;
    this.bytesPerMs = Number.POSITIVE_INFINITY;
    this.isLinkUp = () => true;
    this.slowLinks.clear();
    for (const [from, to] of this.clogged) this.unclog(from, to);
  }

  #carry(from: number, to: number, parcel: Parcel): void {
    const [least, most] = this.delayMs;
    let delayMs = least + ((most - least) * this.#prng.uint32()) / 2 ** 32;
    delayMs += this.slowLinks.get(`${from}:${to}`) ?? 0;
    if (this.stragglers > 0 && this.#prng.chance(this.stragglers)) delayMs += this.#prng.below(this.straggleMs);
    this.#schedule.after(delayMs + this.#queueMs(from, parcel.bytes.length), () => this.#arrive(from, to, parcel));
  }

  #arrive(from: number, to: number, parcel: Parcel): void {
    const held = this.#clogged.get(`${from}:${to}`);
    if (held) {
      held.push(parcel);
      if (held.length > CLOGGED_PARCELS_MAX) held.shift();
    } else if (this.isLinkUp(from, to)) {
      this.deliveredCount++;
      this.#deliver(from, to, parcel);
    }
  }

  /** Milliseconds until a box's uplink has sent what waits and this. */
  #queueMs(from: number, bytes: number): number {
    if (this.bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    const { nowMs } = this.#schedule;
    const freeAtMs = Math.max(nowMs, this.#freeAtMs.get(from) ?? 0) + bytes / this.bytesPerMs;
    this.#freeAtMs.set(from, freeAtMs);
    return freeAtMs - nowMs;
  }

  /** Keeps a spread of all that was ever sent, the oldest epochs included. */
  #remember(from: number, to: number, parcel: Parcel): void {
    if (this.#archive.length < ARCHIVE_MAX) this.#archive.push({ from, to, parcel });
    else if (this.#prng.below(64) === 0) this.#archive[this.#prng.below(ARCHIVE_MAX)] = { from, to, parcel };
  }
}

/** A parcel of any bytes, a message or not. */
export function rawParcel(bytes: Uint8Array): Parcel {
  return { ...packed(bytes), kind: "unknown" };
}

/** A parcel of dissemination, which the node itself decodes. */
export function batchParcel(bytes: Uint8Array): Parcel {
  return { ...packed(bytes), kind: "batches" };
}

const opened = new WeakMap<Parcel, Message | "refused">();

/** The message as it comes out of the other end of a wire, or undefined when its bytes are none. */
export function openParcel(parcel: Parcel): Message | undefined {
  const known = opened.get(parcel);
  if (known !== undefined) return known === "refused" ? undefined : known;
  const decoded = decodeMessage(parcel.bytes);
  opened.set(parcel, decoded.ok ? decoded.value : "refused");
  return decoded.ok ? decoded.value : undefined;
}

function packed(bytes: Uint8Array): { bytes: Uint8Array; hash: number } {
  return { bytes, hash: Bun.hash.xxHash32(bytes) };
}
