import { assert, type Clock } from "../kernel/index.ts";

/** How fast a source may go: tokens a second, and how many at once. A rate of 0 means no limit. */
export type Rate = { readonly perSecond: number; readonly burst: number };

type Bucket = { tokens: number; atMs: number };

/**
 * One token bucket for each source. Holds a bounded number of sources; beyond it the one unseen for longest is
 * forgotten and starts full again, so memory stays bounded and an attacker with many addresses gains one burst each.
 */
export class TokenBuckets {
  readonly #clock: Clock;
  readonly #sourcesMax: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, sourcesMax = 4_096) {
    assert(sourcesMax > 0, "at least one source is remembered");
    this.#clock = clock;
    this.#sourcesMax = sourcesMax;
  }

  /** Sources remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token of the source: 0 when there was one, else milliseconds until there is. */
  take(source: string, rate: Rate): number {
    if (rate.perSecond === 0) return 0;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#buckets.get(source);
    const refill = known ? ((nowMs - known.atMs) / 1_000) * rate.perSecond : rate.burst;
    const tokens = Math.min(rate.burst, (known?.tokens ?? 0) + refill);
    const isTaken = tokens >= 1;
    this.#buckets.delete(source);
    if (this.#buckets.size >= this.#sourcesMax) this.#forgetOldest();
    this.#buckets.set(source, { tokens: isTaken ? tokens - 1 : tokens, atMs: nowMs });
    assert(this.#buckets.size <= this.#sourcesMax, "remembered sources stay within their bound");
    return isTaken ? 0 : Math.ceil(((1 - tokens) / rate.perSecond) * 1_000);
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}

/** What counts as one source: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber holds. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(":")) return address;
  return `${expandIpv6(address).slice(0, 4).join(":")}::/64`;
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  const source = address.toLowerCase().replace(/^::ffff:/, "");
  return source === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(source);
}

/** The eight groups of an IPv6 address, `::` filled with zeros; a zone is dropped. */
function expandIpv6(address: string): string[] {
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
}
