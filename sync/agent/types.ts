import type { SyncAck, SyncCursor, SyncLane } from "../protocol/index.ts";

/** A place in a lane: incarnation and sequence. */
export type Place = { readonly epoch: number; readonly sequence: number };

/** Whether a place comes after another, across incarnations. */
export function isAfter(a: Place, b: Place): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}

/** How an aggregator's cursor compares with the node's own lane. */
export type CursorVerdict =
  /** The node has the same record there, or let it go after it was acknowledged: it goes on after it. */
  | "same"
  /** The aggregator holds more than the node has yet; what it holds is not known to differ. */
  | "ahead"
  /** Another record stands there: two histories of one lane. */
  | "fork";

/** What the agent's shell does next, in order. */
export type AgentEffect =
  /** Open a link. */
  | { readonly kind: "connect" }
  /** Say hello on the open link. */
  | { readonly kind: "hello" }
  /** Read records after a place, pack and send them, then call `onSent` with what went out (or `onNothing`). */
  | {
      readonly kind: "send";
      readonly lane: SyncLane;
      readonly after: Place;
      readonly bytesMax: number;
    }
  /** Keep an acknowledgement across restarts. */
  | { readonly kind: "keep"; readonly ack: SyncAck }
  /** Two histories of a lane: tell people, and begin a new incarnation that says why. */
  | { readonly kind: "fork"; readonly lane: SyncLane; readonly cursor: SyncCursor; readonly verdict: Exclude<CursorVerdict, "same"> }
  /** Say how the node is. */
  | { readonly kind: "heartbeat" }
  /** Close the link. */
  | { readonly kind: "close"; readonly reason: string };

/** A verdict of the shell on each cursor of a welcome. */
export type JudgedCursor = { readonly cursor: SyncCursor; readonly verdict: CursorVerdict };
