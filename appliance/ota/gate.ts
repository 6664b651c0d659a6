/** What the commit gate goes by. */
export type GateFacts = {
  /** Whether this box has a node to run; one that belongs to no network yet has none. */
  readonly hasNode: boolean;
  /** Whether the box runs on memory, since its data partition cannot be used. */
  readonly isDataLost: boolean;
  /** Whether the service manager heard READY and the node runs. */
  readonly isRunning: boolean;
  /** Healthy looks in a row. */
  readonly healthyLooks: number;
  /** Whether it validates, follows the chain or catches up. */
  readonly isWorking: boolean;
  /** Whether an aggregator is connected; undefined without one. */
  readonly isAggregatorUp: boolean | undefined;
};

/** What a box without its aggregator does about a new release. */
export type OfflinePolicy =
  /** The new release must reach the aggregator when the old one did. */
  | "asBefore"
  /** It need not. */
  | "ignore";

/** Healthy looks in a row that a release needs. */
const LOOKS = 3;

/**
 * What a release still lacks before its slot is marked good, as sentence parts; none: it passes. A box without a node passes by
 * its main process, which waits for one. Without its data nothing is known, not even that a node is missing: nothing passes,
 * and a fresh slot is left again, since it may be the one that cannot read them.
 */
export function findGateLacks(facts: GateFacts, needsAggregator: boolean, policy: OfflinePolicy): readonly string[] {
  if (facts.isDataLost) return ["the data partition cannot be used"];
  if (!facts.hasNode) return [];
  const mustReach = needsAggregator && policy === "asBefore" && facts.isAggregatorUp !== undefined;
  return [
    ...(facts.isRunning ? [] : ["the node does not run"]),
    ...(facts.healthyLooks >= LOOKS ? [] : [`${facts.healthyLooks} of ${LOOKS} healthy looks in a row`]),
    ...(facts.isWorking ? [] : ["the node neither validates nor follows the chain"]),
    ...(mustReach && facts.isAggregatorUp !== true ? ["the aggregator is not reached, and was before"] : []),
  ];
}

/** What leaving the node goes by; undefined word: it does not answer. */
export type MoveFacts = {
  /** Whether supervision has a node that runs. */
  readonly isRunning: boolean;
  readonly syncState: string | undefined;
  readonly isValidator: boolean;
  /** Members of the set that are not connected; undefined: not known. */
  readonly missingValidators: number | undefined;
};

/**
 * Why the node cannot be left now, as a sentence part; undefined: it can. A network is updated box by box: while another
 * validator is away, or this box has not caught up after its own restart, its votes may be the ones that a quorum lacks.
 *
 * @see docs/upgrades.md
 */
export function findReasonToStay({ isRunning, syncState, isValidator, missingValidators }: MoveFacts): string | undefined {
  if (!isRunning || syncState === "outdated") return undefined; // nothing is lost by leaving it, and an update may be its cure
  if (syncState !== "synced") return `the node is ${syncState === undefined ? "silent" : `not level with the chain (${syncState})`}`;
  if (!isValidator) return undefined;
  if (missingValidators === undefined) return "the node does not say which validators it is connected to";
  return missingValidators === 0 ? undefined : `${missingValidators} other validators are away`;
}
