import { assert, compareBytes } from "../kernel/index.ts";
import { makeValidatorSet, type Validator, type ValidatorSet } from "../protocol/index.ts";

/** Why a member of the running set leaves it: it was convicted, or it exits, has too little stake, or is outranked. */
export type Fate = "stays" | "convicted" | "leaves";

/** A validator as the choice of the next set sees it: the keys, owner and reputation that it has in the next epoch. */
export type SetCandidate = Omit<Validator, "weight"> & {
  /** First signing key, which orders validators of equal stake. */
  readonly id: Uint8Array;
  /** Units bonded to it, its weight when nothing holds it back. */
  readonly stake: bigint;
};

/** A member of the running set. */
export type SetMember = SetCandidate & { readonly weight: bigint; readonly fate: Fate };

/** A candidate with the weight it has so far. */
type Seat = { readonly candidate: SetCandidate; readonly weight: bigint };

/** Steps that a change is cut into when all of it would move too much. */
const PART_BITS = 64n;

/**
 * The set of the next epoch. From the running weights it moves towards the stakes, in this order: convicted members out,
 * other leavers out, weights to stakes, joiners in by stake. Each step is taken as far as the weight that has moved, up and
 * down together, stays within F, that is below a third of the running weight; what does not fit waits for the next epoch.
 * Exchanging a key or an owner moves nothing.
 *
 * In every result no weight exceeds F, for which a set needs four members: when one fewer would be left, a leaver keeps its
 * seat with weight 1 until another takes it. A set of one stays as it is, since no second seat could have a lawful weight.
 *
 * Pure, and the same for any order of its arguments.
 *
 * @param seatsMax no seat is given to a joiner beyond so many
 */
export function nextValidatorSet(members: readonly SetMember[], joiners: readonly SetCandidate[], seatsMax: number): ValidatorSet {
  const running = [...members].sort((a, b) => compareBytes(a.id, b.id));
  const seated = makeValidatorSet(running.map((member) => seatedAs(member, member.weight)));
  assert(seated.ok, "the running weights are lawful under any keys");
  if (running.length < SEATS_MIN) return seated.value;
  const move = new Move(running);
  for (const fate of ["convicted", "leaves"] as const) {
    for (const member of running) if (member.fate === fate) move.remove(member);
  }
  const staying = new Map<SetCandidate, bigint>(running.filter(({ fate }) => fate === "stays").map((member) => [member, member.stake]));
  move.towards((seat) => staying.get(seat.candidate) ?? seat.weight);
  for (const joiner of [...joiners].sort(byStake)) {
    if (move.seats.length >= seatsMax || !move.join(joiner)) break;
  }
  const next = makeValidatorSet(move.seats.map(({ candidate, weight }) => seatedAs(candidate, weight)));
  assert(next.ok || next.error === "weightOverflow", "what moves under the cap from lawful weights is lawful");
  return next.ok ? next.value : seated.value; // stakes that left and came may add up to more than 64 bits while they move
}

function seatedAs({ publicKey, owner, reputation }: SetCandidate, weight: bigint): Validator {
  return { publicKey, owner, weight, reputation };
}

/** Orders candidates by stake, the largest first, and equal ones by id. */
export function byStake(a: SetCandidate, b: SetCandidate): number {
  return a.stake === b.stake ? compareBytes(a.id, b.id) : a.stake > b.stake ? -1 : 1;
}

/** Weights on their way from the running ones, lawful after every step, with what has moved within its bound. */
class Move {
  seats: readonly Seat[];
  readonly #before: ReadonlyMap<SetCandidate, bigint>;
  readonly #totalBefore: bigint;

  constructor(running: readonly SetMember[]) {
    this.seats = running.map((candidate) => ({ candidate, weight: candidate.weight }));
    this.#before = new Map(running.map((candidate) => [candidate, candidate.weight]));
    this.#totalBefore = sumOf(this.seats);
  }

  /** Takes a seat away, or leaves it weight 1 where fewer than four would remain. */
  remove(leaver: SetMember): void {
    const others = this.seats.filter(({ candidate }) => candidate !== leaver);
    if (this.#isSpent() || (others.length >= SEATS_MIN && this.#takeWhenWithin(capped(others)))) return;
    this.towards((seat) => (seat.candidate === leaver ? 1n : seat.weight));
  }

  /** Moves every weight towards its target, above 0, as far as it goes. */
  towards(targetOf: (seat: Seat) => bigint): void {
    if (this.#isSpent()) return;
    const start = this.seats;
    const goal = capped(start.map((seat) => ({ ...seat, weight: targetOf(seat) })));
    if (this.#takeWhenWithin(goal)) return;
    const parts = 1n << PART_BITS;
    let fits = 0n;
    for (let step = parts >> 1n; step > 0n; step >>= 1n) {
      if (this.#isWithin(capped(between(start, goal, fits + step, parts)))) fits += step;
    }
    this.#takeWhenWithin(capped(between(start, goal, fits, parts)));
    this.#moveSingly(goal);
  }

  /** Seats a joiner with what weight fits, up to its stake; false when not even one unit does. */
  join(candidate: SetCandidate): boolean {
    if (!this.#isWithin(capped([...this.seats, { candidate, weight: 1n }]))) return false;
    this.seats = capped([...this.seats, { candidate, weight: 1n }]);
    this.towards((seat) => (seat.candidate === candidate ? candidate.stake : seat.weight));
    return true;
  }

  /** What rounding left over, where weights are small: one unit a seat, in order. */
  #moveSingly(goal: readonly Seat[]): void {
    for (const [at, { weight: target }] of goal.entries()) {
      const step = (weight: bigint): bigint => (target > weight ? weight + 1n : target < weight ? weight - 1n : weight);
      this.#takeWhenWithin(capped(this.seats.map((seat, other) => (other === at ? { ...seat, weight: step(seat.weight) } : seat))));
    }
  }

  #takeWhenWithin(seats: readonly Seat[]): boolean {
    const isWithin = this.#isWithin(seats);
    if (isWithin) this.seats = seats;
    return isWithin;
  }

  /** Whether not one unit more may move. */
  #isSpent(): boolean {
    return 3n * (this.#movedIn(this.seats) + 1n) >= this.#totalBefore;
  }

  #isWithin(seats: readonly Seat[]): boolean {
    return 3n * this.#movedIn(seats) < this.#totalBefore;
  }

  #movedIn(seats: readonly Seat[]): bigint {
    let moved = this.#totalBefore;
    for (const { candidate, weight } of seats) {
      const before = this.#before.get(candidate) ?? 0n;
      moved += (weight > before ? weight - before : before - weight) - before;
    }
    return moved;
  }
}

/** Members that a set of more than one needs, so that none exceeds F. */
const SEATS_MIN = 4;

/** The same seats with the highest cap on weights under which none exceeds F. */
function capped(seats: readonly Seat[]): readonly Seat[] {
  assert(seats.length >= SEATS_MIN, "weights are capped in sets of four or more");
  const weights = seats.map(({ weight }) => weight);
  let most = 1n;
  for (const weight of weights) if (weight > most) most = weight;
  if (3n * most < sumOf(seats)) return seats;
  const cap = capOf(weights, most);
  return seats.map((seat) => (seat.weight > cap ? { ...seat, weight: cap } : seat));
}

/**
 * The largest c with 3c < the sum of all weights cut to c. That difference grows and then falls with c (it is concave),
 * and 1 satisfies it with four members, so halving finds the largest.
 */
function capOf(weights: readonly bigint[], most: bigint): bigint {
  let low = 1n;
  let high = most;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    let sum = 0n;
    for (const weight of weights) sum += weight < middle ? weight : middle;
    if (3n * middle < sum) low = middle;
    else high = middle - 1n;
  }
  return low;
}

/** Weights a part of the way from one list of seats to another of the same candidates, rounded towards the first. */
function between(from: readonly Seat[], to: readonly Seat[], part: bigint, parts: bigint): readonly Seat[] {
  return from.map((seat, at) => {
    const target = to[at]?.weight ?? seat.weight;
    return { ...seat, weight: seat.weight + ((target - seat.weight) * part) / parts };
  });
}

function sumOf(seats: readonly Seat[]): bigint {
  return seats.reduce((sum, { weight }) => sum + weight, 0n);
}
