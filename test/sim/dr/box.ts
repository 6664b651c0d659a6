import { gateOf, recoveryAllows } from "../../../src/consensus/recovery-gate.ts";
import { compareRounds, type Round } from "../../../src/consensus/rounds.ts";
import { Prng, present } from "../../../src/kernel/index.ts";
import type { VoteStatement } from "../../../src/protocol/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { type ConsensusJournal, createJournal, openJournal, VoteGuard, type VoteKey } from "../../../src/validator/index.ts";

const DIRECTORY = "/home/journal";
const CHAIN_ID = new Uint8Array(32).fill(7);

/** A disk as it was at some moment, with the key beside it: what only a mutant ever puts back. */
export type DiskImage = { readonly files: ReadonlyMap<string, Uint8Array>; readonly known: number };

/**
 * One box: a key, a disk with the real journal on it, the real guard before the key, and how many certificates of the one chain
 * it knows. Crashes lose what was not synced.
 */
export class DrBox {
  readonly key: VoteKey;
  readonly name: string;
  /** Which validator it is to be; its key decides whether it is. */
  readonly validator: number;
  readonly disk: MemoryFileSystem;
  isUp = false;
  /** Whether others reach it. */
  isConnected = true;
  /** Whether others have answered its hello since its start (R15). */
  isGreeted = false;
  /** Certificates known, a prefix of the chain's; the durable part of it. */
  known: number;
  durableKnown: number;
  /** Milliseconds that its wall clock is off. */
  wallOffsetMs = 0;
  /** Votes of others that it has seen since its start, by round and key. */
  readonly seen = new Map<string, Map<string, VoteStatement[]>>();
  #journal: ConsensusJournal | undefined;
  #guard: VoteGuard | undefined;
  readonly #prng: Prng;

  /** Makes key and journal, as setting up a home does; a restore begins at what its backup knows. */
  constructor(name: string, validator: number, key: VoteKey, seed: number, known: number) {
    this.name = name;
    this.validator = validator;
    this.key = key;
    this.known = known;
    this.durableKnown = known;
    this.disk = new MemoryFileSystem({ prng: new Prng(seed) });
    this.#prng = new Prng(seed + 1);
    this.disk.makeDirectory("/home");
    this.disk.syncDirectory("/");
    createJournal(this.#files(), key.publicKey);
  }

  /** The journal of the running process. */
  get journal(): ConsensusJournal {
    return present(this.#journal, "a journal is read while its box is up");
  }

  get isRecovering(): boolean {
    return this.journal.recovery.kind === "recovering";
  }

  /** Whether it may vote wherever its journal allows. */
  get isIntact(): boolean {
    return this.journal.recovery.kind === "intact";
  }

  /** A start: what the journal holds says how far the chain was known (J2); nobody has answered yet. */
  start(roundIndexOf: (round: Round) => number): void {
    this.#journal = openJournal(this.#files(), { publicKey: this.key.publicKey, isBlocking: true });
    this.#guard = new VoteGuard(this.#journal, this.key, CHAIN_ID);
    this.isUp = true;
    this.isGreeted = false;
    this.seen.clear();
    const replay = this.#journal.replay();
    const votes = replay.kind === "lost" ? [] : replay.records.flatMap((record) => (record.kind === "vote" ? [record.statement] : []));
    this.known = Math.max(this.durableKnown, ...votes.map(roundIndexOf));
    if (replay.kind === "lost") this.becomeRecovering();
  }

  /** Power goes. */
  crash(): void {
    this.isUp = false;
    this.#journal = undefined;
    this.#guard = undefined;
    this.disk.crash();
    this.known = this.durableKnown;
  }

  becomeRecovering(): void {
    this.journal.append({ kind: "recovery", status: { kind: "recovering" } });
    this.journal.syncNow();
  }

  /** Ends a recovery with the gate that the answers give (R14). */
  setGate(highest: Round): void {
    this.journal.append({ kind: "recovery", status: gateOf(highest.epoch, highest.view) });
    this.journal.syncNow();
  }

  /** A block that is no boundary is final in the gate's epoch, from the view before its first on: the gate has done its work (R14). */
  endGate(last: Round): void {
    const gate = this.journal.recovery;
    if (gate.kind !== "gated" || gate.epoch !== last.epoch || last.view < gate.firstView - 1) return;
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
    return { files: this.disk.image(), known: this.durableKnown };
  }

  putBack({ files, known }: DiskImage): void {
    this.crash();
    this.disk.restore(files, "/home");
    this.durableKnown = known;
    this.known = known;
  }

  #lose(): undefined {
    this.crash();
    return undefined;
  }

  #files() {
    return { fs: this.disk, directory: DIRECTORY, entropy: { bytes: (count: number) => this.#prng.bytes(count) } };
  }
}
