import { present } from "../kernel/index.ts";
import { type ChainAnchor, decodeValidatorSet, type EpochHop } from "../protocol/index.ts";
import type { BlockQueries } from "./block-queries.ts";
import type { ChainReader } from "./chain-reader.ts";

/** The steps from a trusted epoch into a later one; undefined when the chain cannot show one of them. */
export function buildEpochHops(reader: ChainReader, queries: BlockQueries, from: number, to: number): EpochHop[] | undefined {
  const hops: EpochHop[] = [];
  for (let epoch = from + 1; epoch <= to; epoch++) {
    const kept = reader.findHop(epoch);
    const start = kept ? undefined : reader.findEpoch(epoch);
    const boundary = start && queries.finalHeaders(start.height);
    const hop = kept ?? (start && boundary && { ...boundary, nextSet: start.validatorSet });
    if (!hop) return undefined;
    hops.push(hop);
  }
  return hops;
}

/**
 * What proves a committed block from genesis to somebody who is to go on from it; undefined when it is not here, or was
 * made final by a later block, whose finalization is none of its own.
 */
export function buildChainAnchor(reader: ChainReader, queries: BlockQueries, height: number): ChainAnchor | undefined {
  const row = reader.find(height);
  if (!row || !("certificate" in row.finalization)) return undefined;
  const final = queries.finalHeaders(height);
  const hops = final?.headers.length === 1 ? buildEpochHops(reader, queries, 0, row.block.header.epoch) : undefined;
  if (!final || !hops) return undefined;
  const next = row.nextValidatorSet && decodeValidatorSet(row.nextValidatorSet);
  const set = next ? present(next.ok ? next.value : undefined, "the set in a row decodes") : undefined;
  return { block: row.block, finalization: final.finalization, hops, ...(set && { nextSet: set }) };
}
