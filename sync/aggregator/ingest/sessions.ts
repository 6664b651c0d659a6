import { type Clock, type Entropy, toHex } from "../../../src/kernel/index.ts";
import type { LaneExtent, SyncLane } from "../../protocol/index.ts";
import type { EnrolledNode, LaneHolding, PeerCertificate, StoredHeartbeat } from "../types.ts";

/** A node's session with this aggregator. */
export type Session = {
  readonly id: Uint8Array;
  readonly node: EnrolledNode;
  /** The genesis hash, 32 bytes. */
  readonly network: Uint8Array;
  /** The certificate that the hello came with; its batches and heartbeats come with the same. */
  readonly peer: PeerCertificate | undefined;
  /** What the node said it holds. */
  readonly extents: readonly LaneExtent[];
  /** How far each lane is held, as last known here. */
  readonly holdings: Map<SyncLane, LaneHolding>;
  /** The end of the line of each lane's batches. */
  readonly lines: Map<SyncLane, Promise<unknown>>;
  /** Batches in line. */
  waiting: number;
  lastHeardMs: number;
  /** Count and boot of the last heartbeat or beat, so that an old one is not taken for news; and the last heartbeat as it is kept. */
  lastHeartbeat: { readonly bootId: Uint8Array; readonly sequence: number; readonly kept: StoredHeartbeat } | undefined;
};

/** Bounds of the session table. */
const SESSIONS = { countMax: 50_000, idleMaxMs: 3_600_000 } as const;

/**
 * Sessions by their ids, in memory: a node whose session is gone says hello again. Over the bound the one that was heard
 * of longest ago goes.
 */
export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  /** The session of each node: a new hello ends the one before. */
  readonly #byNode = new Map<string, string>();
  readonly #clock: Clock;
  readonly #entropy: Entropy;

  constructor(clock: Clock, entropy: Entropy) {
    this.#clock = clock;
    this.#entropy = entropy;
  }

  get count(): number {
    return this.#sessions.size;
  }

  open(about: Pick<Session, "node" | "network" | "peer" | "extents" | "holdings">): Session {
    const id = this.#entropy.bytes(16);
    const session: Session = {
      ...about,
      id,
      lines: new Map(),
      waiting: 0,
      lastHeardMs: this.#clock.monotonicMs(),
      lastHeartbeat: undefined,
    };
    const nodeKey = keyOf(about.node);
    const before = this.#byNode.get(nodeKey);
    if (before !== undefined) this.#sessions.delete(before);
    this.#sessions.set(toHex(id), session);
    this.#byNode.set(nodeKey, toHex(id));
    this.#shrink();
    return session;
  }

  /** A session by its id, which counts as heard of. */
  find(id: Uint8Array): Session | undefined {
    const key = toHex(id);
    const session = this.#sessions.get(key);
    if (!session) return undefined;
    session.lastHeardMs = this.#clock.monotonicMs();
    this.#sessions.delete(key); // to the end of the order
    this.#sessions.set(key, session);
    return session;
  }

  /** Ends a node's session, as when it is revoked. */
  end(node: Pick<EnrolledNode, "network" | "node">): void {
    const key = this.#byNode.get(keyOf(node));
    if (key !== undefined) this.#sessions.delete(key);
    this.#byNode.delete(keyOf(node));
  }

  #shrink(): void {
    const oldestMs = this.#clock.monotonicMs() - SESSIONS.idleMaxMs;
    for (const [key, session] of this.#sessions) {
      if (this.#sessions.size <= SESSIONS.countMax && session.lastHeardMs >= oldestMs) return;
      this.#sessions.delete(key);
      if (this.#byNode.get(keyOf(session.node)) === key) this.#byNode.delete(keyOf(session.node));
    }
  }
}

function keyOf({ network, node }: Pick<EnrolledNode, "network" | "node">): string {
  return `${network}/${node}`;
}
