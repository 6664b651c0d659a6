import { compareRounds, type Round } from "../consensus/index.ts";
import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import { VOTE_KIND, type VoteStatement } from "../protocol/index.ts";

/** Why a vote is refused. `conflict`: an honest validator does not cast both; `afterNullify`: NOTARIZE after NULLIFY. */
export type VoteRefusal = "conflict" | "afterNullify" | "belowFloor";

type BookEntry = { readonly statement: VoteStatement; isDurable: boolean };

/**
 * The own votes that the journal holds, by round: what the guard knows. A vote is entered when it is appended and becomes
 * durable with a later sync.
 */
export class VoteBook {
  readonly #rounds = new Map<string, BookEntry[]>();
  #pending: BookEntry[] = [];
  #floor: Round;

  constructor(floor: Round) {
    this.#floor = floor;
  }

  /** At or below it nothing is entered or signed. */
  get floor(): Round {
    return this.#floor;
  }

  /** Rounds held. */
  get size(): number {
    return this.#rounds.size;
  }

  /** Whether a vote may join those of its round; undefined when it may, also when it is there already. */
  check(statement: VoteStatement): VoteRefusal | undefined {
    if (compareRounds(statement, this.#floor) <= 0) return "belowFloor";
    const held = this.#rounds.get(keyOf(statement)) ?? [];
    if (held.some((entry) => isSameStatement(entry.statement, statement))) return undefined;
    if (held.some((entry) => isConflicting(entry.statement, statement))) return "conflict";
    const hasNullify = held.some((entry) => entry.statement.kind === VOTE_KIND.nullify);
    return hasNullify && statement.kind === VOTE_KIND.notarize ? "afterNullify" : undefined;
  }

  /** Enters a vote that `check` allows. */
  enter(statement: VoteStatement, isDurable: boolean): void {
    assert(this.check(statement) === undefined, "a journaled vote conflicts with none before it");
    const key = keyOf(statement);
    const held = this.#rounds.get(key) ?? [];
    if (held.some((entry) => isSameStatement(entry.statement, statement))) return;
    const entry = { statement, isDurable };
    this.#rounds.set(key, [...held, entry]);
    if (!isDurable) this.#pending.push(entry);
    assert(held.length < 3, "a round holds at most one vote of each kind");
  }

  /** What is entered and not durable yet; pass it to `markDurable` once a sync that began now has returned. */
  takePending(): readonly BookEntry[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending;
  }

  /** A sync has returned. */
  markDurable(entries: readonly BookEntry[]): void {
    for (const entry of entries) entry.isDurable = true;
  }

  /** Whether exactly this vote is durable in the journal. */
  isDurable(statement: VoteStatement): boolean {
    const held = this.#rounds.get(keyOf(statement)) ?? [];
    return held.some((entry) => entry.isDurable && isSameStatement(entry.statement, statement));
  }

  /** Raises the floor and forgets rounds at or below it. The floor never moves back (J5). */
  raiseFloor(floor: Round): void {
    if (compareRounds(floor, this.#floor) <= 0) return;
    this.#floor = floor;
    for (const [key, [first]] of this.#rounds) if (first && compareRounds(first.statement, floor) <= 0) this.#rounds.delete(key);
  }
}

/** Whether two votes of one round contradict each other, as R11 convicts them. */
function isConflicting(a: VoteStatement, b: VoteStatement): boolean {
  if (a.kind === VOTE_KIND.nullify || b.kind === VOTE_KIND.nullify) {
    return a.kind === VOTE_KIND.finalize || b.kind === VOTE_KIND.finalize;
  }
  return !isSameProposal(a, b);
}

function isSameStatement(a: VoteStatement, b: VoteStatement): boolean {
  return a.kind === b.kind && isSameProposal(a, b);
}

function isSameProposal(a: VoteStatement, b: VoteStatement): boolean {
  if (!a.proposalId || !b.proposalId) return !a.proposalId && !b.proposalId;
  return bytesEqual(a.proposalId, b.proposalId);
}

function keyOf(round: Round): string {
  return `${round.epoch}:${round.view}`;
}

/** A vote for messages to people, e.g. `NOTARIZE epoch 0 view 7 3f2a...`. */
export function describeVote(statement: VoteStatement): string {
  const names = { 1: "NOTARIZE", 2: "NULLIFY", 3: "FINALIZE" } as const;
  const proposal = statement.proposalId ? ` ${toHex(statement.proposalId.subarray(0, 4))}...` : "";
  return `${names[statement.kind]} epoch ${statement.epoch} view ${statement.view}${proposal}`;
}
