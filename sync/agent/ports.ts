import type { Checkpoint, LaneFault, LaneRecord, LaneTip } from "../../src/events/index.ts";
import type { Result } from "../../src/kernel/index.ts";
import type { Envelope, Heartbeat, Hello, RequestKind, SyncAck, SyncCursor, SyncLane, Welcome } from "../protocol/index.ts";
import type { CursorVerdict, Place } from "./types.ts";

/** The node's event log as the agent reads it. */
export interface EventSource {
  /** The last record of a lane. */
  tip(lane: SyncLane): LaneTip;
  /** Up to `limit` records after a place, each checked; where records were let go the page begins after the gap. */
  read(lane: SyncLane, after: Place, limit: number): Result<readonly LaneRecord[], LaneFault>;
  /** The last signed checkpoint of a lane. */
  checkpoint(lane: SyncLane): Checkpoint | undefined;
  /** Tells whenever a lane has grown. */
  subscribe(listener: (lane: SyncLane, tip: LaneTip) => void): () => void;
}

/** An answer on a link. */
export type Reply = Pick<Envelope, "kind" | "message">;

/** An open link to one aggregator. */
export interface SyncLink {
  /** Whether requests are judged in the order they were made. */
  readonly isOrdered: boolean;
  /** Bytes sent and received so far, as far as the carrier sees them. */
  readonly traffic: { readonly sentBytes: number; readonly receivedBytes: number };
  /** Sends a message and waits for its answer; rejects with `LinkLost` when the link goes first. */
  request(kind: RequestKind, message: Uint8Array): Promise<Reply>;
  /** Closes the link; open requests are rejected. */
  close(reason: string): void;
}

/** Opens links to one aggregator. */
export interface SyncCarrier {
  /** Where it leads, for people. */
  readonly url: string;
  /**
   * Opens a link.
   *
   * @param onLost called once when the link has gone by itself
   * @throws LinkLost when it cannot be opened
   */
  open(onLost: (reason: string) => void): Promise<SyncLink>;
}

/** A link could not be opened, or went; the message says why. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
}

/** An acknowledgement as it is kept. */
export type KeptAck = SyncCursor & Pick<SyncAck, "timeMs" | "witness"> & { readonly witnessKey: Uint8Array };

/** Where acknowledgements are kept, by aggregator. */
export interface AckStore {
  /** The last one of each lane. */
  list(aggregator: string): readonly KeptAck[];
  /** Replaces that of its lane. One that a power cut takes is given again by the aggregator: nothing waits for the disk here. */
  put(aggregator: string, ack: KeptAck): void;
}

/** What the node says of itself in a hello and a heartbeat. */
export interface NodeFacts {
  hello(): Pick<Hello, "node" | "network" | "software" | "validatorKey">;
  heartbeat(): Pick<Heartbeat, "height" | "epoch" | "view" | "state" | "isReady" | "reason" | "peers" | "metrics">;
}

/** What the node does when an aggregator holds another history of one of its lanes. */
export interface ForkHandler {
  /**
   * Called once for each finding. A handler that begins a new incarnation of the lane does so before it returns.
   *
   * @param vital the newest checkpoint of the vital lane that the aggregator holds, when it showed one
   * @returns whether the lane has a new incarnation that may be sent
   */
  onFork(lane: SyncLane, cursor: SyncCursor, verdict: Exclude<CursorVerdict, "same">, vital?: Welcome["vital"]): boolean;
}
