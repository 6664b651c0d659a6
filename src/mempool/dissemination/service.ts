import { assert, type CancelTimer, type Clock, type Prng, type Timers, toHex } from "../../kernel/index.ts";
import type { ValidatorSet } from "../../protocol/index.ts";
import type { BatchFault, BatchRelease, DurableBatch, ReceiveVerdict } from "../types.ts";
import type { DisseminationMessage } from "./messages.ts";
import { nextPlanMs, planDissemination } from "./planner.ts";
import { ReplicationWaits } from "./replication-waits.ts";
import {
  type DisseminationCounters,
  type DisseminationEffect,
  type DisseminationInput,
  type DisseminationState,
  newDisseminationState,
  type PeerFault,
  type PeerId,
} from "./state.ts";
import type { DisseminationTuning } from "./tuning.ts";

/** The batches of this box, as dissemination needs them; a `Mempool` is one. */
export interface BatchStore {
  /** The batches that wait for a block, oldest first. */
  pendingBatches(): readonly DurableBatch[];
  /** Whether a batch is durable here, executed ones included. */
  isHeld(digest: Uint8Array): boolean;
  /** Whether a digest is of a batch known to be faulty. */
  isFaulty(digest: Uint8Array): boolean;
  /** A batch as peers get it; undefined when not held. */
  findEncoded(digest: Uint8Array): Uint8Array | undefined;
  /** Judges a peer's batch and makes it durable; never rejects. */
  receive(encoded: Uint8Array, receipt: { readonly digest: Uint8Array; readonly isNeeded: boolean }): Promise<ReceiveVerdict>;
  /** Lets blocks have a batch that a quorum is known to hold (R2). */
  offer(digest: Uint8Array): void;
}

/** What dissemination is wired to. */
export type DisseminationPorts = {
  readonly batches: BatchStore;
  /**
   * Sends to one connected peer; may be lost. False when there is no room for a batch on the way to it, in which case
   * `onPeerRoom` follows once there is.
   */
  readonly send: (peer: PeerId, message: DisseminationMessage) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly prng: Prng;
  /** The running epoch's set, by whose weights holders count. */
  readonly validatorSet: () => ValidatorSet;
  /** Called when another validator's batch became durable here: wakes consensus (`onBatchesHeld`). */
  readonly onHeld: (digest: Uint8Array) => void;
  /** Told what a peer did wrong, for scores and bans; default nobody. */
  readonly onFault?: (peer: PeerId, fault: PeerFault) => void;
};

/** Figures for monitoring. */
export type DisseminationStats = {
  readonly counters: Readonly<DisseminationCounters>;
  readonly gauges: {
    readonly peers: number;
    readonly held: number;
    readonly wanted: number;
    readonly needed: number;
    readonly pulls: number;
  };
};

/** Runs the plan: takes inputs one at a time, does what it says in order, keeps its one timer. */
export class Dissemination {
  readonly #ports: DisseminationPorts;
  readonly #state: DisseminationState;
  readonly #waits: ReplicationWaits;
  #inputs: DisseminationInput[] = [];
  #isRunning = false;
  #isStopped = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;

  /** @param self our key, 32 bytes */
  constructor(ports: DisseminationPorts, options: { readonly self: Uint8Array; readonly tuning: DisseminationTuning }) {
    this.#ports = ports;
    const { batches, clock, prng } = ports;
    this.#state = newDisseminationState({
      self: toHex(options.self),
      tuning: options.tuning,
      queries: { isHeld: (digest) => batches.isHeld(digest), isFaulty: (digest) => batches.isFaulty(digest) },
      prng,
      set: ports.validatorSet(),
      nowMs: clock.monotonicMs(),
    });
    this.#waits = new ReplicationWaits(ports.timers);
  }

  /** Begins with what the batch log held. */
  start(): void {
    this.#take({ kind: "members", set: this.#ports.validatorSet() });
    for (const batch of this.#ports.batches.pendingBatches()) {
      // One that was sealed since the mempool started was told already.
      if (!this.#state.held.has(toHex(batch.digest))) this.#take({ kind: "held", batch });
    }
  }

  /** Sends nothing more; who waits for replication hears that it was not had. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#waits.end();
  }

  /** A peer connected and has proven its key. */
  onPeerUp(peer: PeerId): void {
    this.#take({ kind: "peerUp", peer });
  }

  /** A peer disconnected. */
  onPeerDown(peer: PeerId): void {
    this.#take({ kind: "peerDown", peer });
  }

  /** A message from a connected peer. */
  onMessage(peer: PeerId, message: DisseminationMessage): void {
    this.#take({ kind: "message", peer, message });
  }

  /** There is room for batches on the way to a peer again. */
  onPeerRoom(peer: PeerId): void {
    this.#take({ kind: "room", peer });
  }

  /** Gets batches that consensus cannot go on without (`NetworkPort.fetchBatches`), before all others. */
  fetch(digests: readonly Uint8Array[]): void {
    this.#take({ kind: "needed", digests });
  }

  /** A batch became durable here, own or other (`MempoolParts.onBatchDurable`). */
  onBatchDurable(batch: DurableBatch): void {
    // A box that lost its batches gets its own ones back from others.
    const isAwaited = !batch.isOwn || this.#state.wants.has(toHex(batch.digest));
    this.#take({ kind: "held", batch });
    if (isAwaited) this.#ports.onHeld(batch.digest);
  }

  /** A batch waits for a block no longer (`MempoolParts.onBatchReleased`). */
  onBatchReleased(release: BatchRelease): void {
    this.#take({ kind: "released", release });
    this.#waits.settle(toHex(release.digest), release.isCommitted);
  }

  /** The set may have changed: a boundary block was committed. Harmless to call after every block. */
  onEpoch(): void {
    const set = this.#ports.validatorSet();
    if (set !== this.#state.set) this.#take({ kind: "members", set });
  }

  /**
   * Resolves true when weight above F is known to hold the batch durably (so that one honest box keeps it whoever fails),
   * or a block executed it; false when that is not known in time.
   */
  whenReplicated(digest: Uint8Array, withinMs: number): Promise<boolean> {
    const held = this.#state.held.get(toHex(digest));
    if (held !== undefined && held.level !== "none") return Promise.resolve(true);
    if (held === undefined || this.#isStopped) return Promise.resolve(this.#ports.batches.isHeld(digest) && held === undefined);
    return this.#waits.wait(toHex(digest), withinMs);
  }

  /** Figures for monitoring. */
  stats(): DisseminationStats {
    const { counters, peers, held, wants, neededCount, pulls } = this.#state;
    return { counters, gauges: { peers: peers.size, held: held.size, wanted: wants.size, needed: neededCount, pulls } };
  }

  #take(input: DisseminationInput): void {
    if (this.#isStopped) return;
    this.#inputs.push(input);
    if (this.#isRunning) return; // an effect gave it: taken when the effects before it are done
    this.#isRunning = true;
    for (let next = this.#inputs.shift(); next !== undefined && !this.#isStopped; next = this.#inputs.shift()) {
      for (const effect of planDissemination(this.#state, next, this.#ports.clock.monotonicMs())) this.#run(effect);
    }
    this.#isRunning = false;
    this.#arm();
  }

  #run(effect: DisseminationEffect): void {
    const { batches, send, onFault } = this.#ports;
    switch (effect.kind) {
      case "send":
        send(effect.peer, effect.message);
        return;
      case "receive":
        this.#receive(effect.digest, effect.encoded, effect.isNeeded);
        return;
      case "answer":
        this.#answer(effect.peer, effect.digest);
        return;
      case "replicated":
        if (effect.level === "quorum") batches.offer(effect.digest);
        else this.#waits.settle(toHex(effect.digest), true);
        return;
      case "fault":
        onFault?.(effect.peer, effect.fault);
        return;
    }
  }

  #receive(digest: Uint8Array, encoded: Uint8Array, isNeeded: boolean): void {
    void this.#ports.batches.receive(encoded, { digest, isNeeded }).then((verdict) => {
      // A batch that became durable was told by the mempool already; one that was held before need not be wanted.
      const code: BatchFault | "held" = verdict.status === "held" ? "held" : verdict.code;
      if (code !== "held") this.#take({ kind: "refused", digest, code });
      else if (this.#state.wants.has(toHex(digest))) this.#take({ kind: "found", digest });
    });
  }

  #answer(peer: PeerId, digest: Uint8Array): void {
    const encoded = this.#ports.batches.findEncoded(digest);
    const message: DisseminationMessage =
      encoded === undefined ? { kind: "absent", digests: [digest] } : { kind: "batch", digest, encoded };
    if (this.#ports.send(peer, message)) this.#take({ kind: "answered", peer, sizeBytes: encoded?.length ?? 0 });
    else this.#take({ kind: "noRoom", peer, digest });
  }

  #arm(): void {
    const atMs = nextPlanMs(this.#state);
    if (atMs === this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY || this.#isStopped) return;
    const delayMs = Math.max(0, atMs - this.#ports.clock.monotonicMs());
    assert(Number.isFinite(delayMs), "a timer fires some day");
    this.#cancelTimer = this.#ports.timers.after(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#cancelTimer = undefined;
      this.#take({ kind: "tick" });
    });
  }
}
