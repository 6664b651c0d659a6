import type { BlockQueries, BlockService } from "../blocks/index.ts";
import type { Configuration } from "../config/index.ts";
import type { ConsensusLoop, CoreStatus } from "../consensus/index.ts";
import { type EventLog, event, type LaneRecord } from "../events/index.ts";
import { type CommittedBatch, type Dissemination, type EpochMembers, Mempool } from "../mempool/index.ts";
import type { Overlay } from "../state/index.ts";
import type { ChainContexts, OpeningParts } from "./open-chain.ts";
import type { ParametersInForce } from "./parameters-in-force.ts";
import type { Settlements } from "./settlements.ts";

/** On flash, which the wan profile is for, every sync costs a page or two whatever it holds: transactions wait longer for company. */
const LINGER = { lan: { lingerMinMs: 5, lingerMaxMs: 20 }, wan: { lingerMinMs: 20, lingerMaxMs: 40 } } as const;
/** How long a leader leaves out a batch that a quorum is not known to hold: some round trips and syncs. */
const OFFER_AFTER_MS = { lan: 1_000, wan: 2_500 } as const;

/** Whom the mempool tells and asks; each is called only once the node runs. */
export type MempoolNeighbours = {
  readonly parameters: ParametersInForce;
  readonly settlements: Settlements;
  /** The event log, undefined until it is open. */
  readonly events: () => EventLog | undefined;
  readonly dissemination: () => Dissemination;
  readonly loop: () => ConsensusLoop;
};

/** Constructs the mempool over the opened chain; it replays its log when it is started. */
export function openMempool(
  { setup, files, platform, log, fail }: OpeningParts,
  chain: ChainContexts,
  neighbours: MempoolNeighbours,
): Mempool {
  const { genesis, configuration, home } = setup;
  const { clock, timers } = platform;
  const { profile } = configuration.consensus;
  const { state, blocks } = chain;
  const { parameters, settlements, events, dissemination, loop } = neighbours;
  const tip = blocks.tip();
  return new Mempool({
    chainId: genesis.hash,
    signer: setup.validator,
    log: files.batches,
    chain: {
      findExecuted: (id) => blocks.queries.findExecuted(id),
      findBatch: (digest) => findCommittedBatch(blocks.queries, digest),
    },
    finalizedView: () => state.viewOn(undefined),
    tip: { height: tip.height, timeMs: tip.timeMs },
    parameters,
    verifyMany: platform.verifyMany,
    clock,
    timers,
    journal: log,
    bounds: {
      poolCountMax: configuration.mempool.transactionsMax,
      poolSizeBytesMax: configuration.mempool.bytesMax,
      accountCountMax: configuration.mempool.accountTransactionsMax,
      accountSizeBytesMax: configuration.mempool.accountBytesMax,
      sourceCountMax: configuration.mempool.sourceTransactionsMax,
      sourceSizeBytesMax: configuration.mempool.sourceBytesMax,
      freeSpaceBytesMin: configuration.storage.freeBytesMin,
      freeSpaceBytesReserve: reserveOf(configuration.storage),
      offerAfterMs: OFFER_AFTER_MS[profile],
      ...lingerOf(profile, configuration.mempool.lingerMs),
    },
    isSyncing: () => isUnableToAdmit(loop().standing()),
    freeSpaceBytes: () => platform.freeBytes(home),
    epochs: () => recentEpochs(blocks),
    onBatchDurable: (batch) => {
      const { digest, count, sizeBytes, isOwn } = batch;
      if (isOwn) events()?.appendOps(event("transaction.submitted", { batch: digest, transactions: count, sizeBytes }));
      dissemination().onBatchDurable(batch);
    },
    onBatchReleased: (release) => dissemination().onBatchReleased(release),
    onEvidence: (evidence) => loop().onEvidence(evidence),
    isConvicting: (evidence) => blocks.isConvicting(evidence),
    onEnded: (ids) => settlements.tell(ids),
    onWork: () => loop().onWork(),
    onFatal: fail,
  });
}

/** Free bytes kept for what was promised, in settings 0 for a quarter of what admission leaves; never more than that. */
export function reserveOf({ freeBytesMin, freeBytesReserve }: Configuration["storage"]): number {
  return freeBytesReserve === 0 ? Math.floor(freeBytesMin / 4) : freeBytesReserve;
}

/** How long transactions wait for company: at most as configured, 0 for what the profile says. */
function lingerOf(profile: "lan" | "wan", configuredMs: number): { readonly lingerMinMs: number; readonly lingerMaxMs: number } {
  const { lingerMinMs, lingerMaxMs } = LINGER[profile];
  return configuredMs === 0
    ? { lingerMinMs, lingerMaxMs }
    : { lingerMinMs: Math.min(lingerMinMs, configuredMs), lingerMaxMs: configuredMs };
}

/** The set of the running epoch, and that of the one before, whose members' last batches are still on their way. */
function recentEpochs(blocks: BlockService<Overlay, LaneRecord>): readonly EpochMembers[] {
  const running = blocks.reader.currentEpoch();
  const before = running.epoch > 0 ? blocks.reader.findEpoch(running.epoch - 1) : undefined;
  return before ? [running, before] : [running];
}

/**
 * Whether a node takes nothing in, since it could not keep the promise that an acceptance is: it is far behind the chain
 * (R13); it is in no set, so nobody takes its batches; or agreement has ended here, as with a single validator that lost
 * its journal until its operator acts, or where blocks follow that this release does not know.
 */
function isUnableToAdmit({ isLagging, voting }: Pick<CoreStatus, "voting" | "isLagging">): boolean {
  return isLagging || voting === "following" || voting === "mute" || voting === "outdated" || voting === "halted";
}

/** A batch that a committed block names, with the places in it of the transactions that the block skipped. */
function findCommittedBatch(queries: BlockQueries, digest: Uint8Array): CommittedBatch | undefined {
  const found = queries.findBatch(digest);
  const block = found && queries.findByHeight(found.height);
  if (!found || !block) return undefined;
  const first = block.batches.slice(0, found.index).reduce((sum, batch) => sum + batch.transactionCount, 0);
  const end = first + found.batch.transactionCount;
  const skipped = block.execution.skipped.filter((position) => position >= first && position < end).map((position) => position - first);
  return { location: found.location, skipped };
}
