/** Bounds of the rules that are the same on every node. */
export const BOUNDS = {
  /** Votes are taken so far below the floor, for evidence (R0, R11). */
  viewsBelowFloor: 256,
  /** Votes and proposals are taken so far above the current view (R0). */
  viewsAboveCurrent: 16,
  /** Above so many unfinalized blocks leaders propose empty ones. */
  unfinalizedBlocksMax: 8,
  /** A leader without a vote in so many certified views gets deadline 0 (R10). */
  leaderSkipViews: 32,
  /** More final blocks than this not yet committed here: no votes, no admission (R13). */
  lagBlocksMax: 8,
  /** The first safe view after a lost journal lies so far above the highest view shown certified (R14). */
  recoveryViews: 3,
  /** Nullifications sent with a proposal; further ones are fetched. */
  proposalNullificationsMax: 32,
  /** Certificates in one message and in one answer. */
  messageCertificatesMax: 64,
  /** Votes in a hello or its answer. */
  helloVotesMax: 32,
  /** Own votes that go out again at a standstill, the newest (R9). */
  standstillVotesMax: 64,
  /** Peers outside the set whose claims to be ahead are looked into at a time (R13). */
  outsideClaimsMax: 8,
  /** Peers that left whose accounts are remembered. */
  departedMax: 256,
  /** Final blocks in one answer. */
  finalBlocksMax: 256,
  /** Bytes of blocks in one answer of final blocks, unless a single run needs more. */
  finalBlocksBytesMax: 256 * 1024,
  /**
   * Transactions in the blocks of one answer, unless a single run needs more: whoever catches up commits a run whole, so
   * this bounds what it holds executed and not committed. The mempool keeps as many decoded.
   */
  finalBlocksTransactionsMax: 16_384,
  /** Batches asked for at once when final blocks come, those of the lowest blocks first (R13). */
  batchesAheadMax: 2_048,
  /** A peer's budget for answers holds so many seconds of its refill (R9). */
  answerBudgetSeconds: 4,
  /** Finalizations kept whose blocks are not committed here; of more, the lowest and the highest stay. */
  targetsMax: 64,
  /** Unfinalized or uncommitted blocks held; beyond it those furthest from the tip go and are fetched again. */
  blocksMax: 1_024,
  /** Evidence kept for inclusion. */
  evidenceMax: 64,
  /** All peers outside the set together may be answered as much as so many members. */
  outsideShare: 4,
  /** Certificates waiting to be forwarded (R9a). */
  forwardsMax: 64,
  /** Fetches under way (R9d). */
  fetchesMax: 64,
  /** Blocks asked of one peer whose answers may still come. */
  owedBlocksMax: 64,
  /** Such answers that a peer not met before may still owe: our last process may have asked it. */
  owedBlocksStart: 16,
  /** Back-off of fetches, hellos and recovery requests: at most this factor on the fetch timeout. */
  backOffMax: 8,
} as const;
