import type { CryptoSuite } from "../crypto/index.ts";
import { assert, bytesEqual, type CancelTimer, type Clock, present, type Timers } from "../kernel/index.ts";
import { BLOCK_VERSIONS, encodeBlock, leaderBySlots } from "../protocol/index.ts";
import type { BlockPort, BuildRequest, FinalizedBlock } from "./block-port.ts";
import { BOUNDS } from "./bounds.ts";
import { step } from "./core.ts";
import { nextDeadlineMs } from "./deadlines.ts";
import { InputQueue } from "./input-queue.ts";
import { type CoreStatus, countHeld, type HeldCounts, inspectCore, standingOf } from "./inspection.ts";
import { MESSAGE_BYTES_MAX } from "./message-codec.ts";
import type { Message, PeerId } from "./messages.ts";
import type { JournalPort, NetworkPort, VoteSigner } from "./ports.ts";
import { recoveryAllows } from "./recovery-gate.ts";
import { startCore } from "./start.ts";
import type { CoreState } from "./state.ts";
import type { Effect, Input, Notice, StepTime } from "./steps.ts";
import type { TimerProfile } from "./timers.ts";

/** What the loop runs on. */
export type ConsensusPorts = {
  readonly blocks: BlockPort;
  readonly journal: JournalPort;
  readonly signer: VoteSigner;
  readonly network: NetworkPort;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Hears of refusals, certificates, evidence and recovery; must not throw. */
  readonly onNotice: (notice: Notice) => void;
  /** Called once when a durable port, the signer or an invariant failed, or agreement broke: nothing is signed any more. */
  readonly onFatal: (error: unknown) => void;
};

/** What one node's agreement is about. */
export type ConsensusOptions = {
  readonly chainId: Uint8Array;
  readonly suite: CryptoSuite;
  readonly profile: TimerProfile;
  /** Seed of jitter and random peers. */
  readonly seed: number;
  /** Version that the next block on the last committed one has; default one that is known. */
  readonly nextBlockVersion?: () => number;
};

/** Inputs from outside taken into one turn, so that what a turn sends is not held up by what still comes. */
const TURN_INPUTS_MAX = 512;

/**
 * Runs the core: takes inputs, runs effects in list order, drives the one timer. A turn takes all that waits; everything
 * it journals shares one sync (J1); then what stood behind a `persist` happens. A block of a single validator costs two
 * syncs (NOTARIZE with the payload, FINALIZE) and the chain's commit.
 *
 * Never signs, sends (other than a proposal's payload, J4) or commits before the journal is durable, and does nothing
 * more after a failure (J7).
 */
export class ConsensusLoop {
  readonly #ports: ConsensusPorts;
  readonly #core: CoreState;
  readonly #nextBlockVersion: () => number;
  readonly #outside = new InputQueue();
  /** Answers to effects, taken before anything from outside. */
  #answers: Input[] = [];
  /** Effects that wait for this turn's sync. */
  #deferred: Effect[] = [];
  #needsSync = false;
  #isRunning = false;
  #isStopped = false;
  #isOutdated = false;
  #cancelTimer: CancelTimer | undefined;
  #hadWork = false;
  #droppedCount = 0;

  /** Reads the tip and the journal; acts only from `start` on. */
  constructor(ports: ConsensusPorts, options: ConsensusOptions) {
    this.#ports = ports;
    const { blocks, journal, signer } = ports;
    const tip = blocks.tip();
    const isBoundary = tip.height > 0 && present(blocks.find(tip.hash), "the tip is stored").header.nextValidatorSetHash !== undefined;
    const opening = present(blocks.findEpoch(isBoundary ? tip.epoch + 1 : tip.epoch), "the chain knows the set of its next block");
    const config = {
      chainId: options.chainId,
      publicKey: signer.publicKey,
      suite: options.suite,
      timers: options.profile,
      leaderOf: leaderBySlots,
      seed: options.seed,
      findEpoch: (epoch: number) => blocks.findEpoch(epoch),
      canConvict: (evidence: Uint8Array) => blocks.canConvict(evidence),
    };
    const { core, effects } = startCore(config, { tip, opening, replay: journal.replay(), time: this.#time() });
    this.#core = core;
    this.#nextBlockVersion = options.nextBlockVersion ?? (() => BLOCK_VERSIONS.min);
    this.#takeEffects(effects);
    this.#endIfOutdated();
  }

  /** Begins: own votes of the last run are counted and sent again (J6), timers run. */
  start(): void {
    this.#run();
  }

  /** Ends without a trace but the journal's; a turn whose sync is under way does not go on. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  /** A message from a peer whose key its connection has proven. */
  onMessage(from: PeerId, message: Message): void {
    if (this.#isStopped) return;
    if (!this.#outside.offerMessage(from, message)) this.#droppedCount++;
    this.#run();
  }

  /** A peer connected. */
  onPeerUp(peer: PeerId): void {
    this.#take({ kind: "peerUp", peer });
  }

  /** A peer disconnected. */
  onPeerDown(peer: PeerId): void {
    this.#take({ kind: "peerDown", peer });
  }

  /** A peer says which is the lowest block that it can serve: it is not asked for those below (R13). */
  onPeerReach(peer: PeerId, lowestHeight: number): void {
    this.#take({ kind: "peerReach", peer, lowestHeight });
  }

  /** The mempool may have, or no longer have, something to include. */
  onWork(): void {
    if (this.#ports.blocks.hasWork() !== this.#hadWork) this.#run();
  }

  /** Batches arrived that a block may have waited for. */
  onBatchesHeld(): void {
    this.#take({ kind: "batchesHeld" });
  }

  /** Evidence found elsewhere, e.g. a faulty signed batch (R11). */
  onEvidence(encoded: Uint8Array): void {
    this.#take({ kind: "evidence", encoded });
  }

  /** Where agreement stands. */
  status(): CoreStatus {
    return { ...inspectCore(this.#core), ...this.standing() };
  }

  /** The part of the status that is asked for often. */
  standing(): Pick<CoreStatus, "voting" | "isLagging"> {
    return this.#isOutdated ? { voting: "outdated", isLagging: false } : standingOf(this.#core);
  }

  /** How much agreement holds in memory. */
  held(): HeldCounts {
    return countHeld(this.#core);
  }

  /** Inputs that wait for a sync. */
  get waitingCount(): number {
    return this.#outside.length;
  }

  /** Messages dropped because too many of their sender's waited. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  #take(input: Exclude<Input, { kind: "message" }>): void {
    if (this.#isStopped) return;
    if (!this.#outside.offerOwn(input)) this.#droppedCount++;
    this.#run();
  }

  /** Takes turns until nothing waits. While a sync is under way, inputs wait for the next turn. */
  #run(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    try {
      do {
        this.#drain();
        if (this.#needsSync) {
          this.#needsSync = false;
          const syncing = this.#ports.journal.sync();
          if (syncing) {
            syncing.then(() => this.#afterSync()).catch((error: unknown) => this.#fail(error));
            return;
          }
        }
        this.#runDeferred();
      } while (!this.#isStopped && (this.#answers.length > 0 || this.#outside.length > 0));
      this.#isRunning = false;
      this.#setTimer();
    } catch (error) {
      this.#fail(error); // every failure here is durable storage, the signer or an invariant: none is survivable
    }
  }

  #afterSync(): void {
    if (this.#isStopped) return;
    this.#runDeferred();
    this.#isRunning = false;
    this.#run();
  }

  #drain(): void {
    this.#noticeWork();
    for (let taken = 0; !this.#isStopped; ) {
      const answer = this.#answers.shift();
      const input = answer ?? (taken < TURN_INPUTS_MAX ? this.#outside.poll() : undefined);
      if (!input) return;
      if (!answer) taken++;
      this.#takeEffects(step(this.#core, input, this.#time()));
    }
  }

  #takeEffects(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "persist") {
        this.#ports.journal.append(effect.record);
        this.#needsSync = true;
      } else if (effect.kind === "build") this.#answers.push(this.#build(effect.request));
      else if (effect.kind === "check") {
        const verdict = this.#ports.blocks.check(effect.block, this.#core.epoch.set);
        this.#answers.push({ kind: "checked", hash: effect.hash, verdict });
      } else if (this.#mayRunNow(effect)) this.#runEffect(effect);
      else this.#deferred.push(effect);
    }
  }

  /**
   * A payload needs no sync (J4), other messages need none when all that was journaled before them is durable, and who
   * hears of a refusal may stop the peer before more of its messages are looked at.
   */
  #mayRunNow(effect: Effect): boolean {
    if (effect.kind === "notice") return effect.notice.kind === "refused";
    if (effect.kind !== "broadcast" && effect.kind !== "send") return false;
    if (effect.kind === "broadcast" && effect.isPayload) return true;
    return !this.#needsSync && this.#deferred.length === 0;
  }

  #build(request: BuildRequest): Input {
    return { kind: "built", request, built: this.#ports.blocks.build(request) };
  }

  #runDeferred(): void {
    assert(!this.#needsSync, "what was journaled is durable before anything that depends on it happens");
    const effects = this.#deferred;
    this.#deferred = [];
    for (const effect of effects) {
      if (this.#isStopped) return;
      this.#runEffect(effect);
    }
  }

  #runEffect(effect: Effect): void {
    const { blocks, journal, network } = this.#ports;
    switch (effect.kind) {
      case "sign":
        this.#sign(effect);
        return;
      case "broadcast":
        network.broadcast(effect.message);
        return;
      case "send":
        network.send(effect.to, effect.message);
        return;
      case "fetchBatches":
        network.fetchBatches(effect.digests);
        return;
      case "commit":
        this.#commit(effect.blocks);
        return;
      case "discard":
        blocks.discard(effect.hash);
        return;
      case "prune":
        journal.prune(effect.floor);
        return;
      case "serveBlock":
        this.#serveBlock(effect.to, effect.hash);
        return;
      case "serveFinalBlocks":
        this.#serveFinalBlocks(effect.to, effect.fromHeight);
        return;
      case "notice":
        this.#ports.onNotice(effect.notice);
        return;
      case "halt":
        this.#fail(new Error(effect.reason));
        return;
      case "persist":
      case "build":
      case "check":
        assert(false, "effects that need no sync run at once");
    }
  }

  #sign({ statement, signer }: Extract<Effect, { kind: "sign" }>): void {
    // The turn that cast it may also have shown that the journal is lost (J7): it stays unsigned, and the process alive.
    if (!recoveryAllows(this.#core.recoveryStatus, statement)) return;
    const signed = this.#ports.signer.sign(statement, signer);
    if (!(signed instanceof Promise)) {
      this.#answers.push({ kind: "ownVote", vote: signed });
      return;
    }
    signed
      .then((vote) => {
        this.#answers.push({ kind: "ownVote", vote });
        this.#run();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #commit(finalized: readonly FinalizedBlock[]): void {
    const { blocks } = this.#ports;
    blocks.commit(finalized);
    if (this.#endIfOutdated()) return;
    const tip = blocks.tip();
    const last = finalized.at(-1);
    const opened = last?.block.header.nextValidatorSetHash ? blocks.findEpoch(tip.epoch + 1) : undefined;
    this.#noticeWork();
    this.#answers.push({ kind: "committed", tip, ...(opened ? { opened } : {}) });
  }

  /**
   * Ends for good when what follows is of a block version that this release does not know: as if the process had been
   * killed at this place, so the journal stays as it is and a later release goes on from it.
   */
  #endIfOutdated(): boolean {
    const version = this.#nextBlockVersion();
    if (version <= BLOCK_VERSIONS.max) return false;
    this.#isOutdated = true;
    this.#ports.onNotice({ kind: "outdated", version, epoch: this.#ports.blocks.tip().epoch + 1 });
    this.stop();
    return true;
  }

  #serveBlock(to: PeerId, hash: Uint8Array): void {
    const block = this.#ports.blocks.find(hash);
    if (block) this.#ports.network.send(to, { kind: "block", block });
  }

  /** Sends a run of final blocks that ends at a block with its own finalization, which is what proves the run (R13). */
  #serveFinalBlocks(to: PeerId, fromHeight: number): void {
    const run: FinalizedBlock[] = [];
    let provenCount = 0;
    let bytes = 0;
    let transactions = 0;
    for (let height = fromHeight; run.length < BOUNDS.finalBlocksMax; height++) {
      const found = this.#ports.blocks.findFinalized(height);
      if (!found) break;
      bytes += encodeBlock(found.block).length;
      transactions += found.transactionCount;
      const isEnough = bytes > BOUNDS.finalBlocksBytesMax || transactions > BOUNDS.finalBlocksTransactionsMax;
      if (isEnough && provenCount > 0) break;
      if (bytes > MESSAGE_BYTES_MAX / 2) break; // whoever asks gets such a run block by block
      run.push(found);
      if (isOwnFinalization(found)) provenCount = run.length;
      if (found.block.header.nextValidatorSetHash) break;
    }
    const finalization = run[provenCount - 1]?.finalization;
    if (!finalization) return;
    const served = run.slice(0, provenCount).map((found) => found.block);
    this.#ports.network.send(to, { kind: "finalBlocks", blocks: served, finalization });
  }

  /** Tells the core when there begins or ceases to be something to include. */
  #noticeWork(): void {
    const hasWork = this.#ports.blocks.hasWork();
    if (hasWork !== this.#hadWork) this.#answers.push({ kind: "work", hasWork });
    this.#hadWork = hasWork;
  }

  #setTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const next = this.#isStopped ? undefined : nextDeadlineMs(this.#core);
    if (next === undefined) return;
    const delayMs = Math.max(1, Math.ceil(next - this.#ports.clock.monotonicMs()));
    this.#cancelTimer = this.#ports.timers.after(delayMs, () => this.#take({ kind: "tick" }));
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#ports.onFatal(error);
  }

  #time(): StepTime {
    return { monotonicMs: this.#ports.clock.monotonicMs(), wallMs: this.#ports.clock.nowMs() };
  }
}

function isOwnFinalization({ hash, finalization }: FinalizedBlock): boolean {
  const named = finalization.proposal?.blockHash;
  return named !== undefined && bytesEqual(named, hash);
}
