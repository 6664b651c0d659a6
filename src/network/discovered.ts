import type { Multiaddr } from "@multiformats/multiaddr";
import type { PeerAddress } from "./address.ts";

/** Addresses found on the local network that are kept, and failures in a row after which one is let go. */
const DISCOVERED_MAX = 64;
const FAILURES_MAX = 10;

/**
 * Nodes of this chain that were found on the local network. Whoever is on it can claim anything here, so the list is bounded,
 * what does not answer is let go, and being on it gives no rights: the hello decides, as for any stranger.
 */
export class Discovered {
  readonly #found = new Map<string, PeerAddress>();

  /** What was found and is kept. */
  get addresses(): readonly PeerAddress[] {
    return [...this.#found.values()];
  }

  /** Takes in a node by its peer id with the addresses it claims; whether that changed the list. */
  offer(peerId: string, claimed: readonly Multiaddr[]): boolean {
    const address = addressAmong(peerId, claimed);
    const known = this.#found.get(peerId);
    if (!address || known?.text === address.text || (!known && this.#found.size >= DISCOVERED_MAX)) return false;
    this.#found.set(peerId, address);
    return true;
  }

  /** Lets go of those that do not answer; whether there were any. */
  forgetSilent(failuresOf: (address: string) => number): boolean {
    const silent = [...this.#found].filter(([, { text }]) => failuresOf(text) >= FAILURES_MAX);
    for (const [peerId] of silent) this.#found.delete(peerId);
    return silent.length > 0;
  }
}

/** The first TCP address that is not of one machine alone, else the first; with the peer id, so that Noise proves it. */
function addressAmong(peerId: string, claimed: readonly Multiaddr[]): PeerAddress | undefined {
  const usable = claimed.filter((address) => {
    const names = address.getComponents().map(({ name }) => name);
    return names[1] === "tcp" && (names.length === 2 || (names.length === 3 && names[2] === "p2p"));
  });
  const chosen = usable.find((address) => !isOfOneMachine(address)) ?? usable[0];
  if (!chosen) return undefined;
  const multiaddr = chosen.getComponents().length === 2 ? chosen.encapsulate(`/p2p/${peerId}`) : chosen;
  return { text: multiaddr.toString(), multiaddr, expected: undefined, isDiscovered: true };
}

function isOfOneMachine(address: Multiaddr): boolean {
  const host = address.getComponents()[0]?.value ?? "";
  return host.startsWith("127.") || host === "::1";
}
