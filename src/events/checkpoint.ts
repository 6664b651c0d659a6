import { leafHash, type MerkleAccumulator, type Signer } from "../crypto/portable.ts";
import { err, ok, type Result } from "../kernel/index.ts";
import { formatBase64, type NoteFault, openNote, parseBase64, signNote, type VerifyNote } from "./signed-note.ts";
import type { Lane } from "./types.ts";

/** A checkpoint is due after this many records, or this long after the first record that the last one does not cover. */
export const CHECKPOINT_POLICY = { recordsMax: 1_000, ageMaxMs: 60_000 } as const;

/** What a checkpoint says: the RFC 6962 root over the hashes of the first `size` records of one incarnation of a lane. */
export type CheckpointStatement = { readonly origin: string; readonly size: number; readonly root: Uint8Array };

/** A signed checkpoint with what is needed to carry the tree on. */
export type Checkpoint = {
  readonly lane: Lane;
  readonly epoch: number;
  readonly size: number;
  /** Roots of the whole subtrees, largest first. */
  readonly peaks: readonly Uint8Array[];
  /** The signed note. */
  readonly note: string;
};

/** Name of a lane's log and of the key's line in its notes: `bizra/{net}/{node}/{lane}/{epoch}`. */
export function checkpointOrigin(network: string, node: string, lane: Lane, epoch: number): string {
  return `bizra/${network}/${node}/${lane}/${epoch}`;
}

/**
 * Signs the tree head of a lane.
 *
 * @param signer the node's identity; never a validator key, whose signatures mean votes
 * @see https://c2sp.org/tlog-checkpoint
 */
export function signCheckpoint(signer: Signer, origin: string, tree: MerkleAccumulator): string {
  return signNote(signer, origin, `${origin}\n${tree.size}\n${formatBase64(tree.root())}\n`);
}

/** The statement of a checkpoint that this key signed. Extension lines are allowed and passed over. */
export function openCheckpoint(
  note: string,
  origin: string,
  publicKey: Uint8Array,
  verify: VerifyNote,
): Result<CheckpointStatement, NoteFault> {
  const text = openNote(note, origin, publicKey, verify);
  if (!text.ok) return text;
  const [first, size, encoded] = text.value.split("\n");
  const root = encoded === undefined ? undefined : parseBase64(encoded);
  if (first !== origin || size === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(size) || root?.length !== 32) return err("malformed");
  return ok({ origin, size: Number(size), root });
}

/** Adds a record's hash as the next leaf of its lane's tree. */
export function growTree(tree: MerkleAccumulator, recordHash: Uint8Array): void {
  tree.append(leafHash(recordHash));
}
