import { open } from "node:fs/promises";
import {
  EscrowDepositor,
  EscrowHandover,
  EscrowKeeper,
  EscrowTable,
  type KeptAck,
  type Neighbourhood,
  type SyncAgent,
} from "../../sync/agent/index.ts";
import { compareCursors } from "../events/index.ts";
import { err, type Log, ok } from "../kernel/index.ts";
import type { MetricFamily, MetricSource } from "../monitoring/index.ts";
import { type Database, isStorageError } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import type { NodeNetworking } from "./networking.ts";
import { systemPlatform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";

/** What escrow stands on, beside the agents. */
export type NodeEscrowParts = {
  readonly setup: NodeSetup;
  readonly contexts: Pick<Contexts, "events">;
  readonly networking: NodeNetworking;
  /** sync.db, open. */
  readonly database: Database;
  readonly log: Log;
};

/** Both sides of escrow on a node: its own vital lane to two peers, and theirs here until an aggregator has it. */
export class NodeEscrow implements MetricSource {
  readonly #depositor: EscrowDepositor;
  readonly #keeper: EscrowKeeper;
  readonly #handover: EscrowHandover;

  constructor({ setup, contexts, networking, database, log }: NodeEscrowParts, agents: readonly SyncAgent[]) {
    const { clock, timers, suite } = systemPlatform;
    const { identity, nodeId: node } = setup;
    const network = setup.genesis.hash;
    const { verify } = suite;
    const store = new EscrowTable(database);
    const isWitness = (key: Uint8Array): boolean => agents.some((agent) => agent.isWitness(key));
    const flush = (): Promise<void> => syncLog(database.path);
    this.#keeper = new EscrowKeeper({ store, flush, network, verify, isWitness, clock, log });
    this.#handover = new EscrowHandover({ store, outlets: agents, network, verify, clock, timers, log });
    const neighbours = neighbourhood(networking, setup.configuration.sync.escrowPeers);
    const acknowledged = (): KeptAck | undefined => furthest(agents.map((agent) => agent.acknowledged("crit")));
    this.#depositor = new EscrowDepositor({
      source: contexts.events,
      neighbours,
      acknowledged,
      node,
      network,
      identity,
      clock,
      timers,
      log,
    });
    networking.serveNeighbours(async (from, request) => {
      try {
        const answer = await this.#keeper.answer(from, request);
        return answer ? ok(answer) : err("malformed");
      } catch (error) {
        if (!isStorageError(error)) throw error;
        log.error("escrow.storeFailed", { file: error.path, error: error.message });
        return err("busy");
      }
    });
  }

  /** Begins. */
  start(): void {
    this.#depositor.start();
    this.#handover.start();
  }

  /** Stops; what peers keep, they keep. */
  stop(): void {
    this.#depositor.stop();
    this.#handover.stop();
  }

  collect(): readonly MetricFamily[] {
    return [this.#depositor, this.#keeper, this.#handover].flatMap((part) => [...part.collect()]);
  }
}

/** The furthest of some acknowledgements. */
function furthest(acks: readonly (KeptAck | undefined)[]): KeptAck | undefined {
  return acks.reduce((best, ack) => (ack && (!best || compareCursors(ack, best) > 0) ? ack : best), undefined);
}

/** @param wanted keys of those that may keep; none: whoever is a neighbour */
function neighbourhood(networking: NodeNetworking, wanted: readonly string[]): Neighbourhood {
  const keys = wanted.map((key) => key.toLowerCase());
  return {
    list: () => networking.neighbours.list().filter((peer) => keys.length === 0 || keys.includes(peer)),
    ask: async (peer, request) => {
      const answer = await networking.neighbours.ask(peer, request);
      return answer.ok ? answer.value : undefined;
    },
  };
}

/** Makes the write-ahead log of a database durable beside the thread: commits in it are in order, so all before are, too. */
async function syncLog(path: string): Promise<void> {
  const file = await open(`${path}-wal`, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
