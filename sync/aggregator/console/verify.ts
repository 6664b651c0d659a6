import { leafHash, nobleSuite } from "../../../src/crypto/portable.ts";
import { checkpointOrigin, type Lane, type LaneRecord, openCheckpoint, openRecord, recordToJson } from "../../../src/events/portable.ts";
import { bytesEqual, err, ok, parseHex, type Result } from "../../../src/kernel/index.ts";
import { coverRange, rootOfSubtrees } from "../fleet/merkle-range.ts";

/** A record as the API gives it. */
export type GivenRecord = {
  readonly lane: Lane;
  readonly epoch: number;
  readonly sequence: number;
  readonly body: string;
  readonly previousHash?: string | undefined;
  readonly hash: string;
};

/** What is wrong, and with which record. */
export type RecordFault = { readonly epoch: number; readonly sequence: number; readonly detail: string };

/** A record whose hash was computed here. */
export type ProvenRecord = LaneRecord & { readonly shown: ReturnType<typeof recordToJson> };

/**
 * Computes the hash chain of some records again, from their bytes alone. Records that follow one another must link to one
 * another; where a run begins, its first link is what the aggregator says, which a checkpoint then proves.
 *
 * @param given in the lane's order
 */
export function verifyChain(given: readonly GivenRecord[]): Result<readonly ProvenRecord[], RecordFault> {
  const proven: ProvenRecord[] = [];
  for (const { lane, epoch, sequence, body, hash, previousHash } of given) {
    const fault = (detail: string) => err({ epoch, sequence, detail });
    const before = proven.at(-1);
    const [bodyBytes, hashBytes, linked] = [
      parseHex(body),
      parseHex(hash),
      previousHash === undefined ? undefined : parseHex(previousHash),
    ];
    if (!bodyBytes || hashBytes?.length !== 32) return fault("its bytes are no record");
    if (linked?.length !== 32) return fault("the record before it is not held, so its hash cannot be computed");
    const follows = before && before.epoch === epoch;
    if (follows && before.sequence + 1 !== sequence) return fault(`record ${before.sequence + 1} is missing before it`);
    if (follows && !bytesEqual(before.hash, linked)) return fault("it links to another record than the one before it");
    const opened = openRecord(lane, { epoch, sequence: sequence - 1, hash: linked }, { epoch, sequence, body: bodyBytes, hash: hashBytes });
    if (!opened.ok) return fault(opened.error.detail);
    proven.push({ ...opened.value, shown: recordToJson(opened.value) });
  }
  return ok(proven);
}

/** A checkpoint as the API gives it, with subtree roots before and after the records. */
export type GivenProof = {
  readonly size: number;
  readonly note: string;
  /** Last of the records that it covers. */
  readonly to: number;
  readonly before: readonly { readonly hash: string }[];
  readonly after: readonly { readonly hash: string }[];
};

/** Whose records they are. */
export type Author = { readonly networkId: string; readonly node: string; readonly identityKey: string };

/**
 * Verifies that the node's identity signed a checkpoint over a tree that holds exactly these records in these places. The
 * places of the subtrees are computed here, and so is the name of the log; the error is a sentence.
 *
 * @param records of one incarnation, proven by `verifyChain`, in order
 */
export function verifyCheckpoint(
  records: readonly LaneRecord[],
  proof: GivenProof,
  author: Author,
): Result<{ readonly size: number; readonly covered: number }, string> {
  const [first] = records;
  const key = parseHex(author.identityKey);
  if (!first || key?.length !== 32) return err("there is nothing to check");
  const origin = checkpointOrigin(author.networkId, author.node, first.lane, first.epoch);
  const opened = openCheckpoint(proof.note, origin, key, nobleSuite.verify);
  if (!opened.ok) return err(SENTENCES[opened.error]);
  const { size, root } = opened.value;
  const covered = records.filter(({ sequence }) => sequence <= Math.min(proof.to, size));
  const last = covered.at(-1);
  if (!last || size !== proof.size) return err("the checkpoint is not the one that the aggregator says it is");
  const before = placed(coverRange(0, first.sequence - 1), proof.before);
  const after = placed(coverRange(last.sequence, size), proof.after);
  if (!before || !after) return err("the aggregator's subtrees are not those between the records and the checkpoint");
  const leaves = covered.map(({ sequence, hash }) => ({ start: sequence - 1, size: 1, hash: leafHash(hash) }));
  if (!bytesEqual(rootOfSubtrees([...before, ...leaves, ...after]), root))
    return err("the records are not those that the node signed: the root differs");
  return ok({ size, covered: covered.length });
}

const SENTENCES = {
  malformed: "the checkpoint is not a signed note",
  unknownKey: "the checkpoint is not signed by the node's identity",
  badSignature: "the signature of the checkpoint is false",
} as const;

function placed(cover: ReturnType<typeof coverRange>, given: readonly { readonly hash: string }[]) {
  const parts = cover.flatMap((subtree, i) => {
    const hash = parseHex(given[i]?.hash ?? "");
    return hash?.length === 32 ? [{ ...subtree, hash }] : [];
  });
  return parts.length === cover.length && given.length === cover.length ? parts : undefined;
}
