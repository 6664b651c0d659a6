import { type Signer, sha256 } from "../../../src/crypto/index.ts";
import { assert, type CancelTimer, type Clock, compareBytes, concatBytes, type Log, type Timers, utf8 } from "../../../src/kernel/index.ts";
import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import { decodeStanding, type EscrowStanding, encodeEscrowRequest, encodeParcel, SYNC_LIMITS } from "../../protocol/index.ts";
import { judgeCursor } from "../compare.ts";
import { packBatch } from "../pack.ts";
import type { EventSource, KeptAck } from "../ports.ts";
import { isAfter, type Place } from "../types.ts";
import type { Neighbour, Neighbourhood } from "./ports.ts";

/** What a depositor stands on. */
export type EscrowDepositorParts = {
  /** The node's event log. */
  readonly source: EventSource & Pick<HeadSigner, "signHead">;
  readonly neighbours: Neighbourhood;
  /** The furthest acknowledgement of the vital lane that any aggregator signed. */
  readonly acknowledged: () => KeptAck | undefined;
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  readonly identity: Signer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Signs the tree of a lane as it stands. */
export interface HeadSigner {
  signHead(lane: "crit"): { readonly epoch: number; readonly size: number; readonly note: string } | undefined;
}

/** Times in ms; how many peers keep the lane. */
export const ESCROW_TIMES = {
  keepers: 2,
  /** How long an aggregator has to acknowledge a record before it goes to peers. */
  lingerMs: 1_000,
  tickMs: 1_000,
  /** Before a peer that did not answer, or had no room, is asked again. */
  retryMs: 10_000,
  turnedAwayMs: 600_000,
  /** Between two words on what may go. */
  releaseMs: 30_000,
} as const;

/** Bytes of a parcel around its records. */
const PARCEL_HEAD_BYTES = 1_024 + SYNC_LIMITS.noteBytesMax;

/** A peer that keeps, or shall keep, this node's vital lane. */
type Keeper = {
  /** The last record that it holds, as far as known. */
  place: Place;
  isAsked: boolean;
  /** What it was last told may go. */
  released: Place;
};

const START: Place = { epoch: 0, sequence: 0 };

/**
 * Brings records of the vital lane that no aggregator has acknowledged to two peers on the local network, so that a box that
 * is lost during an outage takes none with it.
 *
 * The peers are those that rank first by a hash over this node and them, which spreads the load; they change only when one
 * goes or refuses. A parcel at a time is on its way to each. Never waits for anyone, never holds up a commit.
 */
export class EscrowDepositor implements MetricSource {
  readonly #parts: EscrowDepositorParts;
  readonly #keepers = new Map<Neighbour, Keeper>();
  readonly #notBeforeMs = new Map<Neighbour, number>();
  /** Since when there is a record that no aggregator has acknowledged. */
  #pendingSinceMs: number | undefined;
  #releasedAtMs = 0;
  #forks = 0;
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(parts: EscrowDepositorParts) {
    this.#parts = parts;
  }

  /** Begins. */
  start(): void {
    this.#tick();
  }

  /** Ends: what is on its way is answered to nobody. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  /** Peers that hold every record that no aggregator has acknowledged. */
  get keepersComplete(): number {
    const tip = this.#parts.source.tip("crit");
    const held = this.#parts.acknowledged() ?? START;
    if (!isAfter(tip, held)) return this.#keepers.size;
    return [...this.#keepers.values()].filter(({ place }) => !isAfter(tip, place)).length;
  }

  collect(): readonly MetricFamily[] {
    const gauge = (name: string, help: string, value: number): MetricFamily => ({ name, help, kind: "gauge", samples: [{ value }] });
    return [
      gauge("bizra_escrow_keepers", "Peers that hold every vital event that no aggregator has acknowledged.", this.keepersComplete),
      gauge("bizra_escrow_forks", "Times that a peer held another history of this node's vital lane.", this.#forks),
    ];
  }

  #tick(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#parts.timers.after(ESCROW_TIMES.tickMs, () => this.#tick());
    this.#choose();
    const nowMs = this.#parts.clock.monotonicMs();
    const isPending = isAfter(this.#parts.source.tip("crit"), this.#parts.acknowledged() ?? START);
    this.#pendingSinceMs = isPending ? (this.#pendingSinceMs ?? nowMs) : undefined;
    const isDue = this.#pendingSinceMs !== undefined && nowMs - this.#pendingSinceMs >= ESCROW_TIMES.lingerMs;
    const isReleasing = nowMs - this.#releasedAtMs >= ESCROW_TIMES.releaseMs;
    if (isReleasing) this.#releasedAtMs = nowMs;
    for (const [peer, keeper] of this.#keepers) {
      if (keeper.isAsked) continue;
      if (isReleasing && this.#release(peer, keeper)) continue;
      if (isDue || isLagging(keeper, this.#parts.acknowledged())) this.#deposit(peer, keeper);
    }
  }

  /** Keeps keepers that are there and willing, and adds those that rank first. */
  #choose(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [peer, untilMs] of this.#notBeforeMs) if (untilMs <= nowMs) this.#notBeforeMs.delete(peer);
    const willing = this.#parts.neighbours.list().filter((peer) => !this.#notBeforeMs.has(peer));
    for (const peer of this.#keepers.keys()) if (!willing.includes(peer)) this.#keepers.delete(peer);
    if (this.#keepers.size >= ESCROW_TIMES.keepers || willing.length === this.#keepers.size) return;
    const rank = (peer: Neighbour): Uint8Array => sha256(concatBytes(this.#parts.identity.publicKey, utf8(peer)));
    const ranked = willing.map((peer) => ({ peer, rank: rank(peer) })).sort((a, b) => compareBytes(a.rank, b.rank));
    for (const { peer } of ranked) {
      if (this.#keepers.size >= ESCROW_TIMES.keepers) return;
      if (!this.#keepers.has(peer)) this.#keepers.set(peer, { place: START, isAsked: false, released: START });
    }
  }

  /** Sends the next records that the keeper lacks and no aggregator has. */
  #deposit(peer: Neighbour, keeper: Keeper): void {
    const { source, identity, node, network, log } = this.#parts;
    const held = this.#parts.acknowledged() ?? START;
    const isContinued = isAfter(keeper.place, held) || isLagging(keeper, held);
    const after = isContinued ? keeper.place : { epoch: held.epoch, sequence: held.sequence };
    const tip = source.tip("crit");
    if (!isAfter(tip, after)) return;
    const read = source.read("crit", after, SYNC_LIMITS.batchRecordsMax);
    if (!read.ok) log.error("sync.laneDamaged", { lane: "crit", detail: read.error.detail });
    const bytesMax = SYNC_LIMITS.parcelBytesMax - PARCEL_HEAD_BYTES;
    const batch = read.ok ? packBatch(read.value, { session: new Uint8Array(0), codec: "zstd", bytesMax }) : undefined;
    if (!batch) return;
    const head = batch.epoch === tip.epoch && batch.to === tip.sequence ? source.signHead("crit") : undefined;
    const note = head?.size === batch.to ? { checkpoint: head.note } : {};
    const { session: _session, lane: _lane, ...records } = batch;
    const parcel = encodeParcel({ ...records, ...note, node, network, identityKey: identity.publicKey }, identity);
    assert(parcel.length <= SYNC_LIMITS.parcelBytesMax, "a parcel fits its bound");
    const place = { epoch: batch.epoch, sequence: batch.to };
    void this.#ask(peer, keeper, encodeEscrowRequest({ kind: "deposit", parcel }), (standing) =>
      this.#onDeposited(peer, keeper, place, standing),
    );
  }

  /** Tells a keeper what an aggregator has, when it keeps some of that. @returns whether it was told */
  #release(peer: Neighbour, keeper: Keeper): boolean {
    const proof = this.#parts.acknowledged();
    const isFirst = !isAfter(keeper.released, START); // what it keeps since an earlier start of this node is not known here
    if (!proof || !isAfter(proof, keeper.released)) return false;
    if (!isFirst && (!isAfter(keeper.place, keeper.released) || isLagging(keeper, proof))) return false;
    const { epoch, sequence } = proof;
    const request = encodeEscrowRequest({ kind: "release", identityKey: this.#parts.identity.publicKey, proof });
    void this.#ask(peer, keeper, request, () => {
      keeper.released = { epoch, sequence };
    });
    return true;
  }

  async #ask(peer: Neighbour, keeper: Keeper, request: Uint8Array, onAnswer: (standing: EscrowStanding) => void): Promise<void> {
    keeper.isAsked = true;
    const answer = await this.#parts.neighbours.ask(peer, request);
    keeper.isAsked = false;
    const standing = answer && decodeStanding(answer);
    if (this.#isStopped || this.#keepers.get(peer) !== keeper) return;
    if (standing?.ok) onAnswer(standing.value);
    else this.#turnFrom(peer, ESCROW_TIMES.retryMs);
  }

  #onDeposited(peer: Neighbour, keeper: Keeper, place: Place, standing: EscrowStanding): void {
    const { verdict, epoch, sequence, hash } = standing;
    if (verdict === "held") {
      keeper.place = place;
      return;
    }
    const isOurs = verdict === "gap" && judgeCursor(this.#parts.source, { lane: "crit", epoch, sequence, hash }, undefined) === "same";
    if (isOurs && isAfter({ epoch, sequence }, keeper.place)) {
      keeper.place = { epoch, sequence }; // it has more than was known here, after a restart say
      return;
    }
    if (verdict === "gap" || verdict === "fork") {
      this.#forks++;
      this.#parts.log.error("escrow.otherHistory", { peer, epoch, sequence });
    }
    this.#turnFrom(peer, ESCROW_TIMES.turnedAwayMs);
  }

  /** Somebody else keeps meanwhile. */
  #turnFrom(peer: Neighbour, forMs: number): void {
    this.#keepers.delete(peer);
    this.#notBeforeMs.set(peer, this.#parts.clock.monotonicMs() + forMs);
  }
}

/**
 * Whether a keeper has records that may not go yet, and ends before what an aggregator acknowledged: it is brought the rest, for a
 * proof counts there only with the record that it names.
 */
function isLagging({ place, released }: Keeper, acknowledged: Place | undefined): boolean {
  return acknowledged !== undefined && isAfter(place, released) && isAfter(acknowledged, place);
}
