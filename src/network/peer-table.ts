import type { Connection } from "@libp2p/interface";
import type { PeerId } from "../consensus/index.ts";
import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import type { Budget } from "./budget.ts";
import { isReplacement } from "./duplicates.ts";
import type { Link } from "./link.ts";

/** A peer whose link is up. */
export type Peer = {
  readonly id: PeerId;
  readonly link: Link;
  isValidator: boolean;
  provenHeight: number | undefined;
  /** Lowest block that it says it can serve. */
  lowestHeight: number | undefined;
  isBeyondUs: boolean;
  /** How often it may say another lowest block. */
  readonly reaches: Budget;
  tipJudgedAtMs: number;
};

/** Every link, and the one link that each peer is reached by. */
export class PeerTable {
  readonly #links = new Map<string, Link>();
  readonly #peers = new Map<PeerId, Peer>();
  readonly #byLink = new Map<Link, Peer>();

  /** Peers that are up. */
  get peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  /** Links, up or not. */
  get links(): Iterable<Link> {
    return this.#links.values();
  }

  /** The link on a connection. */
  linkOf(connectionId: string): Link | undefined {
    return this.#links.get(connectionId);
  }

  /** The link by which a node reaches us: of its node key, up, and dialled by it. */
  linkFrom(nodeKey: Uint8Array): Link | undefined {
    for (const { link } of this.#peers.values()) if (!link.isDialler && bytesEqual(link.nodeKey, nodeKey)) return link;
    return undefined;
  }

  /** Whether a node of this key is up. */
  isNodeUp(nodeKey: Uint8Array): boolean {
    for (const { link } of this.#peers.values()) if (bytesEqual(link.nodeKey, nodeKey)) return true;
    return false;
  }

  /** The peer that is up with a node key, in lower-case hex. */
  findNode(nodeKey: string): Peer | undefined {
    for (const peer of this.#peers.values()) if (toHex(peer.link.nodeKey) === nodeKey) return peer;
    return undefined;
  }

  /** Whether a connection belongs to a link. */
  isLinked(connection: Connection): boolean {
    if (this.#links.has(connection.id)) return true;
    for (const link of this.#links.values()) if (link.carries(connection)) return true;
    return false;
  }

  /** The peer of a key, when it is up. */
  find(id: PeerId): Peer | undefined {
    return this.#peers.get(id);
  }

  /** The peer of a link, when it is up and reached by this link. */
  peerOf(link: Link): Peer | undefined {
    return this.#byLink.get(link);
  }

  /** Observers that are up. */
  get observerCount(): number {
    let count = 0;
    for (const peer of this.#peers.values()) if (!peer.isValidator) count++;
    return count;
  }

  /** Remembers a link from its first moment. */
  add(link: Link): void {
    assert(!this.#links.has(link.connection.id), "a connection carries one link");
    this.#links.set(link.connection.id, link);
  }

  /** Whether a greeted link of a peer must give way to another of the same peer. */
  isRedundant(link: Link, id: PeerId): boolean {
    const standing = this.#peers.get(id)?.link;
    return standing !== undefined && standing !== link && !standing.isClosed && !isReplacement(link.pair, standing.pair);
  }

  /** Reaches a peer by this link from now on; returns what it was reached by before. */
  raise(peer: Peer): Peer | undefined {
    const before = this.#peers.get(peer.id);
    this.#peers.set(peer.id, peer);
    this.#byLink.set(peer.link, peer);
    if (before) this.#byLink.delete(before.link);
    assert(this.#byLink.size === this.#peers.size, "a peer is reached by one link");
    return before;
  }

  /** Forgets a link that is over; returns the peer that is down with it. */
  drop(link: Link): Peer | undefined {
    this.#links.delete(link.connection.id);
    const peer = this.peerOf(link);
    if (!peer) return undefined;
    this.#byLink.delete(link);
    this.#peers.delete(peer.id);
    return peer;
  }
}
