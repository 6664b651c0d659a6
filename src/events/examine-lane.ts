import { MerkleAccumulator } from "../crypto/portable.ts";
import { bytesEqual } from "../kernel/index.ts";
import { type Checkpoint, growTree, openCheckpoint } from "./checkpoint.ts";
import type { LaneReader } from "./ports.ts";
import { openRecords } from "./record-chain.ts";
import type { VerifyNote } from "./signed-note.ts";
import type { Lane, LaneCursor, LaneFault } from "./types.ts";

/**
 * What the last checkpoint of a lane proves: `covers` the records up to its size; `none` was signed; `beyond`: the lane
 * ends before what it covers; `unproven`: records that it covers were let go, so its tree cannot be made again; `wrong`: it was not signed by
 * this identity, is not of this lane, or its tree is not that of these records.
 */
export type CheckpointVerdict = "covers" | "none" | "beyond" | "unproven" | "wrong";

/** What an examination of a lane found. */
export type LaneExamination = {
  readonly lane: Lane;
  /** Records that were checked. */
  readonly records: number;
  /** First and last of them; undefined in an empty lane. */
  readonly first?: LaneCursor;
  readonly last?: LaneCursor;
  /** The first record that is not what was written; those after it were not looked at. */
  readonly fault?: LaneFault;
  readonly checkpoint: { readonly verdict: CheckpointVerdict; readonly epoch?: number; readonly size?: number; readonly origin?: string };
};

/** Records read at a time. */
const PAGE_RECORDS = 512;

/**
 * Checks a whole lane as it lies on disk: every record's hash and link, and the last checkpoint's signature and tree against the
 * records themselves, not against what the home remembers of the tree.
 *
 * @param identityKey whose signature counts, 32 bytes
 */
export function examineLane(
  lane: Lane,
  reader: LaneReader,
  checkpoint: Checkpoint | undefined,
  identityKey: Uint8Array,
  verify: VerifyNote,
): LaneExamination {
  const tree = new MerkleAccumulator();
  let [records, isWhole] = [0, true];
  let root: Uint8Array | undefined;
  let first: LaneCursor | undefined;
  let at: LaneCursor = { epoch: 0, sequence: 0 };
  let fault: LaneFault | undefined;
  for (;;) {
    const page = reader.read(at, PAGE_RECORDS);
    const opened = openRecords(lane, page.previous, page.records);
    if (!opened.ok) fault = opened.error;
    const last = opened.ok ? opened.value.at(-1) : undefined;
    if (!opened.ok || !last) break;
    for (const { epoch, sequence, hash } of opened.value) {
      first ??= { epoch, sequence };
      if (epoch !== checkpoint?.epoch || sequence > checkpoint.size) continue;
      isWhole &&= sequence === tree.size + 1;
      if (isWhole) growTree(tree, hash);
      if (isWhole && sequence === checkpoint.size) root = tree.root();
    }
    records += opened.value.length;
    at = { epoch: last.epoch, sequence: last.sequence };
  }
  const places = first ? { first, last: at } : {};
  const judged = judgeCheckpoint(lane, checkpoint, { root, isWhole, at }, identityKey, verify);
  return { lane, records, ...places, ...(fault && { fault }), checkpoint: judged };
}

function judgeCheckpoint(
  lane: Lane,
  checkpoint: Checkpoint | undefined,
  { root, isWhole, at }: { readonly root: Uint8Array | undefined; readonly isWhole: boolean; readonly at: LaneCursor },
  identityKey: Uint8Array,
  verify: VerifyNote,
): LaneExamination["checkpoint"] {
  if (!checkpoint) return { verdict: "none" };
  const { epoch, size, note } = checkpoint;
  const [origin = ""] = note.split("\n", 1);
  const said = { epoch, size, origin };
  const statement = openCheckpoint(note, origin, identityKey, verify);
  const isOfLane = /^bizra\/[0-9a-f]+\/[A-Za-z0-9_-]+\//.test(origin) && origin.endsWith(`/${lane}/${epoch}`);
  if (!statement.ok || !isOfLane || statement.value.size !== size) return { verdict: "wrong", ...said };
  if (root) return { verdict: bytesEqual(root, statement.value.root) ? "covers" : "wrong", ...said };
  if (at.epoch < epoch || (at.epoch === epoch && at.sequence < size)) return { verdict: "beyond", ...said };
  return { verdict: isWhole ? "beyond" : "unproven", ...said };
}
