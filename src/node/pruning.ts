import type { BlockService, HashIndex, LanePlace } from "../blocks/index.ts";
import type { EventLog, LaneRecord } from "../events/index.ts";
import type { CancelTimer, Clock, Log, Timers } from "../kernel/index.ts";
import type { Mempool } from "../mempool/index.ts";
import type { Overlay, State } from "../state/index.ts";
import { isStorageError } from "../storage/index.ts";
import type { ParametersInForce } from "./parameters-in-force.ts";
import { horizonOf, PRUNE_TUNING, type PrunePolicy, type PruneTuning } from "./prune-policy.ts";

/** Milliseconds between steps while there is more to do, so that what waits has its turn. */
const STEP_PAUSE_MS = 250;

/**
 * Whether the blocks below a height may go, whose records of the chain lane end at a place. Who has not yet passed on what
 * they say holds them back.
 */
export type PruneGate = (height: number, lane: LanePlace) => boolean;

/** What pruning lets go of, and what it asks how far it may. */
export type PrunedContexts = {
  readonly blocks: BlockService<Overlay, LaneRecord>;
  readonly state: State;
  readonly index: HashIndex;
  readonly mempool: Mempool;
  readonly events: EventLog;
  readonly parameters: ParametersInForce;
};

/** What pruning did since the start, for monitoring to read. */
export type PruneCounters = { blocks: number; steps: number; segments: number; stepMsMax: number };

/**
 * Lets go of what the policy no longer wants, a bounded step at a time between blocks, never within a commit: rows of
 * blocks first, then segments of the batch log that no row needs any more, then runs of the hash index.
 *
 * What a start would need stays: everything from the durable checkpoint of the state on, what the signed checkpoint of the
 * chain lane does not cover, what a gate holds back, and blocks whose hashes no run of the index holds.
 */
export class Pruning {
  readonly counters: PruneCounters = { blocks: 0, steps: 0, segments: 0, stepMsMax: 0 };
  readonly #policy: PrunePolicy;
  readonly #contexts: PrunedContexts;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #tuning: PruneTuning;
  readonly #gates = new Set<PruneGate>();
  #cancel: CancelTimer | undefined;
  #search: Generator<void, number, undefined> | undefined;
  #searchedHeight = 0;
  #isStopped = false;

  constructor(
    policy: PrunePolicy,
    contexts: PrunedContexts,
    ports: { readonly clock: Clock; readonly timers: Timers },
    log: Log,
    tuning: PruneTuning = PRUNE_TUNING,
  ) {
    this.#policy = policy;
    this.#contexts = contexts;
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#log = log;
    this.#tuning = tuning;
  }

  /** Asks a gate before anything goes, from now on; gives the way to take the gate away. */
  holdBack(gate: PruneGate): () => void {
    this.#gates.add(gate);
    return () => this.#gates.delete(gate);
  }

  /** Whether somebody has yet to pass on what the blocks here say: then the chain is not given up for a snapshot either. */
  get isHeldBack(): boolean {
    const { queries, laneReader } = this.#contexts.blocks;
    const last = laneReader.last();
    return last !== undefined && ![...this.#gates].every((gate) => gate(queries.tipHeight, last));
  }

  /** Begins to look after each block whether there is something to let go of. */
  start(): void {
    const { archive, keepBlocks, keepEpochs } = this.#policy;
    if (archive || (keepBlocks === 0 && keepEpochs === 0)) return;
    const freedBytes = this.#contexts.blocks.compactIfWorth();
    if (freedBytes > 0) this.#log.info("pruning.compacted", { freedBytes });
    this.#contexts.blocks.subscribe(() => this.#wake(0));
    this.#wake(STEP_PAUSE_MS);
  }

  /** Does nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #wake(delayMs: number): void {
    if (this.#isStopped || this.#cancel !== undefined) return;
    this.#cancel = this.#timers.after(delayMs, () => {
      this.#cancel = undefined;
      if (this.#isStopped) return;
      if (this.#step()) this.#wake(STEP_PAUSE_MS);
    });
  }

  /** One bounded piece of work; says whether there is more. A full disk is no reason to stop: the next block tries again. */
  #step(): boolean {
    const beganMs = this.#clock.monotonicMs();
    try {
      const isMore = this.#search ? this.#dropSegment(this.#search) : this.#dropRows();
      this.counters.stepMsMax = Math.max(this.counters.stepMsMax, this.#clock.monotonicMs() - beganMs);
      return isMore;
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error;
      this.#log.warn("pruning.noRoom", { file: error.path });
      return false;
    }
  }

  #dropRows(): boolean {
    const { blocks, state, index } = this.#contexts;
    const { reader, queries } = blocks;
    const { epoch } = reader.currentEpoch();
    const { stepBlocks, keepBlocksLeast } = this.#tuning;
    const horizon = horizonOf(this.#policy, queries.tipHeight, epoch, (at) => reader.findEpoch(at)?.height, keepBlocksLeast);
    const lowest = Math.max(1, reader.baseHeight);
    const patience = Math.ceil((queries.tipHeight - horizon) / 8);
    if (horizon - lowest < Math.min(stepBlocks, patience)) return this.#beginSearch();
    const { checkpointHeight = 0 } = state.gauges;
    // A start needs the blocks after the checkpoint, and only runs tell what was executed in blocks that are gone. Both are
    // written by themselves now and then; for the sake of pruning alone only when it falls behind by an eighth.
    if (index.coveredHeight < horizon - patience) index.writeSoon();
    if (checkpointHeight < horizon - patience) void state.checkpoint();
    const below = Math.min(horizon, checkpointHeight);
    const count = blocks.prune({ below, blocksMax: stepBlocks, mayPrune: (height, lane) => this.#mayPrune(height, lane) });
    if (count === 0) return this.#beginSearch();
    this.counters.blocks += count;
    this.counters.steps++;
    blocks.forgetHashesBelow(Math.min(reader.baseHeight, queries.tipHeight - Number(this.#contexts.parameters.maxValidity)));
    return true;
  }

  #mayPrune(height: number, lane: LanePlace): boolean {
    if (![...this.#gates].every((gate) => gate(height, lane))) return false;
    if (!this.#isSigned(lane)) this.#contexts.events.signCheckpoints();
    return this.#isSigned(lane);
  }

  /** Whether a signed checkpoint covers the lane up to a place; the tree over it needs no record before that. */
  #isSigned({ epoch, sequence }: LanePlace): boolean {
    const signed = this.#contexts.events.checkpoint("chain");
    return signed !== undefined && (signed.epoch > epoch || (signed.epoch === epoch && signed.size >= sequence));
  }

  /** Looks for segments of the batch log to let go of once per horizon, and only where the lowest row's mark shows some. */
  #beginSearch(): boolean {
    const { blocks, mempool } = this.#contexts;
    const { baseHeight } = blocks.reader;
    if (baseHeight === this.#searchedHeight) return false;
    this.#searchedHeight = baseHeight;
    if (mempool.countPrunable(blocks.reader.find(baseHeight)?.replayMark ?? 0) === 0) return false;
    this.#search = blocks.lowestRecord();
    return true;
  }

  #dropSegment(search: Generator<void, number, undefined>): boolean {
    const found = search.next();
    if (found.done !== true) return true;
    this.#search = undefined;
    const { mempool } = this.#contexts;
    const count = mempool.countPrunable(found.value);
    if (count === 0) return false;
    mempool.prune(found.value, 1);
    this.counters.segments++;
    if (count > 1) this.#searchedHeight = 0;
    return count > 1;
  }
}
