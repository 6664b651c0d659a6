import type { ConnectionGater, MultiaddrConnection, PeerId as NodeId } from "@libp2p/interface";
import { type Clock, toHex } from "../kernel/index.ts";
import { Budget, type Rate } from "./budget.ts";
import type { Standing } from "./standing.ts";

/** Connections from one address: boxes behind one router share one, so not few; each costs a handshake, so not many. */
const CONNECTIONS: Rate = { perSecond: 5, burst: 60 };
const ADDRESSES_MAX = 4_096;

/** Decides at the door, before a handshake is paid for: addresses that come too often, and keys that are banned. */
export function makeGate(standing: Standing, clock: Clock): ConnectionGater {
  const budgets = new Map<string, Budget>();
  const isTooOften = (connection: MultiaddrConnection): boolean => {
    const host = hostOf(connection);
    const nowMs = clock.monotonicMs();
    const budget = budgets.get(host) ?? new Budget(CONNECTIONS, nowMs);
    budgets.delete(host);
    budgets.set(host, budget);
    const [oldest] = budgets.keys();
    if (budgets.size > ADDRESSES_MAX && oldest !== undefined) budgets.delete(oldest);
    if (!budget.isSolvent(nowMs)) return true;
    budget.spend(1, nowMs);
    return false;
  };
  return {
    denyDialMultiaddr: () => false, // the library's default gater refuses private addresses in browsers only; ours are all wanted
    denyInboundConnection: isTooOften,
    denyInboundEncryptedConnection: (peer) => standing.banLeftMs(nodeKeyOf(peer) ?? "", clock.monotonicMs()) > 0,
  };
}

/** The Ed25519 key in a libp2p peer id as lower-case hex; undefined for another kind of key. */
export function nodeKeyOf(peer: NodeId): string | undefined {
  return peer.type === "Ed25519" ? toHex(peer.publicKey.raw) : undefined;
}

function hostOf({ remoteAddr }: MultiaddrConnection): string {
  return remoteAddr.getComponents()[0]?.value ?? remoteAddr.toString();
}
