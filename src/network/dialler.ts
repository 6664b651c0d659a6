import type { Connection, Libp2p } from "@libp2p/interface";
import type { CancelTimer, Clock, Timers } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import type { Redial } from "./redial.ts";

/** What dialling runs on. */
export type DiallerParts = {
  readonly transport: Libp2p;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly redial: Redial;
  /** How long one attempt may take. */
  readonly dialMs: number;
  /** A connection that we asked for is there. */
  readonly onConnection: (connection: Connection, address: PeerAddress) => void;
  /** Why an address cannot be dialled now; undefined when it can. */
  readonly obstacleTo: (address: PeerAddress) => string | undefined;
};

/** Dials what the plan says is due, and wakes when the next address is. */
export class Dialler {
  readonly #parts: DiallerParts;
  #addresses = new Map<string, PeerAddress>();
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(parts: DiallerParts) {
    this.#parts = parts;
  }

  /** Names the addresses to keep connected from now on. */
  setAddresses(addresses: readonly PeerAddress[]): void {
    this.#addresses = new Map(addresses.map((address) => [address.text, address]));
    const { redial, clock } = this.#parts;
    redial.setAddresses(new Map(addresses.map(({ text, isDiscovered }) => [text, !isDiscovered])), clock.monotonicMs());
    for (const { text, expected } of addresses) if (expected !== undefined) redial.expect(text, expected);
    this.wake();
  }

  /** Dials what is due and sets the timer; to be called after every change of the plan. */
  wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isStopped) return;
    const { redial, clock, timers } = this.#parts;
    for (const { address } of redial.takeDue(clock.monotonicMs())) this.#dial(address);
    const untilMs = redial.untilNextMs(clock.monotonicMs());
    if (untilMs !== undefined) this.#cancelTimer = timers.after(Math.max(1, Math.ceil(untilMs)), () => this.wake());
  }

  /** Ends: nothing is dialled any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #dial(text: string): void {
    const { transport, redial, clock, timers, dialMs, onConnection, obstacleTo } = this.#parts;
    const address = this.#addresses.get(text);
    if (!address) return;
    const obstacle = obstacleTo(address);
    if (obstacle !== undefined) {
      redial.onFailed(text, obstacle, false, clock.monotonicMs());
      return;
    }
    const patience = new AbortController();
    const cancel = timers.after(dialMs, () => patience.abort(new Error(`no connection within ${dialMs} ms`)));
    transport
      .dial(address.multiaddr, { force: true, signal: patience.signal })
      .finally(cancel)
      .then((connection) => (this.#isStopped ? connection.close() : onConnection(connection, address)))
      .catch((error: unknown) => {
        // Every failure to reach a machine comes as an error of its own class; all mean: not now.
        redial.onFailed(text, reasonOf(error), false, clock.monotonicMs());
        this.wake();
      });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes = error instanceof AggregateError ? error.errors : [];
  const [first] = causes;
  return first instanceof Error ? first.message : error.message || error.name;
}
