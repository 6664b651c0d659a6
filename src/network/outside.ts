import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { err, ok, type Result } from "../kernel/index.ts";
import { Budget } from "./budget.ts";
import { hostOf, nodeKeyOf } from "./gate.ts";
import {
  decodeFinalRequest,
  decodeProofRequest,
  decodeSnapshotRequest,
  type NoAnswer,
  OUTSIDE_PROTOCOLS,
  serveRequest,
} from "./requests.ts";
import type { NetworkPorts, PrunedAnswer } from "./types.ts";

/** Requests of one outside peer, and how many peers are remembered. */
const REQUESTS = { perSecond: 10, burst: 40 } as const;
const REQUESTERS_MAX = 1_024;

type Answer = Result<Uint8Array, NoAnswer>;
type Find = (request: Uint8Array, source: string) => Answer | Promise<Answer>;

/** Answers outside libp2p peers: proofs, final blocks and submissions, each peer within its budget. */
export class OutsideService {
  readonly #ports: NetworkPorts;
  readonly #onUse: (connection: Connection) => void;
  readonly #budgets = new Map<string, Budget>();

  /** @param onUse hears of each request that is within its peer's budget */
  constructor(ports: NetworkPorts, onUse: (connection: Connection) => void) {
    this.#ports = ports;
    this.#onUse = onUse;
  }

  /** Names the protocols to libp2p. */
  async register(transport: Libp2p): Promise<void> {
    const { findProof, findFinalBlock, findSnapshot, submit } = this.#ports.answers;
    await this.#handle(transport, OUTSIDE_PROTOCOLS.proof, (request) => answer(decodeProofRequest(request), findProof));
    await this.#handle(transport, OUTSIDE_PROTOCOLS.final, (request) => answer(decodeFinalRequest(request), findFinalBlock));
    if (findSnapshot)
      await this.#handle(transport, OUTSIDE_PROTOCOLS.snapshot, async (request) => {
        const part = decodeSnapshotRequest(request);
        return part.ok ? await findSnapshot(part.value) : part;
      });
    if (submit) await this.#handle(transport, OUTSIDE_PROTOCOLS.submit, submit);
  }

  async #handle(transport: Libp2p, protocol: string, find: Find): Promise<void> {
    const serve = (stream: Stream, connection: Connection): void => {
      const isWelcome = this.#pays(nodeKeyOf(connection.remotePeer) ?? connection.remotePeer.toString());
      if (isWelcome) this.#onUse(connection);
      serveRequest(stream, this.#ports.timers, (request) => (isWelcome ? find(request, hostOf(connection)) : err("busy")));
    };
    await transport.handle(protocol, serve, { maxInboundStreams: 4 });
  }

  #pays(requester: string): boolean {
    const nowMs = this.#ports.clock.monotonicMs();
    const budget = this.#budgets.get(requester) ?? new Budget(REQUESTS, nowMs);
    this.#budgets.delete(requester);
    this.#budgets.set(requester, budget);
    const [oldest] = this.#budgets.keys();
    if (this.#budgets.size > REQUESTERS_MAX && oldest !== undefined) this.#budgets.delete(oldest);
    if (!budget.isSolvent(nowMs)) return false;
    budget.spend(1, nowMs);
    return true;
  }
}

function answer<T>(asked: Result<T, "malformed">, find: (what: T) => Uint8Array | PrunedAnswer | undefined): Answer {
  if (!asked.ok) return asked;
  const found = find(asked.value);
  if (!found) return err("notFound");
  return found instanceof Uint8Array ? ok(found) : err({ pruned: found });
}
