import type { PeerId } from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";

/**
 * Questions in a row that may stay without an answer before a peer is left out: a stranger that never gave anything has one;
 * who gave before, and who is a validator or named here, may be slow for a while.
 */
const UNANSWERED_MAX = { stranger: 1, proven: 2, known: 3 } as const;
/** How long a peer is left out, at first; each further time twice as long. */
const ASIDE_FIRST_MS = 30_000;
const ASIDE_MAX_MS = 600_000;
/** Peers remembered; of more the one heard of longest ago is forgotten. */
const PEERS_MAX = 1_024;

/** Rank of who is left out: after everybody else. */
export const LEFT_OUT_RANK = 1_000;

type Account = { hasGiven: boolean; hasShown: boolean; unanswered: number; asides: number; asideUntilMs: number; askedHeight: number };

/**
 * What asking each peer for final blocks has come to. A claim to have them costs nothing, so peers are chosen by what they
 * gave: who is asked and gives nothing is left out for a while, however it comes back, until it gives what it was asked for.
 * When to ask again is the asker's decision, and so is how long an answer may take: the next question for the same block
 * tells that the last one was in vain. Pure.
 *
 * @see consensus R13
 */
export class GivingRecord {
  readonly #accounts = new Map<PeerId, Account>();
  #open: { readonly peer: PeerId; readonly height: number } | undefined;

  /**
   * A peer is asked for blocks from a height on. Whoever was asked for the same before and gave nothing failed.
   *
   * @param isKnown whether a peer is a validator or named here
   * @returns the peer that is left out from now on because of that
   */
  onAsked(peer: PeerId, height: number, isKnown: (peer: PeerId) => boolean, nowMs: number): PeerId | undefined {
    const before = this.#open?.height === height ? this.#open.peer : undefined;
    this.#open = { peer, height };
    this.#touch(peer).askedHeight = height;
    return before !== undefined && this.#fail(before, isKnown(before), nowMs) ? before : undefined;
  }

  /** A peer gives blocks from a height on: if it was asked for them, late or not, it counts again. */
  onGiven(peer: PeerId, height: number): void {
    const account = this.#accounts.get(peer);
    if (account?.askedHeight !== height) return;
    Object.assign(account, { hasGiven: true, unanswered: 0, asides: 0, asideUntilMs: 0 });
    if (this.#open?.peer === peer) this.#open = undefined;
  }

  /** A peer showed that it has a block that is missing here. */
  onShown(peer: PeerId): void {
    this.#touch(peer).hasShown = true;
  }

  /** What a peer gave was refused, it did not show what it claims to have, or it cannot be reached: it is left out. */
  leaveOut(peer: PeerId, nowMs: number): void {
    const account = this.#touch(peer);
    account.asideUntilMs = nowMs + Math.min(ASIDE_MAX_MS, ASIDE_FIRST_MS * 2 ** account.asides);
    account.asides = Math.min(account.asides + 1, 16);
    Object.assign(account, { hasGiven: false, hasShown: false, unanswered: 0 });
    if (this.#open?.peer === peer) this.#open = undefined;
    assert(this.isLeftOut(peer, nowMs), "leaving out lasts");
  }

  /** Whether a peer is left out now. */
  isLeftOut(peer: PeerId, nowMs: number): boolean {
    return (this.#accounts.get(peer)?.asideUntilMs ?? 0) > nowMs;
  }

  /** How often in a row a peer was left out. */
  timesLeftOut(peer: PeerId): number {
    return this.#accounts.get(peer)?.asides ?? 0;
  }

  /** Whether a peer gave blocks, or showed that it has some, since it was last left out. */
  isTried(peer: PeerId): boolean {
    const account = this.#accounts.get(peer);
    return account !== undefined && (account.hasGiven || account.hasShown);
  }

  /**
   * The lower, the sooner a peer is to be turned to: who gave, who showed, who is unknown, who failed, once or more often; not
   * at all while it is left out.
   */
  rankOf(peer: PeerId, nowMs: number): number {
    const account = this.#accounts.get(peer);
    if (!account) return 2;
    if (account.asideUntilMs > nowMs) return LEFT_OUT_RANK;
    return account.hasGiven ? 0 : account.hasShown ? 1 : 2 + account.asides;
  }

  #fail(peer: PeerId, isKnown: boolean, nowMs: number): boolean {
    const account = this.#touch(peer);
    if (account.asideUntilMs > nowMs) return false; // asked all the same, since nobody else was there
    account.unanswered++;
    const max = isKnown ? UNANSWERED_MAX.known : account.hasGiven ? UNANSWERED_MAX.proven : UNANSWERED_MAX.stranger;
    if (account.unanswered < max) return false;
    const open = this.#open;
    this.leaveOut(peer, nowMs);
    this.#open = open; // the question that told of it is another one
    return true;
  }

  #touch(peer: PeerId): Account {
    const unknown = { hasGiven: false, hasShown: false, unanswered: 0, asides: 0, asideUntilMs: 0, askedHeight: -1 };
    const account = this.#accounts.get(peer) ?? unknown;
    this.#accounts.delete(peer);
    this.#accounts.set(peer, account);
    const [oldest] = this.#accounts.keys();
    if (this.#accounts.size > PEERS_MAX && oldest !== undefined) this.#accounts.delete(oldest);
    return account;
  }
}
