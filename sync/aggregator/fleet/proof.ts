import { checkpointOrigin } from "../../../src/events/index.ts";
import { parseHex, present, toHex } from "../../../src/kernel/index.ts";
import { networkIdOf } from "../../../src/protocol/index.ts";
import type { SyncLane } from "../../protocol/index.ts";
import type { AggregatorStore, NodeRef } from "../types.ts";
import { coverRange, type Subtree } from "./merkle-range.ts";
import type { SubtreeRoots } from "./subtree-roots.ts";

/** Which records a proof is about. */
export type ProofQuestion = { readonly lane: SyncLane; readonly epoch: number; readonly from: number; readonly to: number };

/**
 * The newest checkpoint that covers the records asked for, or as many of them as any does, with the roots of the subtrees
 * before and after them: whoever has the records computes the checkpoint's root from these. Undefined when no checkpoint
 * covers the first of them, or records are missing here.
 */
export async function proofOf(store: AggregatorStore, roots: SubtreeRoots, ref: NodeRef, { lane, epoch, from, to }: ProofQuestion) {
  const holding = (await store.holdings(ref)).find((held) => held.lane === lane);
  const reach = holding?.epoch === epoch ? Math.min(to, holding.checkpointed) : to;
  const checkpoint = reach >= from ? await store.findCheckpoint(ref, lane, { epoch, sequence: reach }) : undefined;
  if (!checkpoint) return undefined;
  const { size, note } = checkpoint;
  const last = Math.min(to, size);
  const tree = { ...ref, lane, epoch };
  const rootsOf = (cover: readonly Subtree[]) =>
    Promise.all(
      cover.map(async (subtree) => {
        const hash = await roots.root(tree, subtree);
        return hash && { ...subtree, hash: toHex(hash) };
      }),
    );
  const before = await rootsOf(coverRange(0, from - 1));
  const after = await rootsOf(coverRange(last, size));
  const known = [...before, ...after].filter((root) => root !== undefined);
  if (known.length < before.length + after.length) return undefined;
  const network = networkIdOf(present(parseHex(ref.network), "a network is named in hex"));
  return {
    origin: checkpointOrigin(network, ref.node, lane, epoch),
    size,
    note,
    to: last,
    before: known.slice(0, before.length),
    after: known.slice(before.length),
  };
}
