import { type CryptoSuite, MerkleAccumulator } from "../crypto/index.ts";
import { checkpointOrigin, type EventLog, growTree, openCheckpoint } from "../events/index.ts";
import { bytesEqual } from "../kernel/index.ts";

/** The newest checkpoint of a node's vital lane that somebody else holds. */
export type HeldCheckpoint = { readonly epoch: number; readonly note: string };

/** Whose lane it is. */
export type LaneOwner = { readonly network: string; readonly node: string; readonly identityKey: Uint8Array };

/** Records read at a time. */
const PAGE_RECORDS = 256;

/**
 * Whether a checkpoint proves that this node's identity signed another history of its vital lane than lies here: one with more
 * records in that incarnation, or with others. Then this home is an older one, or a copy, and its journal may be as old
 * (DR-9). What the identity did not sign proves nothing, so whoever speaks for an aggregator silences nobody.
 */
export function provesOtherHistory(
  events: Pick<EventLog, "read">,
  { epoch, note }: HeldCheckpoint,
  { network, node, identityKey }: LaneOwner,
  verify: CryptoSuite["verify"],
): boolean {
  const statement = openCheckpoint(note, checkpointOrigin(network, node, "crit", epoch), identityKey, verify);
  if (!statement.ok) return false;
  const { size, root } = statement.value;
  const tree = new MerkleAccumulator();
  while (tree.size < size) {
    const read = events.read("crit", { epoch, sequence: tree.size }, Math.min(PAGE_RECORDS, size - tree.size));
    if (!read.ok) return false; // damage here is found and told elsewhere
    const records = read.value.filter((record) => record.epoch === epoch);
    if (records.length === 0) return true;
    for (const record of records) growTree(tree, record.hash);
  }
  return !bytesEqual(tree.root(), root);
}
