import { REFUSAL_POINTS, type RefusalCode } from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";

/** What a peer did that an honest program of ours never does: to the connection, or to consensus, which refused it. */
export type Misconduct = "garbage" | "oversized" | "outOfTurn" | "badBinding" | "falseTip" | "badBatch" | "badPresence" | RefusalCode;

/** Points for each; at POINTS_MAX the peer is banned. What an honest peer on a bad day may do costs little. */
const POINTS = {
  garbage: 60,
  oversized: 100,
  outOfTurn: 60,
  badBinding: 100,
  falseTip: 100,
  badBatch: 30,
  badPresence: 100,
  ...REFUSAL_POINTS,
} as const satisfies Record<Misconduct, number>;

const POINTS_MAX = 100;
const HALF_LIFE_MS = 600_000;
const BAN_FIRST_MS = 30_000;
/** A ban doubles with each one before it that is not forgotten; a validator's stays short, for the network needs its votes. */
const BAN_MAX_MS = { validator: 300_000, other: 3_600_000 } as const;
const FORGET_BANS_MS = 6 * 3_600_000;
const ENTRIES_MAX = 4_096;

type Entry = { points: number; atMs: number; bans: number; bannedUntilMs: number };

/**
 * Scores and bans by key of the peer. Points halve every ten minutes. Bounded: beyond its size the entry that was
 * touched longest ago is forgotten.
 */
export class Standing {
  readonly #entries = new Map<string, Entry>();

  /** Adds the points of a misconduct; says whether the peer is banned now. */
  penalize(key: string, misconduct: Misconduct, isValidator: boolean, nowMs: number): boolean {
    const entry = this.#touch(key, nowMs);
    entry.points += POINTS[misconduct];
    if (entry.points < POINTS_MAX) return nowMs < entry.bannedUntilMs;
    if (nowMs - entry.bannedUntilMs > FORGET_BANS_MS) entry.bans = 0;
    const max = isValidator ? BAN_MAX_MS.validator : BAN_MAX_MS.other;
    entry.bannedUntilMs = nowMs + Math.min(max, BAN_FIRST_MS * 2 ** entry.bans);
    entry.bans = Math.min(entry.bans + 1, 16);
    entry.points = 0;
    assert(entry.bannedUntilMs > nowMs, "a ban lasts");
    return true;
  }

  /** Milliseconds that a ban still lasts; 0 for who is welcome. */
  banLeftMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#entries.get(key)?.bannedUntilMs ?? 0) - nowMs);
  }

  /** Points now, decayed; 0 for who is unknown. */
  pointsOf(key: string, nowMs: number): number {
    const entry = this.#entries.get(key);
    return entry ? decayed(entry, nowMs) : 0;
  }

  /** Peers remembered. */
  get size(): number {
    return this.#entries.size;
  }

  #touch(key: string, nowMs: number): Entry {
    const entry = this.#entries.get(key) ?? { points: 0, atMs: nowMs, bans: 0, bannedUntilMs: 0 };
    entry.points = decayed(entry, nowMs);
    entry.atMs = nowMs;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > ENTRIES_MAX) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return entry;
  }
}

function decayed({ points, atMs }: Entry, nowMs: number): number {
  return points * 0.5 ** (Math.max(0, nowMs - atMs) / HALF_LIFE_MS);
}
