import { MerkleAccumulator } from "../../../src/crypto/index.ts";
import { checkpointOrigin, growTree, type LaneRecord, linkBodies, openCheckpoint } from "../../../src/events/index.ts";
import { bytesEqual, err, ok, type Result } from "../../../src/kernel/index.ts";
import { type SyncBatch, type SyncRefusalCode, splitBodies, unpackRecords, type VerifySignature } from "../../protocol/index.ts";
import type { LaneHolding } from "../types.ts";

/** What a batch makes of a lane. */
export type BatchVerdict = {
  readonly after: LaneHolding;
  readonly records: readonly LaneRecord[];
  readonly checkpoint?: { readonly size: number; readonly note: string };
  /** What people should know of a batch that is taken. */
  readonly remark?: { readonly kind: "gap" | "restored"; readonly detail: string };
};

/** Why it is not taken. */
export type BatchFault = { readonly code: SyncRefusalCode; readonly detail: string };

/** What judging a batch takes beside it. */
export type BatchContext = {
  /** Where the lane stands; undefined: nothing of it is held. */
  readonly holding: LaneHolding | undefined;
  /** Whose batch it is. */
  readonly identityKey: Uint8Array;
  /** First record that the node said it still has, of the incarnation it named. */
  readonly extent: { readonly epoch: number; readonly first: number } | undefined;
  /** `{net}` and name of the node: the origin of its checkpoints. */
  readonly networkId: string;
  readonly node: string;
  readonly verify: VerifySignature;
};

/**
 * Judges a batch against what is held: its place, its chain of hashes computed again from the bodies, its checkpoint.
 * Pure: stores nothing.
 *
 * Errors: `gap` (not the next record), `fork` (another record where one is held), `brokenChain`, `badCheckpoint`,
 * `malformed`.
 */
export function judgeBatch(batch: SyncBatch, context: BatchContext): Result<BatchVerdict, BatchFault> {
  const placed = judgePlace(batch, context);
  if (!placed.ok) return placed;
  const records = openBatch(batch);
  if (!records.ok) return records;
  return judgeTree(batch, records.value, placed.value, context);
}

/** Where the batch joins what is held: a new tree or the held one, and what is remarkable about it. */
type Joint = { readonly peaks: readonly Uint8Array[] | undefined; readonly checkpointed: number; readonly remark?: BatchVerdict["remark"] };

function judgePlace(batch: SyncBatch, { holding, extent }: BatchContext): Result<Joint, BatchFault> {
  const { epoch, from } = batch;
  const wasLetGo = extent?.epoch === epoch && extent.first === from;
  const gap = (detail: string) => ({ peaks: undefined, checkpointed: 0, remark: { kind: "gap", detail } }) as const;
  if (!holding || epoch > holding.epoch) return judgeBeginning(batch, holding, wasLetGo);
  if (epoch < holding.epoch) return err({ code: "fork", detail: `incarnation ${holding.epoch} of this lane is held already` });
  if (from <= holding.sequence) return err({ code: "gap", detail: `record ${holding.sequence} is held already` });
  if (from > holding.sequence + 1) {
    if (!wasLetGo) return err({ code: "gap", detail: `expected record ${holding.sequence + 1}, got ${from}` });
    return ok(gap(`records ${holding.sequence + 1} to ${from - 1} were let go before they came here`));
  }
  if (!bytesEqual(batch.previousHash, holding.hash))
    return err({ code: "fork", detail: `record ${from} follows another record ${from - 1} than the one that is held` });
  return ok({ peaks: holding.peaks, checkpointed: holding.checkpointed });
}

/** The first records that come of an incarnation. */
function judgeBeginning({ from, previousHash }: SyncBatch, holding: LaneHolding | undefined, wasLetGo: boolean): Result<Joint, BatchFault> {
  if (from > 1) {
    if (!wasLetGo) return err({ code: "gap", detail: `expected record 1, got ${from}` });
    return ok({
      peaks: undefined,
      checkpointed: 0,
      remark: { kind: "gap", detail: `records 1 to ${from - 1} were let go before they came here` },
    });
  }
  const isContinued = !holding || bytesEqual(previousHash, holding.hash);
  const remark = { kind: "restored", detail: "a new incarnation does not follow from the last record that is held" } as const;
  return ok({ peaks: [], checkpointed: 0, ...(isContinued ? {} : { remark }) });
}

function openBatch(batch: SyncBatch): Result<readonly LaneRecord[], BatchFault> {
  const { lane, epoch, from, to, previousHash, tipHash } = batch;
  const plain = unpackRecords(batch.records, batch.codec, batch.plainBytes);
  const bodies = plain.ok ? splitBodies(plain.value, to - from + 1) : plain;
  const records = bodies.ok ? linkBodies(lane, { epoch, sequence: from }, previousHash, bodies.value) : bodies;
  if (!records.ok) return err({ code: "malformed", detail: "the records are not what the batch says" });
  const last = records.value.at(-1);
  if (last && bytesEqual(last.hash, tipHash)) return records;
  return err({ code: "brokenChain", detail: `the records do not hash to what the batch says of record ${to}` });
}

function judgeTree(
  batch: SyncBatch,
  records: readonly LaneRecord[],
  joint: Joint,
  context: BatchContext,
): Result<BatchVerdict, BatchFault> {
  const { lane, epoch, from, to, tipHash, checkpoint } = batch;
  const { remark } = joint;
  const tree = joint.peaks && new MerkleAccumulator(from - 1, joint.peaks);
  const statement = checkpoint === undefined || !tree ? undefined : openNoteOf(checkpoint, batch, context);
  if (statement && !statement.ok) return statement;
  const covered = statement?.value;
  const isRootAt = (size: number): boolean => covered?.size !== size || (tree !== undefined && bytesEqual(tree.root(), covered.root));
  const wrong = err({ code: "badCheckpoint", detail: `the checkpoint's root is not that of the first ${covered?.size} records` } as const);
  if (tree && !isRootAt(from - 1)) return wrong;
  for (const record of tree ? records : []) {
    if (tree) growTree(tree, record.hash);
    if (!isRootAt(record.sequence)) return wrong;
  }
  const checkpointed = covered ? Math.max(joint.checkpointed, covered.size) : joint.checkpointed;
  const after: LaneHolding = { lane, epoch, sequence: to, hash: tipHash, peaks: tree?.peaks, checkpointed };
  return ok({
    after,
    records,
    // One that covers no more than what was verified before says nothing new, and is not kept again.
    ...(covered && checkpoint && covered.size > joint.checkpointed ? { checkpoint: { size: covered.size, note: checkpoint } } : {}),
    ...(remark ? { remark } : {}),
  });
}

function openNoteOf(
  note: string,
  { lane, epoch, from, to }: SyncBatch,
  context: BatchContext,
): Result<{ readonly size: number; readonly root: Uint8Array }, BatchFault> {
  const origin = checkpointOrigin(context.networkId, context.node, lane, epoch);
  const opened = openCheckpoint(note, origin, context.identityKey, context.verify);
  if (!opened.ok) return err({ code: "badCheckpoint", detail: `the checkpoint is ${opened.error}` });
  const { size, root } = opened.value;
  if (size < from - 1 || size > to)
    return err({ code: "badCheckpoint", detail: `a checkpoint over ${size} records came with records ${from} to ${to}` });
  return ok({ size, root });
}
