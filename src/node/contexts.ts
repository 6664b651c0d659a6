import { type BlockService, CHAIN_MIGRATIONS, type HashIndex } from "../blocks/index.ts";
import { ConsensusLoop, LAN_TIMERS, type Notice, WAN_TIMERS } from "../consensus/index.ts";
import { type EventLog, event, type LaneRecord } from "../events/index.ts";
import { type Entropy, type Log, Prng } from "../kernel/index.ts";
import { blockVersionOf } from "../ledger/index.ts";
import { Dissemination, LAN_DISSEMINATION, type Mempool, WAN_DISSEMINATION } from "../mempool/index.ts";
import type { Overlay, State } from "../state/index.ts";
import { VoteGuard } from "../validator/index.ts";
import { onNotice, openEvents } from "./event-tellers.ts";
import type { NodeFiles } from "./files.ts";
import { type ChainContexts, type OpeningParts, openChain } from "./open-chain.ts";
import { openMempool } from "./open-mempool.ts";
import type { CacheDamage } from "./open-state.ts";
import { ParametersInForce } from "./parameters-in-force.ts";
import { type PeerEvents, peerEvents } from "./peers.ts";
import type { Platform } from "./platform.ts";
import { Pruning } from "./pruning.ts";
import { Settlements } from "./settlements.ts";
import type { NodeSetup } from "./setup.ts";
import { raiseChainFormat } from "./upgrade.ts";

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
  /** Lets go of what the policy no longer wants, once the node runs. */
  readonly pruning: Pruning;
  /** Caches that were not what was written and were built again. */
  readonly rebuilt: readonly CacheDamage[];
};

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
  const parts: OpeningParts = { setup, files, platform, log, fail };
  const { genesis, configuration } = setup;
  const { clock, timers, entropy, network } = platform;
  let events: EventLog | undefined;
  const chain = openChain(
    parts,
    () => events,
    () => mempool,
  );
  const { state, index, blocks, damage } = chain;
  const settlements = new Settlements();
  const parameters = new ParametersInForce(state, genesis.parameters);
  const tip = blocks.tip();
  const mempool = openMempool(parts, chain, {
    parameters,
    settlements,
    events: () => events,
    dissemination: () => dissemination,
    loop: () => loop,
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
    { self: setup.validator.publicKey, tuning: configuration.consensus.profile === "wan" ? WAN_DISSEMINATION : LAN_DISSEMINATION },
  );
  const opened = openEvents(setup, files, blocks, platform, log);
  events = opened;
  damage.push(...findNotices(files));
  for (const { file, detail } of damage) opened.appendCrit(event("storage.damaged", { file, place: "whole file", detail }));
  mempool.start(blocks.reader.find(tip.height)?.replayMark ?? 0);
  const loop = openLoop(parts, chain, dissemination, (notice) => {
    onNotice(notice, opened, log);
    witness(notice);
  });
  const peers = peerEvents(loop, dissemination, network);
  const pruned = { state, index, blocks, mempool, events: opened, parameters };
  const pruning = new Pruning(configuration.storage, pruned, { clock, timers }, log, platform.pruneTuning);
  const above = { mempool, dissemination, loop, events: opened, settlements, parameters, peers, pruning };
  return { state, index, blocks, ...above, rebuilt: damage };
}

/** What opening the files found that a person should hear of, though the node can go on. */
function findNotices({ chain, node, ops, batches, journal }: NodeFiles): CacheDamage[] {
  const notices: CacheDamage[] = [];
  for (const database of [chain, node, ops]) notices.push(...database.notices);
  for (const tail of [batches.report.tornTail, journal.tornTail]) {
    if (tail?.shape !== "garbled") continue;
    const detail = `${tail.sizeBytes} bytes from ${tail.offset} on were no record and were dropped: a write cut off, or damage to the last one`;
    notices.push({ file: tail.file, detail });
  }
  return notices;
}

/** Constructs consensus over the chain; it acts once it is started. */
function openLoop(
  { setup, files, platform, fail }: OpeningParts,
  { blocks, state }: ChainContexts,
  dissemination: Dissemination,
  onNoticed: (notice: Notice) => void,
): ConsensusLoop {
  const { genesis, configuration } = setup;
  const { clock, timers, entropy, suite, network } = platform;
  return new ConsensusLoop(
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
      onNotice: onNoticed,
      onFatal: fail,
    },
    {
      chainId: genesis.hash,
      suite,
      profile: configuration.consensus.profile === "wan" ? WAN_TIMERS : LAN_TIMERS,
      seed: seedFrom(entropy),
      nextBlockVersion: () => {
        raiseChainFormat(files.chain, CHAIN_MIGRATIONS.length, state); // asked after each commit, before anything is voted for on it
        return blockVersionOf(state.finalized);
      },
    },
  );
}

function seedFrom(entropy: Entropy): number {
  return new DataView(entropy.bytes(4).buffer).getUint32(0);
}
