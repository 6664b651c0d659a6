import {
  compareRounds,
  type JournalLoss,
  type JournalPort,
  type JournalRecord,
  type JournalReplay,
  laterRound,
  type RecoveryStatus,
  type Round,
} from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";
import type { TornTail } from "../storage/index.ts";
import type { JournalContents, LogPlace } from "./journal-contents.ts";
import { encodeRecord, roundOf, type StoredRecord } from "./journal-records.ts";
import { describeVote, VoteBook } from "./vote-book.ts";

/** The append-only log under the journal, as `store.ts` opens it. Every method throws when the disk does not serve. */
export interface JournalLog {
  /** Adds a record; durable only after a later sync. */
  append(body: Uint8Array): LogPlace;
  /** Makes what was appended durable, blocking this thread. */
  sync(): void;
  /** As `sync`, off this thread. */
  syncAsync(): Promise<void>;
  /** Drops whole segments that hold only records below an index, after a sync of its own. */
  dropBefore(index: number): void;
  /** Makes everything durable and lets go. */
  close(): void;
}

/** What a journal stands on: an open log with what it holds, or why there is none and how to begin a recovering one. */
export type JournalSource =
  | {
      readonly kind: "open";
      readonly log: JournalLog;
      readonly contents: JournalContents;
      readonly oldestSegment: number;
      readonly lastPlace: LogPlace;
      /** Un-synced bytes that opening dropped. */
      readonly tornTail?: TornTail;
    }
  | {
      readonly kind: "lost";
      readonly loss: JournalLoss;
      /** What was found, where. */
      readonly detail: string;
      /**
       * Sets aside what is there and makes, in one durable step, a log that holds exactly these records: a crash leaves
       * the loss or the new log, never a new log without them (J8).
       */
      readonly begin: (records: readonly Uint8Array[]) => Extract<JournalSource, { kind: "open" }>;
    };

/** How a journal is run. */
export type JournalOptions = {
  /** Key whose votes it holds. */
  readonly publicKey: Uint8Array;
  /** Whether syncs block the thread; default no. */
  readonly isBlocking?: boolean;
  /** Told each round of which a vote has become durable, before that vote is signed; what it throws ends voting (J7). */
  readonly onDurable?: (round: Round) => void;
};

/**
 * The consensus journal: own votes, the certificates and payloads they rest on, floor and recovery status, append-only.
 *
 * Invariants: no vote is appended that contradicts one in it (J3); what the guard may sign is durable (J1); after any
 * failure nothing is appended, synced or signed again (J7); records above the floor are never dropped (J5); a lost
 * journal takes nothing but the start of a recovery (J8).
 */
export class ConsensusJournal implements JournalPort {
  readonly #options: JournalOptions;
  readonly #replay: JournalReplay;
  readonly #book: VoteBook;
  #source: JournalSource;
  /** Un-synced bytes that opening dropped; undefined when there were none. */
  readonly tornTail: TornTail | undefined;
  /** Places of the records above the floor, oldest first. */
  #live: { readonly place: LogPlace; readonly round: Round }[] = [];
  #oldestSegment = 0;
  #lastPlace: LogPlace = { index: 0, segment: 0 };
  #recovery: RecoveryStatus;
  #failure: { readonly cause: unknown } | undefined;

  constructor(source: JournalSource, options: JournalOptions) {
    this.#options = options;
    this.#source = source;
    this.tornTail = source.kind === "open" ? source.tornTail : undefined;
    if (source.kind === "lost") {
      this.#replay = { kind: "lost", loss: source.loss, detail: source.detail };
      this.#recovery = { kind: "recovering" };
      this.#book = new VoteBook({ epoch: 0, view: 0 });
      return;
    }
    const { floor, recovery, live } = source.contents;
    this.#replay = { kind: "intact", floor, recovery, records: live.map(({ record }) => record) };
    this.#recovery = recovery;
    this.#book = new VoteBook(floor);
    this.#takePlaces(source);
    for (const { record, place, round } of live) {
      this.#live.push({ place, round });
      if (record.kind === "vote") this.#book.enter(record.statement, true);
    }
  }

  /** The own votes it holds, for the guard. */
  get book(): VoteBook {
    return this.#book;
  }

  /** The recovery status last appended. */
  get recovery(): RecoveryStatus {
    return this.#recovery;
  }

  /** Whether a failure has ended its use (J7). */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  replay(): JournalReplay {
    return this.#replay;
  }

  append(record: JournalRecord): void {
    this.#failing(() => this.#append(record));
  }

  /** Makes every appended record durable before it returns. */
  syncNow(): void {
    const pending = this.#book.takePending();
    this.#failing(() => {
      this.#log().sync();
      this.#tell(pending);
    });
    this.#book.markDurable(pending);
  }

  sync(): void | Promise<void> {
    if (this.#options.isBlocking) {
      this.syncNow();
      return undefined;
    }
    const pending = this.#book.takePending();
    const synced = this.#failing(() => this.#log().syncAsync()).then(() => this.#tell(pending));
    return synced.then(
      () => this.#book.markDurable(pending),
      (cause: unknown) => {
        this.#failure ??= { cause };
        throw cause;
      },
    );
  }

  /** Drops segments whose records all lie at or below the floor, writing anew what concerns the journal as a whole. */
  prune(floor: Round): void {
    while (this.#live[0] && compareRounds(this.#live[0].round, floor) <= 0) this.#live.shift();
    const oldest = this.#live[0]?.place ?? this.#lastPlace;
    if (oldest.segment <= this.#oldestSegment) return;
    this.#failing(() => {
      this.#write({ kind: "identity", publicKey: this.#options.publicKey });
      this.#write({ kind: "floor", round: floor });
      if (this.#recovery.kind !== "intact") this.#write({ kind: "recovery", status: this.#recovery });
      this.#log().dropBefore(oldest.index);
    });
    this.#oldestSegment = oldest.segment;
    this.#book.raiseFloor(floor);
  }

  /** Makes everything durable and lets go. */
  close(): void {
    if (this.#source.kind === "open") this.#source.log.close();
  }

  #tell(votes: readonly { readonly statement: Round }[]): void {
    for (const { statement } of votes) this.#options.onDurable?.(statement);
  }

  /** How far the votes in it, and its floor, reach. */
  get reach(): Round {
    const { epoch, view } = this.#live.reduce((latest, { round }) => laterRound(latest, round), this.#book.floor);
    return { epoch, view };
  }

  #append(record: JournalRecord): void {
    if (this.#source.kind === "lost") {
      this.#begin(this.#source, record);
      return;
    }
    if (record.kind === "vote") {
      const refusal = this.#book.check(record.statement);
      assert(refusal === undefined, `${describeVote(record.statement)} agrees with the journal (${refusal})`);
      this.#book.enter(record.statement, false);
    }
    if (record.kind === "recovery") this.#recovery = record.status;
    const place = this.#write(record);
    const round = roundOf(record);
    if (round) this.#live.push({ place, round });
  }

  #begin(lost: Extract<JournalSource, { kind: "lost" }>, record: JournalRecord): void {
    assert(record.kind === "recovery" && record.status.kind === "recovering", "a lost journal begins again as a recovering one");
    const identity = encodeRecord({ kind: "identity", publicKey: this.#options.publicKey });
    const source = lost.begin([identity, encodeRecord(record)]);
    this.#source = source;
    this.#takePlaces(source);
  }

  #takePlaces(source: Extract<JournalSource, { kind: "open" }>): void {
    this.#oldestSegment = source.oldestSegment;
    this.#lastPlace = source.lastPlace;
  }

  #write(record: StoredRecord): LogPlace {
    this.#lastPlace = this.#log().append(encodeRecord(record));
    return this.#lastPlace;
  }

  #log(): JournalLog {
    assert(this.#source.kind === "open", "a lost journal takes nothing but the start of a recovery");
    return this.#source.log;
  }

  /** Remembers the first failure, after which everything is refused (J7). */
  #failing<T>(action: () => T): T {
    if (this.#failure) throw this.#failure.cause;
    try {
      return action();
    } catch (cause) {
      this.#failure = { cause };
      throw cause;
    }
  }
}
