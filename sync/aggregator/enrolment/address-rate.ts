import type { Clock } from "../../../src/kernel/index.ts";

/** Requests that an address may make at once, how fast it earns further ones, and how many addresses are remembered. */
const RATE = { burst: 20, perSecond: 0.5, addressesMax: 20_000 } as const;

/** How often one address may ask for certificates. IPv6 addresses count by their /64. */
export class AddressRate {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a request. @returns 0 when it may be made, else the ms until it may */
  take(address: string): number {
    const key = address.includes(":") && !address.startsWith("::ffff:") ? address.split(":").slice(0, 4).join(":") : address;
    const nowMs = this.#clock.monotonicMs();
    const before = this.#buckets.get(key) ?? { tokens: RATE.burst, atMs: nowMs };
    const tokens = Math.min(RATE.burst, before.tokens + ((nowMs - before.atMs) / 1_000) * RATE.perSecond);
    this.#buckets.delete(key); // to the end of the order
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > RATE.addressesMax && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / RATE.perSecond) * 1_000);
  }
}
