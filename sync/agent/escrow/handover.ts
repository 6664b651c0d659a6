import { bytesEqual, type CancelTimer, type Clock, type Log, type Timers, toHex } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import { isWitnessed, type VerifySignature } from "../../protocol/index.ts";
import type { EscrowOrigin, EscrowOutlet, EscrowStore, KeptParcel } from "./ports.ts";

/** What handing over stands on. */
export type EscrowHandoverParts = {
  readonly store: EscrowStore;
  /** The ways to this node's aggregators. */
  readonly outlets: readonly EscrowOutlet[];
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  readonly verify: VerifySignature;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Times in ms. */
export const HANDOVER_TIMES = {
  tickMs: 10_000,
  /** How long an origin has, once the aggregator is back, to bring its records itself. */
  ownTurnMs: 60_000,
  /** How old a parcel must be. */
  ripeMs: 60_000,
  /** Before an origin's parcel that was refused is offered again. */
  refusedMs: 300_000,
} as const;

/** Parcels of one origin that are offered in one turn: the others have theirs. */
const TURN_PARCELS = 16;

/**
 * Hands what is kept for others to an aggregator, when their nodes do not: they are gone, or have no way there.
 *
 * An origin's parcels go one after another, and each is released by the witness's word on its very last record. What an
 * aggregator refuses stays here and is offered again later.
 */
export class EscrowHandover implements MetricSource {
  readonly #parts: EscrowHandoverParts;
  readonly #notBeforeMs = new Map<string, number>();
  #handedOver = 0;
  #refused = 0;
  #isBusy = false;
  #isStopped = false;
  #cancelTimer: CancelTimer | undefined;

  constructor(parts: EscrowHandoverParts) {
    this.#parts = parts;
  }

  /** Begins to look for what is ripe. */
  start(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#parts.timers.after(HANDOVER_TIMES.tickMs, () => {
      void this.#turn();
      this.start();
    });
  }

  /** Ends. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  collect(): readonly MetricFamily[] {
    const counter = (name: string, help: string, value: number): MetricFamily => ({ name, help, kind: "counter", samples: [{ value }] });
    return [
      counter("bizra_escrow_handed_over_total", "Parcels of other nodes that an aggregator took from here.", this.#handedOver),
      counter("bizra_escrow_handover_refused_total", "Parcels of other nodes that an aggregator refused.", this.#refused),
    ];
  }

  async #turn(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const nowMs = this.#parts.clock.monotonicMs();
      const outlet = this.#parts.outlets.find(({ upSinceMs }) => upSinceMs !== undefined && nowMs - upSinceMs >= HANDOVER_TIMES.ownTurnMs);
      if (!outlet) return;
      for (const origin of this.#parts.store.origins()) {
        if ((this.#notBeforeMs.get(toHex(origin.identityKey)) ?? 0) <= nowMs) await this.#handOver(origin, outlet);
      }
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.#parts.log.error("escrow.storeFailed", { file: error.path, error: error.message });
    } finally {
      this.#isBusy = false;
    }
  }

  async #handOver(origin: EscrowOrigin, outlet: EscrowOutlet): Promise<void> {
    const { store, clock, log } = this.#parts;
    const ripe = store
      .parcelsAfter(origin.identityKey, origin.released, TURN_PARCELS)
      .filter(({ keptAtMs }) => clock.nowMs() - keptAtMs >= HANDOVER_TIMES.ripeMs);
    for (const kept of ripe) {
      const outcome = this.#isStopped ? undefined : await outlet.offer(kept.parcel);
      if (!outcome || this.#isStopped) return;
      const refused = "refused" in outcome ? outcome.refused : this.#findLie(origin, kept, outcome);
      if (refused !== undefined) {
        this.#refused++;
        log.warn("escrow.handoverRefused", { node: origin.node, epoch: kept.epoch, from: kept.from, to: kept.to, code: refused });
        this.#notBeforeMs.set(toHex(origin.identityKey), clock.monotonicMs() + HANDOVER_TIMES.refusedMs);
        return;
      }
      store.release(origin.identityKey, { epoch: kept.epoch, sequence: kept.to });
      this.#handedOver++;
      log.info("escrow.handedOver", { node: origin.node, epoch: kept.epoch, from: kept.from, to: kept.to });
    }
  }

  /** Why an aggregator's word is none on this parcel; undefined when it is. */
  #findLie(
    { identityKey }: EscrowOrigin,
    { epoch, to, tipHash }: KeptParcel,
    { ack, witnessKey }: Extract<Awaited<ReturnType<EscrowOutlet["offer"]>>, { ack: unknown }>,
  ): string | undefined {
    const { network, verify } = this.#parts;
    const isOnIt = ack.lane === "crit" && ack.epoch === epoch && ack.sequence === to && bytesEqual(ack.hash, tipHash);
    return isOnIt && isWitnessed(ack, { witnessKey, network, identityKey }, verify) ? undefined : "notWitnessed";
  }
}
