import type { JournalLoss, Round } from "../consensus/index.ts";
import { assert, type Entropy, err, ok, present, type Result } from "../kernel/index.ts";
import { createRecordLog, type FileSystem, type LogDamage, openRecordLog, parentOf, StorageError } from "../storage/index.ts";
import { ConsensusJournal, type JournalOptions, type JournalSource } from "./journal.ts";
import { type FoundRecord, type LogPlace, readContents } from "./journal-contents.ts";
import { encodeRecord, type StoredRecord } from "./journal-records.ts";

/** Where the journal lives and what it needs. */
export type JournalFiles = {
  readonly fs: FileSystem;
  /** Folder of the journal, e.g. `<home>/journal`; its parent exists. */
  readonly directory: string;
  readonly entropy: Entropy;
};

const LOG_NAME = "consensus-journal";
const SEGMENT_BYTES_MAX = 1024 * 1024;
/** Zeros written ahead: a vote's sync then changes no file length, which halves it on flash. */
const PREALLOCATE_BYTES = 64 * 1024;

/**
 * Makes the journal of a new validator key, durable when it returns. Whoever makes a validator key calls this, and nobody
 * else: starting a node never makes a journal (J7).
 *
 * @throws StorageError `exists` when there is something in its place
 */
export function createJournal(files: JournalFiles, publicKey: Uint8Array): void {
  begin(files, [encodeRecord({ kind: "identity", publicKey })]).log.close();
}

/**
 * Opens the journal of a validator key. When what is on disk cannot be trusted it is a lost one, on which consensus
 * recovers (or, alone, stays mute until its operator acts). A journal that this moment only cannot be read, or that a
 * later release wrote, is not lost: nothing is set aside and nothing given, for what it holds would then be forgotten.
 *
 * @throws StorageError when the disk refuses to read or write (`ioFailed`, `denied` ...), `tooNew` when a later release wrote it
 * @see consensus J7
 */
export function openJournal(files: JournalFiles, options: JournalOptions): ConsensusJournal {
  const opened = openSource(files, options.publicKey);
  if (opened.ok) return new ConsensusJournal(opened.value, options);
  const { loss, detail } = opened.error;
  const beginAgain = (records: readonly Uint8Array[]): Extract<JournalSource, { kind: "open" }> => {
    setAside(files);
    return begin(files, records);
  };
  return new ConsensusJournal({ kind: "lost", loss, detail, begin: beginAgain }, options);
}

/**
 * What `bizra doctor --recover-journal` does when the operator has confirmed that no other box runs this key: sets the
 * lost journal aside and writes a new one whose floor is the chain's, so that only rounds after it are voted in. A single
 * validator has no other way back (J7); with others, the node recovers by itself and this is not called.
 *
 * @param floor round of the chain's last finalization
 * @returns the folder to which the old one was moved, or undefined when there was none
 */
export function recoverJournal(files: JournalFiles, publicKey: Uint8Array, floor: Round): string | undefined {
  assert(!openSource(files, publicKey).ok, "only a lost journal is written anew");
  const aside = setAside(files);
  const records: StoredRecord[] = [
    { kind: "identity", publicKey },
    { kind: "floor", round: floor },
  ];
  begin(files, records.map(encodeRecord)).log.close();
  return aside;
}

type LostJournal = { readonly loss: JournalLoss; readonly detail: string };

function openSource(files: JournalFiles, publicKey: Uint8Array): Result<Extract<JournalSource, { kind: "open" }>, LostJournal> {
  const { fs, directory } = files;
  const opened = openRecordLog(fs, directory, { name: LOG_NAME, segmentBytesMax: SEGMENT_BYTES_MAX, preallocateBytes: PREALLOCATE_BYTES });
  if (!opened.ok) return err(lossOf(requireLoss(opened.error)));
  const log = opened.value;
  const records: FoundRecord[] = [];
  const read = log.forEach(log.firstIndex, (body, place) => records.push({ body: body.slice(), place }));
  if (!read.ok && !isLoss(read.error)) log.close();
  const contents = read.ok ? readContents(records, publicKey) : err(lossOf(requireLoss(read.error)));
  if (!contents.ok) {
    log.close();
    return contents;
  }
  const { tornTail } = log.report;
  return ok({ kind: "open", log, contents: contents.value, ...placesOf(records), ...(tornTail && { tornTail }) });
}

function placesOf(records: readonly FoundRecord[]): { oldestSegment: number; lastPlace: LogPlace } {
  const first = present(records[0], "an intact journal begins with its key");
  const last = present(records.at(-1), "an intact journal begins with its key");
  return { oldestSegment: first.place.segment, lastPlace: last.place };
}

/** Whether a log is not what was written: a disk that refused to read, or a format of a later release, says nothing of that. */
function isLoss({ kind }: LogDamage): boolean {
  return kind !== "unreadable" && kind !== "tooNew";
}

function requireLoss(damage: LogDamage): LogDamage {
  if (isLoss(damage)) return damage;
  if (damage.kind === "tooNew") throw new StorageError("tooNew", damage.file, damage.detail);
  throw new StorageError("ioFailed", damage.file, `the journal could not be read and is left as it is: ${damage.detail}`);
}

function lossOf(damage: LogDamage): LostJournal {
  const loss = damage.kind === "missing" || damage.kind === "empty" ? damage.kind : "damaged";
  return { loss, detail: `${damage.file} at byte ${damage.offset}: ${damage.detail}` };
}

/** Makes a log beside its place, fills it, and moves it there in one step. */
function begin(files: JournalFiles, records: readonly Uint8Array[]): Extract<JournalSource, { kind: "open" }> {
  const { fs, directory, entropy } = files;
  const beside = `${directory}.new`;
  removeFolder(fs, beside);
  const made = createRecordLog(fs, beside, { name: LOG_NAME, entropy, segmentBytesMax: SEGMENT_BYTES_MAX });
  for (const record of records) made.append(record);
  made.close();
  fs.rename(beside, directory);
  fs.syncDirectory(parentOf(directory));
  const opened = openRecordLog(fs, directory, { name: LOG_NAME, segmentBytesMax: SEGMENT_BYTES_MAX, preallocateBytes: PREALLOCATE_BYTES });
  if (!opened.ok) throw unreadable(opened.error); // written a moment ago: the disk does not give back what it took
  const places: LogPlace[] = [];
  const read = opened.value.forEach(0, (_, place) => places.push(place));
  if (!read.ok) throw unreadable(read.error);
  const last = present(places.at(-1), "a journal begins with its key");
  assert(places.length === records.length, "a journal just written reads back");
  const contents = { floor: { epoch: 0, view: 0 }, recovery: { kind: "recovering" }, live: [] } as const;
  return { kind: "open", log: opened.value, contents, oldestSegment: last.segment, lastPlace: last };
}

function unreadable({ file, detail }: LogDamage): StorageError {
  return new StorageError("ioFailed", file, `a journal just written cannot be read: ${detail}`);
}

/** Moves what is there out of the way, for whoever wants to know what happened. */
function setAside(files: JournalFiles): string | undefined {
  const { fs, directory } = files;
  if (fs.stat(directory) === undefined) return undefined;
  let number = 1;
  while (fs.stat(`${directory}.lost-${number}`) !== undefined) number++;
  const aside = `${directory}.lost-${number}`;
  fs.rename(directory, aside);
  fs.syncDirectory(parentOf(directory));
  return aside;
}

function removeFolder(fs: FileSystem, directory: string): void {
  if (fs.stat(directory) === undefined) return;
  for (const name of fs.list(directory)) fs.remove(`${directory}/${name}`);
  fs.remove(directory);
}
