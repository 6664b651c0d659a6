import { toHex } from "../kernel/index.ts";
import { LANES } from "./lanes.ts";
import type { Peer } from "./peer-table.ts";
import type { DialTarget } from "./redial.ts";
import type { Standing } from "./standing.ts";
import type { AbsentPeer, PeerStatus } from "./types.ts";

/** Where a peer that is up stands. */
export function statusOf(
  { id, link, isValidator, provenHeight, lowestHeight, isBeyondUs }: Peer,
  { isNamed, isArchive }: Pick<PeerStatus, "isNamed" | "isArchive">,
  standing: Standing,
  nowMs: number,
): PeerStatus {
  return {
    peer: id,
    nodeKey: toHex(link.nodeKey),
    isValidator,
    isNamed,
    direction: link.isDialler ? "outbound" : "inbound",
    address: link.connection.remoteAddr.toString(),
    version: link.greeted?.version ?? 0,
    software: link.hello?.software ?? "",
    connectedForMs: nowMs - link.openedAtMs,
    silentForMs: nowMs - link.heardAtMs,
    rttMs: link.rttMs,
    provenHeight,
    lowestHeight,
    isArchive,
    isBeyondUs,
    queuedBytes: LANES.reduce((sum, lane) => sum + link.queuedBytes(lane), 0),
    points: standing.pointsOf(id, nowMs),
  };
}

/** Configured addresses that lead to nobody now, and when each is tried again. */
export function absentPeers(targets: readonly DialTarget[], nowMs: number): AbsentPeer[] {
  return targets
    .filter(({ status, isNamed }) => isNamed && status !== "connected")
    .map(({ address, peer, failures, reason, status, nextAtMs }) => ({
      address,
      peer,
      failures,
      reason,
      nextTryInMs: status === "waiting" ? Math.max(0, nextAtMs - nowMs) : undefined,
    }));
}
