import { present } from "../kernel/index.ts";
import type { EpochHop } from "../protocol/index.ts";
import type { BlockQueries } from "./block-queries.ts";
import { buildEpochHops } from "./chain-anchor.ts";
import type { ChainReader } from "./chain-reader.ts";
import type { CommittedBlock, LanePlace } from "./types.ts";

/** What a chain is willing to let go of, and how much of it in one step. */
export type PruneRequest = {
  /** Height below which nothing is wanted any more; at most the tip. */
  readonly below: number;
  /** Rows at most. */
  readonly blocksMax: number;
  /** Whether the rows below a height may go, whose last record of the chain lane stands at this place. */
  readonly mayPrune: (height: number, lane: LanePlace) => boolean;
};

/** A step of pruning: the height that the chain begins at after it, and the epoch hops that the rows below took with them. */
export type PrunePlan = { readonly height: number; readonly hops: ReadonlyMap<number, EpochHop> };

/**
 * The next step: up to so many of the lowest rows, ending below a block that has a finalization of its own. Undefined when
 * there is nothing to let go of, or something there is still needed.
 */
export function planPrune(reader: ChainReader, queries: BlockQueries, { below, blocksMax, mayPrune }: PruneRequest): PrunePlan | undefined {
  const lowest = Math.max(1, reader.baseHeight);
  const height = chooseHeight(reader, lowest, Math.min(below, reader.tipHeight), blocksMax);
  if (height === undefined || !mayPrune(height, lastPlaceOf(present(reader.find(height - 1), "a row above the lowest is here"))))
    return undefined;
  const hops = hopsBetween(reader, queries, lowest, height);
  return hops && { height, hops };
}

/** A run of blocks with one finalization goes whole, since the block that the chain begins at must be final by itself. */
function chooseHeight(reader: ChainReader, lowest: number, below: number, blocksMax: number): number | undefined {
  const wanted = Math.min(below, lowest + blocksMax);
  for (let height = wanted; height > lowest; height--) if (isFinalByItself(reader.find(height))) return height;
  for (let height = wanted + 1; height <= below; height++) if (isFinalByItself(reader.find(height))) return height;
  return undefined;
}

function isFinalByItself(block: CommittedBlock | undefined): boolean {
  return block !== undefined && "certificate" in block.finalization;
}

/** Steps into epochs that began at rows which go; those of a snapshot's row lie in it. Undefined when one cannot be shown. */
function hopsBetween(
  reader: ChainReader,
  queries: BlockQueries,
  lowest: number,
  height: number,
): ReadonlyMap<number, EpochHop> | undefined {
  const hops = new Map<number, EpochHop>();
  const first = present(reader.find(lowest), "the lowest row is here");
  for (const [at, hop] of (first.hops ?? []).entries()) hops.set(at + 1, hop);
  const from = first.block.header.epoch;
  const shown = buildEpochHops(reader, queries, from, present(reader.find(height), "the row to begin at is here").block.header.epoch);
  if (!shown) return undefined;
  for (const [at, hop] of shown.entries()) hops.set(from + 1 + at, hop);
  return hops;
}

function lastPlaceOf({ lane }: CommittedBlock): LanePlace {
  const last = present(lane.records.at(-1), "a row has records in the chain lane");
  return { epoch: lane.epoch, sequence: lane.firstSequence + lane.records.length - 1, hash: last.hash };
}

/**
 * The lowest record of the batch log that a kept block names, looked for a page of rows a step; what the log holds below it
 * no block needs. The mark of the lowest row bounds it from above, so nothing is walked where that shows nothing to gain.
 */
export function* findLowestRecord(rows: Iterable<CommittedBlock>): Generator<void, number, undefined> {
  let lowest = Number.MAX_SAFE_INTEGER;
  let walked = 0;
  for (const { batches, replayMark } of rows) {
    lowest = Math.min(lowest, replayMark);
    for (const { location } of batches) lowest = Math.min(lowest, location.record);
    if (++walked % ROWS_PER_STEP === 0) yield;
  }
  return lowest;
}

/** Rows read in one turn, some milliseconds. */
const ROWS_PER_STEP = 128;
