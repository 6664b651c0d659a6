import { compareRounds, type JournalRecord, type RecoveryStatus, type Round } from "../consensus/index.ts";
import { DOMAIN_TAGS, type Signer, sha256 } from "../crypto/index.ts";
import { assert, bytesEqual, CborReader, CborWriter, err, ok, type Result, toHex } from "../kernel/index.ts";
import type { VerifyKeySignature } from "./binding.ts";
import type { ConsensusJournal } from "./journal.ts";
import { decodeRecord, encodeRecord, roundOf } from "./journal-records.ts";
import { describeVote, VoteBook } from "./vote-book.ts";

/** Everything that decides what a key may still sign, taken from the journal of a stopped node. */
export type SigningHistory = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  /** The key, 32 bytes; it signs the history. */
  readonly publicKey: Uint8Array;
  /** Wall clock, ms since the Unix epoch; for people. */
  readonly exportedAtMs: number;
  /** Nothing at or below it is signed again. */
  readonly floor: Round;
  readonly recovery: RecoveryStatus;
  /** Votes above the floor with the certificates and proposals they rest on, in the order written. */
  readonly records: readonly JournalRecord[];
};

/** Why a file is no history of a key. */
export type HistoryFault = "malformed" | "badSignature" | "otherKey" | "otherChain";

/** What a merge did. */
export type HistoryMerge = {
  /** Records that the journal had not. */
  readonly added: number;
  /** From where on the journal lets sign now. */
  readonly recovery: RecoveryStatus;
};

/** Why histories do not go together: in these words the key has signed in two places. */
export type HistoryConflict = { readonly detail: string };

const VERSION = 1;
const RECORDS_MAX = 100_000;
/** Bytes of a history's file, at most. */
export const HISTORY_BYTES_MAX = 64 * 1024 * 1024;
const RECORD_BYTES_MAX = 2 * 1024 * 1024;

/**
 * The history that a journal holds; undefined when the journal is lost, and with it what the key may still sign.
 *
 * @param journal freshly opened, of a node that is stopped
 */
export function historyOf(
  journal: ConsensusJournal,
  of: Pick<SigningHistory, "chainId" | "publicKey" | "exportedAtMs">,
): SigningHistory | undefined {
  const replay = journal.replay();
  return replay.kind === "lost" ? undefined : { ...of, floor: replay.floor, recovery: replay.recovery, records: replay.records };
}

/** Encodes and signs: array [body, signature], the body an array [1, chain, key, time, floor and recovery and each record as bytes]. */
export function encodeHistory(history: SigningHistory, key: Signer): Uint8Array {
  assert(bytesEqual(key.publicKey, history.publicKey), "a history is signed by the key whose it is");
  const whole: readonly JournalRecord[] = [
    { kind: "floor", round: history.floor },
    { kind: "recovery", status: history.recovery },
  ];
  const records = [...whole, ...history.records];
  const w = new CborWriter(4096).array(5).uint(VERSION).bytes(history.chainId).bytes(history.publicKey).uint(history.exportedAtMs);
  w.array(records.length);
  for (const record of records) w.bytes(encodeRecord(record));
  const body = w.finish();
  return new CborWriter(body.length + 80)
    .array(2)
    .bytes(body)
    .bytes(key.sign(signBytes(body)))
    .finish();
}

/** Reads a history and proves that this key signed it on this chain; a byte more, less or other than written is refused. */
export function decodeHistory(
  bytes: Uint8Array,
  of: Pick<SigningHistory, "chainId" | "publicKey">,
  verify: VerifyKeySignature,
): Result<SigningHistory, HistoryFault> {
  const outer = new CborReader(bytes);
  if (bytes.length > HISTORY_BYTES_MAX || outer.array(2) !== 2) outer.reject();
  const body = outer.bytes(1, HISTORY_BYTES_MAX);
  const signature = outer.bytes(64);
  if (!outer.isComplete) return err("malformed");
  const r = new CborReader(body);
  if (r.array(5) !== 5 || r.uint() !== VERSION) r.reject();
  const head = { chainId: r.bytes(32), publicKey: r.bytes(32), exportedAtMs: r.uint() };
  const encoded: Uint8Array[] = [];
  for (let left = r.array(RECORDS_MAX); left > 0 && !r.isBroken; left--) encoded.push(r.bytes(1, RECORD_BYTES_MAX));
  if (!r.isComplete) return err("malformed");
  if (!bytesEqual(head.publicKey, of.publicKey)) return err("otherKey");
  if (!verify(of.publicKey, signBytes(body), signature)) return err("badSignature");
  if (!bytesEqual(head.chainId, of.chainId)) return err("otherChain");
  const [floor, recovery, ...records] = encoded.map((bytesOfOne) => decodeRecord(bytesOfOne));
  if (!floor?.ok || floor.value.kind !== "floor" || !recovery?.ok || recovery.value.kind !== "recovery") return err("malformed");
  const taken = records.flatMap((record) => (record.ok && record.value.kind !== "identity" ? [record.value] : []));
  if (taken.length !== records.length) return err("malformed");
  return ok({ ...head, floor: floor.value.round, recovery: recovery.value.status, records: taken });
}

/**
 * Takes a history into the journal of the same key, merged by maximum: what either forbids is forbidden, what either
 * signed is signed. An older history changes nothing. The journal is RECOVERING while it is under way, so that a process
 * that ends in between leaves no half of it to sign by. Histories that contradict each other leave the journal as it was.
 *
 * @param journal freshly opened and intact, of a node that is stopped
 * @param tip round of the last block that is stored beside the journal: where it reaches the floor that comes, the floor is
 *   taken over as it is, else as a gate, since a chain that ends below its journal's floor counts as damaged (J5)
 * @param isBegun whether the journal was begun for this history, as a recovering one: that status of its own counts for nothing
 * @see cloud DR-10
 */
export function mergeHistory(
  journal: ConsensusJournal,
  history: SigningHistory,
  tip: Round,
  isBegun = false,
): Result<HistoryMerge, HistoryConflict> {
  const own = journal.replay();
  assert(own.kind === "intact", "a history is merged into an intact journal");
  assert(!isBegun || own.records.length === 0, "a journal that was begun for a history holds no votes");
  const isFloorTaken = compareRounds(history.floor, own.floor) > 0 && compareRounds(history.floor, tip) <= 0;
  const news = findNews(own, history);
  if (!news.ok) return news;
  const gate = strictest([isBegun ? INTACT : own.recovery, history.recovery, isFloorTaken ? INTACT : floorGate(history.floor, own.floor)]);
  if (news.value.length === 0 && !isFloorTaken && isSame(gate, own.recovery)) return ok({ added: 0, recovery: gate });
  journal.append({ kind: "recovery", status: { kind: "recovering" } });
  journal.syncNow();
  for (const record of news.value) journal.append(record);
  if (isFloorTaken) journal.append({ kind: "floor", round: history.floor });
  journal.append({ kind: "recovery", status: gate });
  journal.syncNow();
  return ok({ added: news.value.length, recovery: gate });
}

const INTACT: RecoveryStatus = { kind: "intact" };

type IntactReplay = Extract<ReturnType<ConsensusJournal["replay"]>, { kind: "intact" }>;

/** Records that come, above the own floor and not there yet; votes agree with all that were cast, NOTARIZE before NULLIFY. */
function findNews(own: IntactReplay, { records }: SigningHistory): Result<readonly JournalRecord[], HistoryConflict> {
  const known = new Set(own.records.map(fingerprint));
  const above = records.filter((record) => {
    const round = roundOf(record);
    return round !== undefined && compareRounds(round, own.floor) > 0 && !known.has(fingerprint(record));
  });
  const book = new VoteBook(own.floor);
  for (const record of [...own.records, ...above]) {
    if (record.kind !== "vote") continue;
    const refusal = book.check(record.statement);
    if (refusal && refusal !== "belowFloor")
      return err({ detail: `${describeVote(record.statement)} and another vote of that round are in two histories of one key` });
    if (!refusal) book.enter(record.statement, true);
  }
  return ok(above);
}

/** A floor that the chain here does not reach yet, as a gate: nothing at or below it is signed. */
function floorGate(floor: Round, own: Round): RecoveryStatus {
  if (compareRounds(floor, own) <= 0) return INTACT;
  return { kind: "gated", epoch: floor.epoch, firstView: floor.view + 1 };
}

/** The status that forbids whatever one of them does (R14): recovering forbids everything. */
function strictest(statuses: readonly RecoveryStatus[]): RecoveryStatus {
  return statuses.reduce(stricter, INTACT);
}

/** Of two gates in one epoch the later counts; two of different epochs leave no round free, so the others are asked. */
function stricter(a: RecoveryStatus, b: RecoveryStatus): RecoveryStatus {
  if (a.kind === "intact") return b;
  if (b.kind === "intact") return a;
  if (a.kind === "recovering" || b.kind === "recovering" || a.epoch !== b.epoch) return { kind: "recovering" };
  return a.firstView >= b.firstView ? a : b;
}

function isSame(a: RecoveryStatus, b: RecoveryStatus): boolean {
  return fingerprint({ kind: "recovery", status: a }) === fingerprint({ kind: "recovery", status: b });
}

function fingerprint(record: JournalRecord): string {
  return toHex(encodeRecord(record));
}

function signBytes(body: Uint8Array): Uint8Array {
  return sha256(DOMAIN_TAGS.signingHistory, body);
}
