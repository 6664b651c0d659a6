import { type Clock, err, ok, type Result } from "../../../src/kernel/index.ts";
import type { AcceptRefusal } from "../types.ts";

/** Bounds on connections, of all and of one address. */
export interface AdmissionBounds {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly connectBurst: number;
  readonly connectsPerSecond: number;
}

type Address = { open: number; tokens: number; atMs: number };

/** Addresses remembered without a connection, before those at rest are forgotten. */
const ADDRESSES_MAX = 4_096;

/** Decides whether one more connection is taken: by their number, and by a token bucket for each address. */
export class Admission {
  readonly #bounds: AdmissionBounds;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Address>();
  #open = 0;

  constructor(bounds: AdmissionBounds, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** Connections open. */
  get openCount(): number {
    return this.#open;
  }

  /** Counts a connection in, or says why not. */
  enter(address: string): Result<void, AcceptRefusal> {
    const { connectionsMax, connectionsPerAddressMax } = this.#bounds;
    if (this.#open >= connectionsMax) return err("connectionsFull");
    const found = this.#refreshed(address);
    if (found.open >= connectionsPerAddressMax) return err("addressFull");
    if (found.tokens < 1) return err("connectingTooFast");
    found.tokens -= 1;
    found.open++;
    this.#open++;
    return ok(undefined);
  }

  /** A connection that was counted in is gone. */
  leave(address: string): void {
    const found = this.#addresses.get(address);
    if (found !== undefined) found.open--;
    this.#open--;
    if (this.#addresses.size > ADDRESSES_MAX) this.#forgetThoseAtRest();
  }

  #refreshed(address: string): Address {
    const { connectBurst, connectsPerSecond } = this.#bounds;
    const atMs = this.#clock.monotonicMs();
    const found = this.#addresses.get(address) ?? { open: 0, tokens: connectBurst, atMs };
    found.tokens = Math.min(connectBurst, found.tokens + ((atMs - found.atMs) * connectsPerSecond) / 1000);
    found.atMs = atMs;
    this.#addresses.set(address, found);
    return found;
  }

  #forgetThoseAtRest(): void {
    for (const [address, { open }] of this.#addresses) {
      if (open === 0 && this.#refreshed(address).tokens >= this.#bounds.connectBurst) this.#addresses.delete(address);
    }
  }
}
