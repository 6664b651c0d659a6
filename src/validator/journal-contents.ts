import { compareRounds, type JournalLoss, type JournalRecord, laterRound, type RecoveryStatus, type Round } from "../consensus/index.ts";
import { bytesEqual, err, ok, type Result } from "../kernel/index.ts";
import { decodeRecord, roundOf } from "./journal-records.ts";
import { describeVote, VoteBook } from "./vote-book.ts";

/** Where a record of a log lies. */
export type LogPlace = { readonly index: number; readonly segment: number };

/** A record's bytes as found in the log. */
export type FoundRecord = { readonly body: Uint8Array; readonly place: LogPlace };

/** A record above the floor, with its place. */
export type LiveRecord = { readonly record: JournalRecord; readonly place: LogPlace; readonly round: Round };

/** What a log's records amount to. */
export type JournalContents = {
  readonly floor: Round;
  readonly recovery: RecoveryStatus;
  readonly live: readonly LiveRecord[];
};

/** Why records are no journal of ours. */
export type ContentsFault = { readonly loss: JournalLoss; readonly detail: string };

/**
 * Reads all records of a log as the journal of this key. The hashes of the log are right by now; a record that does not
 * decode, a foreign key or votes that contradict each other still make it untrustworthy.
 *
 * Errors: `empty` without a single record, `damaged` otherwise.
 *
 * @see consensus J7
 */
export function readContents(records: readonly FoundRecord[], publicKey: Uint8Array): Result<JournalContents, ContentsFault> {
  if (records.length === 0) return err({ loss: "empty", detail: "it holds no record, not even the key it belongs to" });
  const damaged = (index: number, detail: string): Result<never, ContentsFault> =>
    err({ loss: "damaged", detail: `record ${index}: ${detail}` });
  let hasIdentity = false;
  let floor: Round = { epoch: 0, view: 0 };
  let recovery: RecoveryStatus = { kind: "intact" };
  const placed: LiveRecord[] = [];
  const book = new VoteBook(floor);
  for (const { body, place } of records) {
    const decoded = decodeRecord(body);
    if (!decoded.ok) return damaged(place.index, "it does not decode");
    const record = decoded.value;
    const round = roundOf(record);
    if (record.kind === "identity") {
      if (!bytesEqual(record.publicKey, publicKey)) return damaged(place.index, "the journal belongs to another validator key");
      hasIdentity = true;
    } else if (record.kind === "floor") floor = laterRound(floor, record.round);
    else if (record.kind === "recovery") recovery = record.status;
    else if (round) placed.push({ record, place, round });
    if (record.kind !== "vote") continue;
    if (book.check(record.statement)) return damaged(place.index, `${describeVote(record.statement)} contradicts an earlier record`);
    book.enter(record.statement, true);
  }
  // Pruning writes the key anew before the first one goes, so it need not come first.
  if (!hasIdentity) return err({ loss: "damaged", detail: "no record says which key it belongs to" });
  return ok({ floor, recovery, live: placed.filter(({ round }) => compareRounds(round, floor) > 0) });
}
