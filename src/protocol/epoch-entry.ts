import { type CborReader, CborWriter } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** What a member of the set did in the running epoch; all of it stands in final blocks. */
export type MemberTally = {
  /** Blocks it proposed. */
  readonly proposed: number;
  /** Views it led of which no block stands in the chain. */
  readonly missed: number;
  /** Parent certificates of this epoch that hold its vote. */
  readonly votes: number;
};

/** What the running epoch has counted so far, by index in its set. */
export type EpochEntry = {
  readonly kind: "epoch";
  /** Base units of fees that wait to be shared at the epoch's end. */
  readonly feePot: bigint;
  /** Whether a key rotation or a conviction asks for the epoch's end, and the pause between forced ends is not over. */
  readonly isEndForced: boolean;
  /** Header time of the last forced end, milliseconds since the Unix epoch; 0 when there was none. */
  readonly lastForcedTimeMs: number;
  /** Parent certificates of this epoch that were counted. */
  readonly certificates: number;
  readonly tallies: readonly MemberTally[];
};

/** Canonical encoding: array [feePot, isEndForced, lastForcedTimeMs, certificates, [[proposed, missed, votes]...]]. */
export function encodeEpochEntry(entry: EpochEntry): Uint8Array {
  const w = new CborWriter(64 + 16 * entry.tallies.length).array(5).uint(entry.feePot).bool(entry.isEndForced);
  w.uint(entry.lastForcedTimeMs).uint(entry.certificates).array(entry.tallies.length);
  for (const { proposed, missed, votes } of entry.tallies) w.array(3).uint(proposed).uint(missed).uint(votes);
  return w.finish();
}

/** Reads what `encodeEpochEntry` writes. */
export function readEpochEntry(r: CborReader): EpochEntry {
  if (r.array(5) !== 5) r.reject();
  const base = { feePot: r.uint64(), isEndForced: r.bool(), lastForcedTimeMs: r.uint(), certificates: r.uint() };
  const tallies: MemberTally[] = [];
  for (let left = r.array(LIMITS.validatorsMax); left > 0 && !r.isBroken; left--) {
    if (r.array(3) !== 3) r.reject();
    tallies.push({ proposed: r.uint(), missed: r.uint(), votes: r.uint() });
  }
  return { kind: "epoch", ...base, tallies };
}
