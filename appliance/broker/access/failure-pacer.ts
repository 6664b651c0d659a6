import { assert, type Clock } from "../../../src/kernel/index.ts";

/** Attempts that an address may fail before it has to wait. */
const FREE_FAILURES = 5;
/** First wait after that; each further failure doubles it. */
const WAIT_MS = { first: 1_000, max: 60_000 } as const;
/** After so long without a failure an address starts anew. */
const FORGET_MS = 15 * 60_000;

type Record = { failures: number; lastMs: number; untilMs: number };

/**
 * Slows repeated failures to log in, by address: after some of them an address waits, ever longer, before it is judged
 * again. A refusal while waiting costs nothing and counts no failure, so a password cannot be guessed faster than the
 * waits allow. Remembers a bounded number of addresses; beyond it the one whose failure lies furthest back is forgotten.
 */
export class FailurePacer {
  readonly #clock: Clock;
  readonly #addressesMax: number;
  readonly #records = new Map<string, Record>();

  constructor(clock: Clock, addressesMax = 4_096) {
    assert(addressesMax > 0, "at least one address is remembered");
    this.#clock = clock;
    this.#addressesMax = addressesMax;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#records.size;
  }

  /** Milliseconds that the address has to wait before it may try; 0 when it may. */
  waitMs(address: string): number {
    const record = this.#records.get(address);
    return record ? Math.max(0, Math.ceil(record.untilMs - this.#clock.monotonicMs())) : 0;
  }

  /** An attempt from the address failed. */
  onFailure(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#records.get(address);
    const failures = known && nowMs - known.lastMs < FORGET_MS ? known.failures + 1 : 1;
    const waitMs = failures <= FREE_FAILURES ? 0 : Math.min(WAIT_MS.max, WAIT_MS.first * 2 ** (failures - FREE_FAILURES - 1));
    this.#records.delete(address);
    if (this.#records.size >= this.#addressesMax) this.#forgetOldest();
    this.#records.set(address, { failures, lastMs: nowMs, untilMs: nowMs + waitMs });
    assert(this.#records.size <= this.#addressesMax, "remembered addresses stay within their bound");
  }

  /** An attempt from the address succeeded: what it failed before is forgiven. */
  onSuccess(address: string): void {
    this.#records.delete(address);
  }

  #forgetOldest(): void {
    const oldest = this.#records.keys().next();
    if (!oldest.done) this.#records.delete(oldest.value);
  }
}

/** What counts as one address: an IPv4 address, or the first four groups of an IPv6 one, which is what one subscriber holds. */
export function paceKeyOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after].slice(0, 4).join(":");
}

/** Whether an address is this machine's own. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, "");
  return plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
