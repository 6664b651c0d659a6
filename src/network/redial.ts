import { assert, type Prng } from "../kernel/index.ts";
import { isRelayed } from "./relay.ts";

/** How soon a lost or refused connection is tried again. */
export type RedialTimes = {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly refusedMs: number;
  /** How long one attempt may take. */
  readonly dialMs: number;
  /** How long direct addresses have before one through a relay is dialled. */
  readonly relayedMs: number;
  /** How often a peer that is reached through a relay is tried directly. */
  readonly directMs: number;
};

/** Quick at first, since a peer that restarts is back in a second; never given up. */
export const REDIAL_TIMES: RedialTimes = {
  firstMs: 250,
  maxMs: 15_000,
  refusedMs: 30_000,
  dialMs: 8_000,
  relayedMs: 2_000,
  directMs: 60_000,
};

/** Where an attempt at an address stands. */
export type DialTarget = {
  readonly address: string;
  /** Whether the operator named it, as opposed to one that was found. */
  readonly isNamed: boolean;
  /** Key of the peer found there, once known. */
  peer: string | undefined;
  status: "waiting" | "dialling" | "connected";
  failures: number;
  nextAtMs: number;
  /** Why the last attempt or connection ended. */
  reason: string | undefined;
};

/**
 * When to dial which configured address. An address that leads to a peer which is connected by another connection rests
 * until that one is gone; one that leads to it directly, while the connection goes through a relay, is tried now and then. Waits double from try to try up to a cap and are jittered by a fifth either way; one whose
 * hello was refused waits longer, for only a person changes that.
 */
export class Redial {
  readonly #targets = new Map<string, DialTarget>();
  readonly #times: RedialTimes;
  readonly #prng: Prng;
  /** Peers that are reached through a relay now. */
  readonly #relayed = new Set<string>();

  constructor(times: RedialTimes, prng: Prng) {
    assert(times.firstMs > 0 && times.firstMs <= times.maxMs, "waits grow from the first to the cap");
    this.#times = times;
    this.#prng = prng;
  }

  /** Every target, in the order it was named. */
  get targets(): readonly DialTarget[] {
    return [...this.#targets.values()];
  }

  /** Whether the operator named an address that leads, or led, to this peer. */
  leadsTo(peer: string): boolean {
    for (const target of this.#targets.values()) if (target.isNamed && target.peer === peer) return true;
    return false;
  }

  /** Failures in a row at an address. */
  failuresAt(address: string): number {
    return this.#targets.get(address)?.failures ?? 0;
  }

  /**
   * Gives the addresses to keep connected, each with whether the operator named it; one that is known keeps its place, one no
   * longer given is forgotten.
   */
  setAddresses(addresses: ReadonlyMap<string, boolean>, nowMs: number): void {
    for (const address of this.#targets.keys()) if (!addresses.has(address)) this.#targets.delete(address);
    for (const [address, isNamed] of addresses) {
      if (this.#targets.has(address)) continue;
      const nextAtMs = isRelayed(address) ? nowMs + this.#times.relayedMs : nowMs;
      this.#targets.set(address, { address, isNamed, peer: undefined, status: "waiting", failures: 0, nextAtMs, reason: undefined });
    }
  }

  /** Says who is expected at an address, so that it rests while that peer is connected otherwise. */
  expect(address: string, peer: string): void {
    const target = this.#targets.get(address);
    if (target) target.peer ??= peer;
  }

  /** Takes the targets whose time has come; each is dialling until the outcome is told. */
  takeDue(nowMs: number): DialTarget[] {
    const due = this.targets.filter((target) => target.status === "waiting" && target.nextAtMs <= nowMs);
    for (const target of due) target.status = "dialling";
    return due;
  }

  /** Milliseconds until the next one is due; undefined while none waits. */
  untilNextMs(nowMs: number): number | undefined {
    const waiting = this.targets.filter((target) => target.status === "waiting").map((target) => target.nextAtMs);
    return waiting.length === 0 ? undefined : Math.max(0, Math.min(...waiting) - nowMs);
  }

  /** The hello at an address was answered by this peer. */
  onConnected(address: string, peer: string): void {
    const target = this.#targets.get(address);
    if (!target) return;
    target.peer = peer;
    target.status = "connected";
    target.failures = 0;
    target.reason = undefined;
  }

  /** No connection came of it, or its hello was refused. */
  onFailed(address: string, reason: string, isRefused: boolean, nowMs: number): void {
    const target = this.#targets.get(address);
    if (!target) return;
    target.failures++;
    this.#wait(target, reason, isRefused, nowMs);
  }

  /** A peer is connected, by whichever end: addresses known to lead to it rest, or are tried less while a relay carries it. */
  onPeerUp(peer: string, isByRelay: boolean, nowMs: number): void {
    if (isByRelay) this.#relayed.add(peer);
    else this.#relayed.delete(peer);
    for (const target of this.#targets.values()) {
      if (target.peer !== peer) continue;
      if (isByRelay && !isRelayed(target.address)) {
        if (target.status !== "dialling") this.#wait(target, target.reason ?? "reached through a relay", false, nowMs);
        continue;
      }
      if (target.status !== "waiting") continue;
      target.status = "connected";
      target.failures = 0;
      target.reason = undefined;
    }
  }

  /** A peer's last connection ended: its addresses are dialled again, at once but for the jitter. */
  onPeerDown(peer: string, reason: string, nowMs: number): void {
    const wasRelayed = this.#relayed.delete(peer);
    for (const target of this.#targets.values()) {
      if (target.peer !== peer) continue;
      const isResting = target.status === "connected" || (wasRelayed && target.status === "waiting");
      if (isResting) this.#wait(target, reason, false, nowMs);
    }
  }

  #wait(target: DialTarget, reason: string, isRefused: boolean, nowMs: number): void {
    const { firstMs, maxMs, refusedMs, relayedMs, directMs } = this.#times;
    const grown = Math.min(maxMs, firstMs * 2 ** Math.min(target.failures, 20));
    const jitter = 0.8 + 0.4 * (this.#prng.below(1_000) / 1_000);
    target.status = "waiting";
    target.reason = reason;
    const isBetterWay = target.peer !== undefined && this.#relayed.has(target.peer) && !isRelayed(target.address);
    const usualMs = isRelayed(target.address) ? relayedMs : isBetterWay ? directMs : 0;
    const leastMs = isRefused ? Math.max(refusedMs, usualMs) : usualMs;
    target.nextAtMs = nowMs + Math.round(Math.max(leastMs, grown) * jitter);
  }
}
