import { join } from "node:path";
import { type BatchSource, type BlockQueries, BlockService, HashIndex, type HashIndexParts } from "../blocks/index.ts";
import { ConsensusLoop, type CoreStatus, LAN_TIMERS, type Notice, WAN_TIMERS } from "../consensus/index.ts";
import { type EventLog, event, type LaneRecord, sealBaseRecords, sealBlockRecords, sealGenesisRecords } from "../events/index.ts";
import { type Entropy, type Log, Prng } from "../kernel/index.ts";
import { type CommittedBatch, Dissemination, type EpochMembers, LAN_DISSEMINATION, Mempool, WAN_DISSEMINATION } from "../mempool/index.ts";
import type { Overlay, State } from "../state/index.ts";
import { VoteGuard } from "../validator/index.ts";
import { blockObserver, onNotice, openEvents } from "./event-tellers.ts";
import type { NodeFiles } from "./files.ts";
import { HOME } from "./home.ts";
import { findChainBase, genesisStateRootOf } from "./joining.ts";
import { type CacheDamage, openState } from "./open-state.ts";
import { ParametersInForce } from "./parameters-in-force.ts";
import { type PeerEvents, peerEvents } from "./peers.ts";
import type { Platform } from "./platform.ts";
import { Settlements } from "./settlements.ts";
import type { NodeSetup } from "./setup.ts";

/** The contexts of a running node. */
export type Contexts = {
  readonly state: State;
  readonly index: HashIndex;
  readonly blocks: BlockService<Overlay, LaneRecord>;
  readonly mempool: Mempool;
  readonly dissemination: Dissemination;
  readonly loop: ConsensusLoop;
  readonly events: EventLog;
  readonly settlements: Settlements;
  /** Where the network hands in what peers do and say. */
  readonly peers: PeerEvents;
  readonly parameters: ParametersInForce;
  /** Caches that were not what was written and were built again. */
  readonly rebuilt: readonly CacheDamage[];
};

/** On flash, which the wan profile is for, every sync costs a page or two whatever it holds: transactions wait longer for company. */
const LINGER = { lan: { lingerMinMs: 5, lingerMaxMs: 20 }, wan: { lingerMinMs: 20, lingerMaxMs: 40 } } as const;
/** How long a leader leaves out a batch that a quorum is not known to hold: some round trips and syncs. */
const OFFER_AFTER_MS = { lan: 1_000, wan: 2_500 } as const;

/**
 * Constructs the contexts in floor order and brings each up to the chain's tip: state by executing again what follows its
 * checkpoint, the index, then the mempool from its log. Nothing votes or admits yet.
 *
 * @param platform the one that the files were opened on
 * @param fail called once when a durable write failed or an invariant broke: the process must end
 * @param witness hears what consensus tells, after the log and the events have
 */
export function openContexts(
  setup: NodeSetup,
  files: NodeFiles,
  platform: Platform,
  log: Log,
  fail: (error: unknown) => void,
  witness: (notice: Notice) => void = () => {},
): Contexts {
  const { genesis, validatorSet, configuration, home } = setup;
  const { clock, timers, entropy, suite, network } = platform;
  const { profile } = configuration.consensus;
  const isWan = profile === "wan";
  let events: EventLog | undefined;
  const base = findChainBase(setup, files.chain, platform);
  const { state, damage } = openState(setup, files, platform, log, fail, base);
  const indexParts: HashIndexParts = {
    fs: platform.fs,
    directory: join(home, HOME.index),
    chainId: genesis.hash,
    log,
    onDamage: (error) => {
      log.error("storage.damaged", { file: error.path, detail: error.message });
      damage.push({ file: error.path, detail: `${error.message}; it is a cache and is built again from the chain` });
      events?.appendCrit(event("storage.damaged", { file: error.path, place: "index run", detail: error.message }));
    },
  };
  const index = new HashIndex(indexParts, platform.indexTuning);
  const batches: BatchSource = {
    select: (limits, isExcluded) => mempool.select(limits, isExcluded),
    hasIncludable: () => mempool.hasIncludable(),
    find: (digest) => mempool.find(digest),
    read: (digest, location) => mempool.read(digest, location),
    replayMark: () => mempool.replayMark(),
    onCommitted: (outcome) => mempool.onCommitted(outcome),
  };
  const blocks = new BlockService({
    database: files.chain,
    genesis,
    validatorSet,
    state,
    batches,
    index,
    lane: {
      sealGenesis: sealGenesisRecords,
      sealBlock: sealBlockRecords,
      onCommitted: (records) => events?.onChainCommitted(records),
    },
    verifySignature: (key, message, signature) => suite.verify(key, message, signature),
    log,
    base: base && { manifest: base, genesisStateRoot: genesisStateRootOf(genesis), seal: sealBaseRecords },
    observer: blockObserver(
      () => events,
      (digest) => mempool.find(digest)?.header.count ?? 0,
    ),
  });
  const settlements = new Settlements();
  const parameters = new ParametersInForce(state, genesis.parameters);
  const tip = blocks.tip();
  const mempool = new Mempool({
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
      offerAfterMs: OFFER_AFTER_MS[profile],
      ...lingerOf(profile, configuration.mempool.lingerMs),
    },
    isSyncing: () => isUnableToAdmit(loop.standing()),
    freeSpaceBytes: () => platform.freeBytes(home),
    epochs: () => recentEpochs(blocks),
    onBatchDurable: (batch) => {
      const { digest, count, sizeBytes, isOwn } = batch;
      if (isOwn) events?.appendOps(event("transaction.submitted", { batch: digest, transactions: count, sizeBytes }));
      dissemination.onBatchDurable(batch);
    },
    onBatchReleased: (release) => dissemination.onBatchReleased(release),
    onEvidence: (evidence) => loop.onEvidence(evidence),
    isConvicting: (evidence) => blocks.isConvicting(evidence),
    onEnded: (ids) => settlements.tell(ids),
    onWork: () => loop.onWork(),
    onFatal: fail,
  });
  blocks.recover(tip.height);
  const dissemination = new Dissemination(
    {
      batches: mempool,
      send: (peer, message) => network.sendBatchMessage(peer, message),
      clock,
      timers,
      prng: new Prng(seedFrom(entropy)),
      validatorSet: () => blocks.reader.currentEpoch().validatorSet,
      onHeld: () => loop.onBatchesHeld(),
      onFault: (peer, fault) => network.onBatchFault(peer, fault),
    },
    { self: setup.validator.publicKey, tuning: isWan ? WAN_DISSEMINATION : LAN_DISSEMINATION },
  );
  const opened = openEvents(setup, files, blocks, platform, log);
  events = opened;
  for (const database of [files.chain, files.node, files.ops]) damage.push(...database.notices);
  for (const tail of [files.batches.report.tornTail, files.journal.tornTail]) {
    if (tail?.shape === "garbled")
      damage.push({
        file: tail.file,
        detail: `${tail.sizeBytes} bytes from ${tail.offset} on were no record and were dropped: a write cut off, or damage to the last one`,
      });
  }
  for (const { file, detail } of damage) opened.appendCrit(event("storage.damaged", { file, place: "whole file", detail }));
  mempool.start(blocks.reader.find(tip.height)?.replayMark ?? 0);
  const loop = new ConsensusLoop(
    {
      blocks,
      journal: files.journal,
      signer: new VoteGuard(files.journal, setup.validator, genesis.hash),
      network: {
        broadcast: (message) => network.broadcast(message),
        send: (peer, message) => network.send(peer, message),
        fetchBatches: (digests) => dissemination.fetch(digests),
      },
      clock,
      timers,
      onNotice: (notice) => {
        onNotice(notice, opened, log);
        witness(notice);
      },
      onFatal: fail,
    },
    {
      chainId: genesis.hash,
      suite,
      profile: isWan ? WAN_TIMERS : LAN_TIMERS,
      seed: seedFrom(entropy),
    },
  );
  const peers = peerEvents(loop, dissemination, network);
  return { state, index, blocks, mempool, dissemination, loop, events: opened, settlements, parameters, peers, rebuilt: damage };
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

function seedFrom(entropy: Entropy): number {
  return new DataView(entropy.bytes(4).buffer).getUint32(0);
}

/**
 * Whether a node takes nothing in, since it could not keep the promise that an acceptance is: it is far behind the chain
 * (R13); it is in no set, so nobody takes its batches; or agreement has ended here, as with a single validator that lost
 * its journal, until its operator acts.
 */
function isUnableToAdmit({ isLagging, voting }: Pick<CoreStatus, "voting" | "isLagging">): boolean {
  return isLagging || voting === "following" || voting === "mute" || voting === "halted";
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
