import type { ConsensusLoop, Message, PeerId } from "../consensus/index.ts";
import { type Dissemination, type DisseminationMessage, decodeDisseminationMessage, type PeerFault } from "../mempool/index.ts";

/** How a node's contexts speak to other nodes; connections are authenticated by the peer's key (R0), delivery is not promised. */
export interface NodeNetwork {
  /** Sends to every connected validator. */
  broadcast(message: Message): void;
  /** Sends to one peer; dropped when it is not connected. */
  send(peer: PeerId, message: Message): void;
  /** Sends a message of dissemination; false when there is no room on the way to the peer, and `onBatchRoom` follows once there is. */
  sendBatchMessage(peer: PeerId, message: DisseminationMessage): boolean;
  /** Hears what a peer's messages of dissemination turned out to be, for its standing. */
  onBatchFault(peer: PeerId, fault: PeerFault): void;
}

/** A single validator has no peers: what it says to others, it says to nobody. */
export const noNetwork: NodeNetwork = { broadcast() {}, send() {}, sendBatchMessage: () => false, onBatchFault() {} };

/** What a network tells the contexts of a running node. */
export interface PeerEvents {
  /** A peer can be sent to from now on; its key is proven. */
  onPeerUp(peer: PeerId): void;
  onPeerDown(peer: PeerId): void;
  /** A peer says which is the lowest block that it can serve. */
  onPeerReach(peer: PeerId, lowestHeight: number): void;
  onMessage(from: PeerId, message: Message): void;
  /** An encoded message of dissemination. */
  onBatchMessage(from: PeerId, payload: Uint8Array): void;
  /** There is room again on the way to a peer that a batch was refused for. */
  onBatchRoom(peer: PeerId): void;
}

/** Hands what peers say to consensus and to dissemination. */
export function peerEvents(
  loop: ConsensusLoop,
  dissemination: Dissemination,
  { onBatchFault }: Pick<NodeNetwork, "onBatchFault">,
): PeerEvents {
  return {
    onPeerUp(peer) {
      loop.onPeerUp(peer);
      dissemination.onPeerUp(peer);
    },
    onPeerDown(peer) {
      loop.onPeerDown(peer);
      dissemination.onPeerDown(peer);
    },
    onPeerReach: (peer, lowestHeight) => loop.onPeerReach(peer, lowestHeight),
    onMessage: (from, message) => loop.onMessage(from, message),
    onBatchMessage(from, payload) {
      const message = decodeDisseminationMessage(payload);
      if (message.ok) dissemination.onMessage(from, message.value);
      else onBatchFault(from, message.error);
    },
    onBatchRoom: (peer) => dissemination.onPeerRoom(peer),
  };
}
