import { bytesEqual, compareBytes } from "../kernel/index.ts";

/** What decides between two connections of one pair of nodes. */
export type PairConnection = {
  /** Node key of the end that dialled. */
  readonly dialler: Uint8Array;
  /** Instances of both ends, this one's and the other's, from their hellos. */
  readonly instance: Uint8Array;
  /** Whether it leads through a relay. */
  readonly isRelayed: boolean;
};

/**
 * Whether a new connection of a pair replaces the one that stands. Both ends decide alike, from what both know.
 *
 * - The other end has another instance now: it restarted, and the old connection is dead whatever TCP says.
 * - One of them leads through a relay: the direct one stays.
 * - The same end dialled both: it has given up the old one.
 * - Each end dialled one, at about the same time: the dial of the lower node key stays.
 */
export function isReplacement(fresh: PairConnection, standing: PairConnection): boolean {
  if (!bytesEqual(fresh.instance, standing.instance)) return true;
  if (fresh.isRelayed !== standing.isRelayed) return standing.isRelayed;
  if (bytesEqual(fresh.dialler, standing.dialler)) return true;
  return compareBytes(fresh.dialler, standing.dialler) < 0;
}
