import type { ConnectionGater, MultiaddrConnection, PeerId as NodeId } from "@libp2p/interface";
import { type Clock, toHex } from "../kernel/index.ts";
import { Budget, type Rate } from "./budget.ts";
import type { Standing } from "./standing.ts";

/**
 * Connections from one address: boxes behind one router share one, so not few; each costs a handshake, so not many. This
 * machine's own are not counted here and below: whoever runs on it has better ways to use it up.
 */
const CONNECTIONS: Rate = { perSecond: 5, burst: 60 };
const ADDRESSES_MAX = 4_096;
/** Connections of one address whose handshake is under way. */
const HANDSHAKES_MAX = 8;

/**
 * Decides at the door, before a handshake is paid for: addresses that come too often, and keys that are banned. And whom a
 * relay carries: `isCarried` says it by node key, of who reserves, of who calls and of who is called.
 */
export function makeGate(standing: Standing, clock: Clock, isCarried: (nodeKey: string) => boolean): ConnectionGater {
  const isStranger = (peer: NodeId): boolean => !isCarried(nodeKeyOf(peer) ?? "");
  const budgets = new Map<string, Budget>();
  const isTooOften = (connection: MultiaddrConnection): boolean => {
    const host = hostOf(connection);
    if (isLoopback(host)) return false;
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
  const handshakes = new Map<string, number>();
  const underWay = new WeakMap<MultiaddrConnection, () => void>();
  const isTooMany = (connection: MultiaddrConnection): boolean => {
    const host = hostOf(connection);
    if (isLoopback(host)) return false;
    const count = handshakes.get(host) ?? 0;
    if (count >= HANDSHAKES_MAX) return true;
    handshakes.set(host, count + 1);
    const end = once(() => {
      const left = (handshakes.get(host) ?? 1) - 1;
      if (left > 0) handshakes.set(host, left);
      else handshakes.delete(host);
    });
    underWay.set(connection, end);
    connection.addEventListener("close", end);
    return false;
  };
  return {
    denyDialMultiaddr: () => false, // the library's default gater refuses private addresses in browsers only; ours are all wanted
    denyInboundConnection: (connection) => isTooOften(connection) || isTooMany(connection),
    denyInboundRelayReservation: isStranger,
    denyOutboundRelayedConnection: (source, destination) => isStranger(source) || isStranger(destination),
    denyInboundEncryptedConnection: (peer, connection) => {
      underWay.get(connection)?.();
      return standing.banLeftMs(nodeKeyOf(peer) ?? "", clock.monotonicMs()) > 0;
    },
  };
}

/** The Ed25519 key in a libp2p peer id as lower-case hex; undefined for another kind of key. */
export function nodeKeyOf(peer: NodeId): string | undefined {
  return peer.type === "Ed25519" ? toHex(peer.publicKey.raw) : undefined;
}

/** The host at the other end of a connection, as its address spells it. */
export function hostOf({ remoteAddr }: Pick<MultiaddrConnection, "remoteAddr">): string {
  return remoteAddr.getComponents()[0]?.value ?? remoteAddr.toString();
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}
