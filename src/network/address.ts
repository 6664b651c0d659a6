import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { err, ok, parseHex, type Result, toHex } from "../kernel/index.ts";

/** Where a peer is dialled, and who is expected there when that is known. */
export type PeerAddress = {
  /** As it was written. */
  readonly text: string;
  readonly multiaddr: Multiaddr;
  /** Key that its hello must prove, lower-case hex. */
  readonly expected: string | undefined;
  /** Found on the local network or in a validator's own word, not named by the operator. */
  readonly isDiscovered?: true;
};

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})))(?::(\d{1,5}))$/;
const IP4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/**
 * Reads `host:port`, `KEY@host:port` with the 64 hex digits of the key expected there, or a multiaddr such as
 * /ip4/192.0.2.1/tcp/8646. The error is a sentence.
 */
export function parsePeerAddress(text: string): Result<PeerAddress, string> {
  const [, key, place = text] = /^([0-9A-Fa-f]{64})@(.*)$/.exec(text) ?? [];
  const expected = key === undefined ? undefined : parseHex(key);
  const address = place.startsWith("/") ? parseMultiaddr(place) : parseHostAndPort(place);
  if (!address) return err(`expected host:port, KEY@host:port or a multiaddr, got "${text}"`);
  return ok({ text, multiaddr: address, expected: expected ? toHex(expected) : undefined });
}

/** The multiaddr on which a TCP listener of this host and port stands. */
export function listenMultiaddr(host: string, port: number): string {
  return `/${familyOf(host)}/${host}/tcp/${port}`;
}

/** The multiaddr on which a webrtc-direct listener of this host and UDP port stands. */
export function webRtcMultiaddr(host: string, port: number): string {
  return `/${familyOf(host)}/${host}/udp/${port}/webrtc-direct`;
}

/** A multiaddr with the peer id that is expected there. */
export function withPeer(address: string, peerId: string): string {
  return address.includes("/p2p/") ? address : `${address}/p2p/${peerId}`;
}

/** Whether other machines may reach a TCP multiaddr: it is not of one machine alone, nor of one cable. */
export function isForOtherMachines(address: string): boolean {
  return (
    /^\/(?:ip4|ip6|dns[46]?)\/.*\/tcp\//.test(address) &&
    !/^\/(?:ip4\/(?:127\.|169\.254\.)|ip6\/(?:::1\/|fe80:)|dns[46]?\/localhost\/)/.test(address)
  );
}

function parseHostAndPort(text: string): Multiaddr | undefined {
  const match = HOST_AND_PORT.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? parseMultiaddr(listenMultiaddr(host, port)) : undefined;
}

function parseMultiaddr(text: string): Multiaddr | undefined {
  try {
    const parsed = multiaddr(text);
    return parsed.getComponents().length > 0 ? parsed : undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // every kind of malformed multiaddr is reported by an Error of its own class
    return undefined;
  }
}

function familyOf(host: string): "ip4" | "ip6" | "dns" {
  if (IP4.test(host)) return "ip4";
  return host.includes(":") ? "ip6" : "dns";
}
