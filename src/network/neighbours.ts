import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import type { PeerId } from "../consensus/index.ts";
import { err, type Result } from "../kernel/index.ts";
import { Budget } from "./budget.ts";
import { nodeKeyOf } from "./gate.ts";
import type { PeerTable } from "./peer-table.ts";
import { askOnStream, NEIGHBOUR_PROTOCOL, type RequestFault, serveRequest } from "./requests.ts";
import type { NetworkPorts } from "./types.ts";

/** Requests of one neighbour. */
const REQUESTS = { perSecond: 2, burst: 20 } as const;

/**
 * Requests between peers that are up and more than strangers: validators, and nodes that the configuration allows. They go
 * over the connection that is there, on a stream of their own, so that they never stand before a vote in a lane.
 */
export class Neighbours {
  readonly #table: PeerTable;
  readonly #allow: readonly string[];
  readonly #ports: Pick<NetworkPorts, "clock" | "timers" | "answers">;
  readonly #budgets = new Map<PeerId, Budget>();

  /** @param allow keys of peers that may ask although they are no validators */
  constructor(table: PeerTable, allow: readonly string[], ports: Pick<NetworkPorts, "clock" | "timers" | "answers">) {
    this.#table = table;
    this.#allow = allow;
    this.#ports = ports;
  }

  /** Names the protocol to libp2p where requests are answered. */
  async register(transport: Libp2p): Promise<void> {
    const { timers, answers } = this.#ports;
    const answer = answers.neighbour;
    if (!answer) return;
    const serve = (stream: Stream, connection: Connection): void => {
      const from = this.#neighbourOn(connection);
      if (from === undefined) stream.abort(new Error("not for strangers"));
      else serveRequest(stream, timers, (request) => (this.#pays(from) ? answer(from, request) : err("busy")));
    };
    await transport.handle(NEIGHBOUR_PROTOCOL, serve, { maxInboundStreams: 2 });
  }

  /** Peers that are up and may be asked. */
  list(): readonly PeerId[] {
    return [...this.#table.peers].filter(({ id, isValidator }) => this.#isTrusted(id, isValidator)).map(({ id }) => id);
  }

  /** Asks one of them. Errors: `unreachable` also when it is not up, or does not speak the protocol. */
  async ask(peer: PeerId, request: Uint8Array): Promise<Result<Uint8Array, RequestFault>> {
    const connection = this.#table.find(peer)?.link.connection;
    if (!connection) return err("unreachable");
    try {
      return await askOnStream(await connection.newStream(NEIGHBOUR_PROTOCOL), this.#ports.timers, request);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every way of losing a connection is an Error of its own class
      return err("unreachable");
    }
  }

  #neighbourOn(connection: Connection): PeerId | undefined {
    const peer = this.#table.findNode(nodeKeyOf(connection.remotePeer) ?? "");
    return peer && this.#isTrusted(peer.id, peer.isValidator) ? peer.id : undefined;
  }

  #isTrusted(id: PeerId, isValidator: boolean): boolean {
    return isValidator || this.#allow.includes(id);
  }

  /** The budgets of those who are no neighbours any more go with the next stranger's. */
  #pays(from: PeerId): boolean {
    const nowMs = this.#ports.clock.monotonicMs();
    const known = this.#budgets.get(from);
    if (!known) for (const id of this.#budgets.keys()) if (!this.#table.find(id)) this.#budgets.delete(id);
    const budget = known ?? new Budget(REQUESTS, nowMs);
    this.#budgets.set(from, budget);
    if (!budget.isSolvent(nowMs)) return false;
    budget.spend(1, nowMs);
    return true;
  }
}
