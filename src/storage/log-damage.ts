/**
 * What is wrong with a record log on disk.
 *
 * - `missing`: the folder is not there, `empty`: it holds no segment
 * - `badHeader`: the head of a segment is not what was written; `wrongLog`: it belongs to another log; `tooNew`: a later format
 * - `missingSegment`: a segment before the last is gone
 * - `badChain`: a segment does not follow from the one before it (size, last hash or first index)
 * - `badRecord`: a record that was durable is not what was written
 * - `shortOfExpected`: the log ends before a record that its owner knows to have been durable
 * - `refusedTail`: the owner did not accept the loss of the torn tail
 * - `unreadable`: the disk refused to read
 */
export type LogDamageKind =
  | "missing"
  | "empty"
  | "badHeader"
  | "wrongLog"
  | "tooNew"
  | "missingSegment"
  | "badChain"
  | "badRecord"
  | "shortOfExpected"
  | "refusedTail"
  | "unreadable";

/** Damage found in a record log: named, never repaired by silently cutting it off. */
export interface LogDamage {
  readonly kind: LogDamageKind;
  /** Path of the damaged (or missing) file or folder. */
  readonly file: string;
  /** Offset in that file where the trouble starts, in bytes; 0 for the file as a whole. */
  readonly offset: number;
  /** What was found, for the operator. */
  readonly detail: string;
}

/** Un-synced writes that a crash tore: dropped when the log was opened, since none of it was ever promised. */
export interface TornTail {
  readonly file: string;
  /** Where the dropped bytes started. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** Records inside the dropped bytes that were whole: the disk had written them before an earlier one. */
  readonly wholeRecordCount: number;
  /**
   * What the first dropped record looks like: `cut` short by the end of the file, holding `zeros` where sectors were
   * never written, or `garbled`. Only the last cannot be told from several flipped bytes in the last synced record.
   */
  readonly shape: "cut" | "zeros" | "garbled";
}
