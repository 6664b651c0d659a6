import { join } from "node:path";
import { LAN_TIMERS, WAN_TIMERS } from "../consensus/index.ts";
import { LaneDamaged, recordToJson } from "../events/index.ts";
import type { GatewayPorts, PeersView, StatusView } from "../gateway/index.ts";
import { toHex, utf8 } from "../kernel/index.ts";
import { blockVersionOf } from "../ledger/index.ts";
import { HealthModel, type HealthVerdict } from "../monitoring/index.ts";
import type { Contexts } from "./contexts.ts";
import { Following } from "./following.ts";
import { HOME } from "./home.ts";
import type { MqttUrls } from "./mqtt/index.ts";
import type { NodeNetworking } from "./networking.ts";
import { systemClock } from "./ports.ts";
import { accountQueries, blockQueries, type QueryParts, submissionPort, transactionQueries } from "./queries.ts";
import type { NodeSetup } from "./setup.ts";
import { parameterQueries, validatorQueries } from "./staking-queries.ts";
import { syncStateOf } from "./sync-state.ts";
import { findComingUpdate, findOutdated } from "./upgrade.ts";

/**
 * Everything the gateway knows, from the contexts.
 *
 * @param mqttUrls where the device broker's doors are, once they are open
 */
export function gatewayPorts(
  setup: NodeSetup,
  contexts: Contexts,
  networking: NodeNetworking | undefined,
  startedAtMs: number,
  mqttUrls: () => MqttUrls,
): GatewayPorts & { readonly health: HealthModel } {
  const { blocks, mempool, dissemination, state, loop, settlements, events } = contexts;
  const parts: QueryParts = {
    genesis: setup.genesis,
    mempool,
    queries: blocks.queries,
    reader: blocks.reader,
    view: () => state.viewOn(undefined),
    prove: (key) => state.prove(key),
    leader: () => loop.status().leader,
    archives: () => networking?.archives.map(({ peer, addresses }) => ({ peer, addresses })) ?? [],
    subscribeSettled: (listener) => settlements.subscribe(listener),
  };
  return {
    submission: submissionPort(mempool, dissemination, setup.configuration.mempool.acknowledgement),
    transactions: transactionQueries(parts),
    accounts: accountQueries(parts),
    blocks: blockQueries(parts),
    validators: validatorQueries(parts),
    parameters: parameterQueries(parts),
    node: {
      status: () => ({ ...statusOf(setup, contexts, startedAtMs), mqtt: mqttUrls() }),
      peers: () => peersOf(setup, contexts, networking),
    },
    events: {
      read(lane, after, limit) {
        const read = events.read(lane, after, limit);
        if (!read.ok) throw new LaneDamaged(read.error);
        return { records: read.value.map(recordToJson), head: events.tip(lane) };
      },
      head: (lane) => events.tip(lane),
      subscribe: (listener) => events.subscribe((lane) => listener(lane)),
    },
    genesis: { document: () => utf8(setup.genesisText) },
    health: healthOf(setup, contexts, networking),
  };
}

function statusOf(setup: NodeSetup, { blocks, loop, mempool, parameters, state }: Contexts, startedAtMs: number): StatusView {
  const { epoch, view, voting, peerCount, isLagging, self } = loop.status();
  const tip = blocks.tip();
  const { gauges } = mempool.stats();
  const detail = voting === "outdated" ? findOutdated(blockVersionOf(state.finalized), tip.epoch + 1) : findComingUpdate(state);
  return {
    chainId: setup.genesis.hash,
    chainName: setup.genesis.chainName,
    nodeId: setup.nodeId,
    role: self === undefined ? "observer" : "validator",
    validator: setup.validator.publicKey,
    height: tip.height,
    blockHash: tip.hash,
    blockTimeMs: tip.timeMs,
    epoch,
    view,
    peers: peerCount,
    ...(detail !== undefined && { notice: detail }),
    syncState: syncStateOf({ voting, isLagging }),
    uptimeMs: systemClock.monotonicMs() - startedAtMs,
    minimumFee: parameters.minimumFee,
    maxValidity: parameters.maxValidity,
    pendingTransactions: gauges.pendingCount,
    pendingBytes: gauges.pendingSizeBytes,
  };
}

function peersOf(setup: NodeSetup, { blocks, loop }: Contexts, networking: NodeNetworking | undefined): PeersView {
  const { connected, absent } = networking?.peers() ?? { connected: [], absent: [] };
  const present = new Set(connected.map(({ peer }) => peer));
  const { self } = loop.status();
  const members = blocks.reader.currentEpoch().validatorSet.validators.map(({ publicKey }) => toHex(publicKey));
  return {
    addresses: networking?.addresses ?? [],
    connected: connected.map(({ provenHeight, ...peer }) => ({ ...peer, height: provenHeight })),
    absent,
    height: blocks.queries.tipHeight,
    isArchive: setup.configuration.storage.archive,
    lowestHeight: blocks.queries.lowestHeight,
    archives: networking?.archives ?? [],
    missingValidators: members.filter((key, index) => index !== self && !present.has(key)),
    ...(networking?.sharedKey && { sharedKey: networking.sharedKey }),
  };
}

/** Why this validator does not vote, and what to do. */
function reasonNotToVote(voting: string, home: string, missing: readonly string[]): string {
  if (voting === "greeting")
    return `this validator does not vote yet: validators of a quorum have not answered it since its start; not connected: ${missing.join(", ") || "none"}`;
  if (voting === "recovering")
    return `this validator does not vote: its journal was lost, and it asks the others what was certified meanwhile; not connected: ${missing.join(", ") || "none"}`;
  if (voting !== "mute") return `this validator does not vote: ${voting}`;
  return `this validator does not vote, because its journal (${join(home, HOME.journal)}) is missing or damaged; stop it and run \`bizra doctor --home ${home}\``;
}

function verdictOf(obstacle: string | undefined): HealthVerdict {
  return obstacle === undefined ? { isOk: true } : { isOk: false, reason: obstacle };
}

/** The node's own health: cheap questions of fields. */
export function healthOf(setup: NodeSetup, contexts: Contexts, networking: NodeNetworking | undefined): HealthModel {
  const { home } = setup;
  const { loop, mempool, state } = contexts;
  const health = new HealthModel();
  const profile = setup.configuration.consensus.profile === "wan" ? WAN_TIMERS : LAN_TIMERS;
  const following = new Following(systemClock, profile.heartbeatMs);
  const observe = (): string | undefined => {
    const connected = networking?.peers().connected ?? [];
    const provenHeight = Math.max(0, ...connected.map((peer) => peer.provenHeight ?? 0));
    const { isLagging } = loop.standing();
    following.observe({ height: contexts.blocks.queries.tipHeight, isLagging, peerCount: connected.length, provenHeight });
    return following.obstacle;
  };
  contexts.blocks.subscribe(({ height }) => {
    // Once a commit, which brings hundreds of blocks to one who catches up.
    if (height === contexts.blocks.queries.tipHeight && loop.standing().voting === "following") observe();
  });
  health.add({
    name: "consensus",
    gates: ["ready"],
    check: () => {
      const { voting, isLagging } = loop.standing();
      const { finalized } = state;
      if (voting === "outdated")
        return { isOk: false, reason: findOutdated(blockVersionOf(finalized), contexts.blocks.tip().epoch + 1) ?? "outdated" };
      if (voting === "following") return verdictOf(observe());
      if (isLagging) return { isOk: false, reason: "more blocks are final than this node has: it is catching up" };
      if (voting === "voting") return { isOk: true };
      return { isOk: false, reason: reasonNotToVote(voting, home, peersOf(setup, contexts, networking).missingValidators) };
    },
  });
  health.add({
    name: "key",
    gates: ["ready"],
    check: () => {
      const shared = networking?.sharedKey;
      if (!shared) return { isOk: true };
      const where = shared.address === undefined ? "" : ` at ${shared.address}`;
      return { isOk: false, reason: `another box${where} runs this node's key; stop one of the two, and never run a copied home` };
    },
  });
  health.add({
    name: "admission",
    gates: ["ready"],
    check: () => {
      if (loop.standing().voting === "following") return { isOk: true }; // who is in no set never admits: it serves reads
      const { closedBecause } = mempool.stats().gauges;
      return closedBecause === undefined ? { isOk: true } : { isOk: false, reason: closedBecause };
    },
  });
  health.add({ name: "process", gates: ["live", "startup"], check: () => ({ isOk: true }) });
  return health;
}
