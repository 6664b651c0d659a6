import type { ProofBundle, ProofContent } from "../protocol/index.ts";
import type { BlockQueries } from "./block-queries.ts";
import { buildEpochHops } from "./chain-anchor.ts";
import type { ChainReader } from "./chain-reader.ts";

/**
 * Builds what an offline verifier needs: a hop for each epoch between the one it trusts and the block's, the headers
 * that make the block final, and the content.
 *
 * @param trustedEpoch whose set the verifier has: 0 with the genesis document
 * @returns undefined when the block is not committed, lies before the trusted epoch, or is too far from a finalization
 */
export function buildProofBundle(
  reader: ChainReader,
  queries: BlockQueries,
  height: number,
  content: ProofContent,
  trustedEpoch = 0,
): ProofBundle | undefined {
  const final = queries.finalHeaders(height);
  const epoch = final?.headers.at(-1)?.epoch;
  if (!final || epoch === undefined || epoch < trustedEpoch) return undefined;
  const hops = buildEpochHops(reader, queries, trustedEpoch, epoch);
  return hops && { hops, ...final, content };
}

/** The proof of a receipt by transaction id; undefined when it was not executed or can no longer be rebuilt. */
export function buildReceiptProof(
  reader: ChainReader,
  queries: BlockQueries,
  transactionId: Uint8Array,
  trustedEpoch = 0,
): ProofBundle | undefined {
  const proven = queries.findProvenReceipt(transactionId);
  if (!proven) return undefined;
  const { receipt, path } = proven;
  return buildProofBundle(reader, queries, receipt.height, { kind: "receipt", receipt, path }, trustedEpoch);
}
