import type { CancelTimer, Clock, Log, Timers } from "../../../src/kernel/index.ts";
import { type AggregatorStore, type NodeRef, StoreUnavailable } from "../types.ts";

/** How often it looks, and how far back: further than clocks of several aggregators differ. */
const WATCH = { everyMs: 2_000, backMs: 600_000 } as const;

/** What a watch stands on. */
export type WatchParts = {
  readonly store: AggregatorStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Told of revoked nodes, again and again: it ends what they have here. */
  readonly onRevoked: (ref: NodeRef) => void;
};

/** Sees what another aggregator on the same store, or a command, revoked. */
export class RevocationWatch {
  readonly #parts: WatchParts;
  #cancel: CancelTimer | undefined;
  #isStopped = false;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#wait();
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Looks once. */
  async look(): Promise<void> {
    const { store, clock, onRevoked } = this.#parts;
    for (const ref of await store.enrolment.listRevokedSince(clock.nowMs() - WATCH.backMs)) {
      if ((await store.findNode(ref))?.status === "revoked") onRevoked(ref);
    }
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#parts.timers.after(WATCH.everyMs, () => {
      this.look()
        .catch((error: unknown) => {
          if (!(error instanceof StoreUnavailable)) throw error;
          this.#parts.log.warn("aggregator.revocationsUnseen", { error: error.message });
        })
        .finally(() => this.#wait());
    });
  }
}
