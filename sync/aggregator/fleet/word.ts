import { toHex } from "../../../src/kernel/index.ts";
import { decodeHeartbeat, type Heartbeat } from "../../protocol/index.ts";
import type { StoredHeartbeat } from "../types.ts";
import { complaintsOf, type StatusReason } from "./status.ts";

/** What a node last said of itself, and when that came. */
export type NodeWord = Pick<
  Heartbeat,
  "height" | "epoch" | "view" | "state" | "isReady" | "reason" | "peers" | "unacknowledgedMs" | "sequence"
> & {
  readonly bootId: string;
  /** The node's clock. */
  readonly timeMs: number;
  /** The aggregator's clock. */
  readonly receivedAtMs: number;
  /** By name, in the unit that the name ends in; flags as 0 and 1. */
  readonly figures: Readonly<Record<string, number>>;
  readonly complaints: readonly StatusReason[];
};

const NOBODY = { network: new Uint8Array(32), identityKey: new Uint8Array(32) } as const;

/** The word in a stored heartbeat, whose signature was verified when it was taken in; undefined when it cannot be read. */
export function wordOf({ message, receivedAtMs, timeMs }: StoredHeartbeat): NodeWord | undefined {
  const decoded = decodeHeartbeat(message, NOBODY, () => true);
  if (!decoded.ok) return undefined;
  const { bootId, metrics, session: _session, node: _node, ...said } = decoded.value;
  const figures = Object.fromEntries(metrics.map(({ name, value }) => [name, value / 1_000]));
  return { ...said, timeMs, bootId: toHex(bootId), receivedAtMs, figures, complaints: complaintsOf({ ...said, figures }) };
}
