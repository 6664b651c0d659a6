import { gateOf, mustAskOthers, recoveryAllows } from "../../../src/consensus/recovery-gate.ts";
import { compareRounds, type Round } from "../../../src/consensus/rounds.ts";
import { type CryptoSuite, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { assert, Prng, present, toHex } from "../../../src/kernel/index.ts";
import type { VoteStatement } from "../../../src/protocol/index.ts";
import { MemoryFileSystem, replaceFile } from "../../../src/storage/index.ts";
import {
  bindKey,
  type ConsensusJournal,
  type CustodyFiles,
  createJournal,
  decodeHistory,
  encodeHistory,
  type Hardware,
  historyOf,
  judgeCustody,
  layExportMark,
  mergeHistory,
  openJournal,
  VoteGuard,
} from "../../../src/validator/index.ts";

const DIRECTORY = "/home/journal";
const CUSTODY = "/home/custody";
/** Stands for the vital lane: how many records it has, durable. */
const LANE = "/home/lane";
const CHAIN_ID = new Uint8Array(32).fill(7);

/** A disk as it was at some moment, with the key beside it. */
export type DiskImage = { readonly files: ReadonlyMap<string, Uint8Array>; readonly known: number; readonly laneRecords: number };

/** What a box is made of. */
export type BoxParts = {
  readonly name: string;
  /** Which validator it is to be; its key decides whether it is. */
  readonly validator: number;
  readonly key: Signer;
  readonly suite: CryptoSuite;
  /** The machine, as it says of itself. */
  readonly hardware: Hardware;
  readonly seed: number;
  /** Certificates known from the start. */
  readonly known: number;
};

/** Rules of custody that a mutant leaves out at a start. */
export type CustodyNeglect = { readonly ignoresBinding: boolean; readonly ignoresExport: boolean };

const CAREFUL: CustodyNeglect = { ignoresBinding: false, ignoresExport: false };

/**
 * One box: a key, a disk with the real journal on it, the real guard before the key, and how many certificates of the one chain
 * it knows. Crashes lose what was not synced.
 */
export class DrBox {
  readonly key: Signer;
  readonly name: string;
  readonly validator: number;
  readonly suite: CryptoSuite;
  readonly disk: MemoryFileSystem;
  /** The machine that it is. */
  hardware: Hardware;
  isUp = false;
  /** Whether custody bars its key: it follows and signs nothing (DR-3, DR-10). */
  isObserver = false;
  /** Whether others reach it. */
  isConnected = true;
  /** Whether others have answered its hello since its start (R15). */
  isGreeted = false;
  /** Certificates known, a prefix of the chain's; the durable part of it. */
  known: number;
  durableKnown: number;
  /** Milliseconds that its wall clock is off. */
  wallOffsetMs = 0;
  /** How much others knew, by key, when they answered it after the loss of its journal (R14); in memory only. */
  readonly answers = new Map<string, number>();
  /** Votes of others that it has seen since its start, by round and key. */
  readonly seen = new Map<string, Map<string, VoteStatement[]>>();
  #journal: ConsensusJournal | undefined;
  #guard: VoteGuard | undefined;
  readonly #prng: Prng;

  /** Makes key and journal and binds the key, as setting up a home does; a restore begins at what its backup knows. */
  constructor({ name, validator, key, suite, hardware, seed, known }: BoxParts) {
    this.name = name;
    this.validator = validator;
    this.key = key;
    this.suite = suite;
    this.hardware = hardware;
    this.known = known;
    this.durableKnown = known;
    this.disk = new MemoryFileSystem({ prng: new Prng(seed) });
    this.#prng = new Prng(seed + 1);
    this.disk.makeDirectory("/home");
    this.disk.syncDirectory("/");
    createJournal(this.#files(), key.publicKey);
    bindKey(this.#custody(), key, hardware, 0);
    this.#writeLane(0);
  }

  /** The journal of the running process. */
  get journal(): ConsensusJournal {
    return present(this.#journal, "a journal is read while its box is up");
  }

  get isRecovering(): boolean {
    return this.journal.recovery.kind === "recovering";
  }

  /** Whether the members of an epoch have to be asked before it votes there (R14). */
  mustAsk(epoch: number): boolean {
    return mustAskOthers(this.journal.recovery, epoch);
  }

  /** Whether it may vote wherever its journal allows. */
  get isIntact(): boolean {
    return this.journal.recovery.kind === "intact";
  }

  /**
   * A start: custody decides whether the key may sign here, what the journal holds says how far the chain was known (J2); nobody
   * has answered yet.
   */
  start(roundIndexOf: (round: Round) => number, neglect = CAREFUL): void {
    this.isUp = true;
    this.isGreeted = false;
    this.answers.clear();
    this.seen.clear();
    this.isObserver = !this.#takeCustody(neglect);
    if (this.isObserver) return;
    this.#journal = openJournal(this.#files(), { publicKey: this.key.publicKey, isBlocking: true });
    this.#guard = new VoteGuard(this.#journal, this.key, CHAIN_ID);
    const replay = this.#journal.replay();
    const votes = replay.kind === "lost" ? [] : replay.records.flatMap((record) => (record.kind === "vote" ? [record.statement] : []));
    this.known = Math.max(this.durableKnown, ...votes.map(roundIndexOf));
    if (replay.kind === "lost") this.becomeRecovering();
    this.#writeLane(this.laneRecords + 1);
  }

  /** Whether the key may sign; what is the same machine with an exchanged part is bound anew. */
  #takeCustody({ ignoresBinding, ignoresExport }: CustodyNeglect): boolean {
    if (ignoresExport) this.disk.wipe(`${CUSTODY}/${toHex(this.key.publicKey)}.exported`);
    const hasJournal = this.disk.stat(DIRECTORY) !== undefined;
    const verdict = judgeCustody(this.#custody(), this.hardware, this.suite.verify, hasJournal);
    if (verdict.kind === "barred") return ignoresBinding && verdict.fault === "otherHardware";
    if (verdict.kind === "unbound") bindKey(this.#custody(), this.key, this.hardware, 0);
    else if (verdict.isStale) bindKey(this.#custody(), this.key, this.hardware, 0, verdict.binding);
    return true;
  }

  /** Records of the vital lane. */
  get laneRecords(): number {
    return this.disk.readFile(LANE)[0] ?? 0;
  }

  /** An aggregator holds more of the lane than there is here: this home is an older one (DR-9). The lane goes on above. */
  onLaneAhead(records: number): void {
    if (!this.isRecovering) this.becomeRecovering();
    this.#writeLane(records + 1);
  }

  /**
   * Stops for good and gives the history of its key for another box; the mark comes before the history (DR-10).
   *
   * @returns undefined when the journal is lost
   */
  exportHistory(): Uint8Array | undefined {
    this.crash();
    const { publicKey } = this.key;
    const journal = openJournal(this.#files(), { publicKey, isBlocking: true });
    const history = historyOf(journal, { chainId: CHAIN_ID, publicKey, exportedAtMs: 0 });
    journal.close();
    if (!history) return undefined;
    const encoded = encodeHistory(history, this.key);
    layExportMark(this.#custody(), { exportedAtMs: 0, digest: sha256(encoded) });
    return encoded;
  }

  /** Takes the history in, before the first start. */
  importHistory(encoded: Uint8Array, tip: Round): void {
    const { publicKey } = this.key;
    const history = decodeHistory(encoded, { chainId: CHAIN_ID, publicKey }, this.suite.verify);
    assert(history.ok, "what an export wrote is read back");
    const journal = openJournal(this.#files(), { publicKey, isBlocking: true });
    const merged = mergeHistory(journal, history.value, tip);
    assert(merged.ok, "a fresh journal contradicts no history");
    journal.close();
  }

  /** The chain holds what lies at or below a round durably: the journal's floor (J5). */
  raiseFloor(round: Round): void {
    this.durableKnown = this.known;
    this.journal.append({ kind: "floor", round });
    this.journal.syncNow();
  }

  /** Power goes. */
  crash(): void {
    this.isUp = false;
    this.#journal = undefined;
    this.#guard = undefined;
    this.isObserver = false;
    this.disk.crash();
    this.known = this.durableKnown;
  }

  becomeRecovering(): void {
    this.answers.clear();
    this.journal.append({ kind: "recovery", status: { kind: "recovering" } });
    this.journal.syncNow();
  }

  /** Ends a recovery with the gate that the answers give (R14). */
  setGate(highest: Round): void {
    this.journal.append({ kind: "recovery", status: gateOf(highest.epoch, highest.view) });
    this.journal.syncNow();
  }

  /** What a mutant does where a gate of an earlier epoch says nothing: the next epoch is free from view 2 on, nobody is asked. */
  carryGate(epoch: number): void {
    this.journal.append({ kind: "recovery", status: { kind: "gated", epoch, firstView: 2 } });
    this.journal.syncNow();
  }

  /**
   * A block that is no boundary is final in the gate's epoch, from the view before its first on: the gate has done its work
   * (R14). The block is committed by then, so chain and floor are durable before the gate's end is.
   */
  endGate(last: Round): void {
    const gate = this.journal.recovery;
    if (gate.kind !== "gated" || gate.epoch !== last.epoch || last.view < gate.firstView - 1) return;
    this.raiseFloor(last);
    this.journal.append({ kind: "recovery", status: { kind: "intact" } });
    this.journal.syncNow();
  }

  /** Whether the journal and its recovery allow a vote; the same questions as the guard asks, before anything is journaled. */
  mayVote(statement: VoteStatement): boolean {
    return recoveryAllows(this.journal.recovery, statement) && this.journal.book.check(statement) === undefined;
  }

  /**
   * Journals, syncs and signs a vote (J1, DR-1); power may go before the sync, between sync and signature, or not at all.
   *
   * @returns the vote when its signature was made
   */
  vote(statement: VoteStatement, crash: "no" | "beforeSync" | "beforeSigning"): VoteStatement | undefined {
    this.journal.append({ kind: "vote", statement });
    if (crash === "beforeSync") return this.#lose();
    this.durableKnown = Math.max(this.durableKnown, this.known);
    this.journal.syncNow();
    if (crash === "beforeSigning") return this.#lose();
    const vote = present(this.#guard, "a box that votes is up").sign(statement, this.validator);
    return vote instanceof Promise ? undefined : statement;
  }

  /** A vote of ours that a peer shows and the journal lacks, above what is final and outside the gate (J7). */
  onOwnVoteShown(statement: VoteStatement, floor: Round | undefined): void {
    if (this.isRecovering || (floor && compareRounds(statement, floor) <= 0)) return;
    if (!recoveryAllows(this.journal.recovery, statement) || this.journal.book.isDurable(statement)) return;
    this.becomeRecovering();
  }

  /** The disk dies, the key is kept elsewhere: the journal is gone (R14, DR-7). */
  loseJournal(): void {
    this.crash();
    this.disk.wipe(DIRECTORY);
    this.durableKnown = 0;
    this.known = 0;
  }

  image(): DiskImage {
    return { files: this.disk.image(), known: this.durableKnown, laneRecords: this.laneRecords };
  }

  /** Puts an image in place: an old one of this box, or one of another. */
  putBack({ files, known }: DiskImage): void {
    this.crash();
    this.disk.makeDirectory(DIRECTORY);
    this.disk.syncDirectory("/home");
    this.disk.restore(files, "/home");
    this.durableKnown = known;
    this.known = known;
  }

  #lose(): undefined {
    this.crash();
    return undefined;
  }

  #writeLane(records: number): void {
    replaceFile(this.disk, LANE, Uint8Array.of(Math.min(255, records)));
  }

  #custody(): CustodyFiles {
    return { fs: this.disk, directory: CUSTODY, publicKey: this.key.publicKey };
  }

  #files() {
    return { fs: this.disk, directory: DIRECTORY, entropy: { bytes: (count: number) => this.#prng.bytes(count) } };
  }
}
