import type { Message, PeerId } from "../consensus/index.ts";
import type { Signer } from "../crypto/index.ts";
import type { Clock, Entropy, Log, Result, Timers } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import type { VersionRange } from "./hello.ts";
import type { LaneRates } from "./lanes.ts";
import type { LinkTimes } from "./link.ts";
import type { RedialTimes } from "./redial.ts";
import type { Tip, TipJudge } from "./tip.ts";

/** Who this node is: a validator by its key, or an observer by a seed of its own. */
export type NodeIdentity =
  | { readonly kind: "validator"; readonly signer: Signer }
  | { readonly kind: "observer"; readonly nodeSeed: Uint8Array };

/** Settings of the network. */
export type NetworkOptions = {
  readonly identity: NodeIdentity;
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  /** Host and port to listen on, port 0 for any free one; absent for a node that only dials. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Host and UDP port for browsers and devices that speak webrtc-direct; absent: none. */
  readonly webRtcListen?: { readonly host: string; readonly port: number } | undefined;
  /** Addresses kept connected, for ever. */
  readonly peers: readonly PeerAddress[];
  /** Whether validators, and nodes on the allow-list, that cannot reach each other may do so through this node. */
  readonly isRelay?: boolean;
  /** Whether this node keeps every block for ever, and says so. */
  readonly isArchive?: boolean;
  /** Relays at which others reach this node, because they cannot dial it; kept connected like peers. */
  readonly relays?: readonly PeerAddress[];
  /** Where others reach this node, told to them instead of what it listens on. */
  readonly announce?: readonly PeerAddress[];
  /** Whether to look for nodes of this chain on the local network, by multicast DNS, and to be found there. */
  readonly discovery?: { readonly port?: number } | undefined;
  /** Keys, lower-case hex, that are let in though they are no validators and though no place for observers is left. */
  readonly allow: readonly string[];
  /** Nodes let in that are neither validators nor on the allow-list. */
  readonly observersMax: number;
  /** Name and version of the program, shown to peers. */
  readonly software: string;
  readonly times?: Partial<LinkTimes & RedialTimes>;
  /** Bytes a second taken from one validator, by lane; others have a tenth. Default: LANE_RATES. */
  readonly rates?: Partial<LaneRates>;
  /** Default: PROTOCOL_VERSIONS. */
  readonly versions?: VersionRange;
};

/** What was asked for was let go of here: the lowest height that is kept, and multiaddrs of nodes that keep everything. */
export type PrunedAnswer = { readonly lowestHeight: number; readonly archives: readonly string[] };

/** Answers to outside peers, and to peers, as encoded bytes; undefined where there is nothing to give. */
export type OutsideAnswers = {
  /** The proof bundle of an executed transaction's receipt. */
  readonly findProof: (transactionId: Uint8Array) => Uint8Array | PrunedAnswer | undefined;
  /** A final block with its finalization. */
  readonly findFinalBlock: (height: number) => Uint8Array | PrunedAnswer | undefined;
  /** The manifest of the newest snapshot or, by its hash, a part of one that is offered. Absent: none are. */
  readonly findSnapshot?: (part: Uint8Array | undefined) => Promise<Result<Uint8Array, "notFound" | "busy">>;
  /**
   * Takes in a transaction as COSE_Sign1, for quotas with the host it came from: its id (32 bytes) once it is durable here, or
   * the stable code why not. Absent: outside peers cannot submit.
   */
  readonly submit?: (encoded: Uint8Array, source: string) => Promise<Result<Uint8Array, { readonly refused: string }>>;
  /** Answers a peer that is up and a validator, or on the allow-list. Absent: no such request is answered. */
  readonly neighbour?: (from: PeerId, request: Uint8Array) => Promise<Result<Uint8Array, "malformed" | "busy">>;
};

/** What the network runs on and whom it tells. The callbacks must not throw. */
export type NetworkPorts = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Whether a key is that of a validator now; asked for each hello and again on `onValidatorsChanged`. */
  readonly isValidator: (key: Uint8Array) => boolean;
  /** The highest final block here with its own finalization; undefined at genesis. */
  readonly ownTip: () => Tip | undefined;
  /** The lowest block that this node can serve; peers are told. Absent: they are told nothing. */
  readonly lowestHeight?: () => number;
  readonly tips: TipJudge;
  readonly answers: OutsideAnswers;
  /** A peer can be sent to from now on; its key is proven (R0). */
  readonly onPeerUp: (peer: PeerId) => void;
  readonly onPeerDown: (peer: PeerId) => void;
  /** A peer says which is the lowest block that it can serve. */
  readonly onPeerReach?: (peer: PeerId, lowestHeight: number) => void;
  readonly onMessage: (from: PeerId, message: Message) => void;
  /** A message of dissemination. A promise holds this peer's batches back until it settles. */
  readonly onBatchMessage: (from: PeerId, payload: Uint8Array) => void | Promise<void>;
  /** There is room for batches to a peer to whom `sendBatchMessage` refused one. */
  readonly onBatchRoom: (peer: PeerId) => void;
};

/** Where a peer stands, for status and metrics. Times are ages in milliseconds. */
export type PeerStatus = {
  readonly peer: PeerId;
  /** Key of the connection, lower-case hex. */
  readonly nodeKey: string;
  readonly isValidator: boolean;
  /** Whether the configuration names it, by its key or by the address at which it was found. */
  readonly isNamed: boolean;
  readonly direction: "inbound" | "outbound";
  /** Multiaddr of the other end; with /p2p-circuit in it, the connection goes through a relay. */
  readonly address: string;
  readonly version: number;
  readonly software: string;
  readonly connectedForMs: number;
  readonly silentForMs: number;
  readonly rttMs: number | undefined;
  /** Height of the highest block that the peer has proven final; undefined while it has proven none. */
  readonly provenHeight: number | undefined;
  /** Lowest block that it says it can serve; undefined from a release that does not say. */
  readonly lowestHeight: number | undefined;
  /** Whether it says that it keeps every block for ever. */
  readonly isArchive: boolean;
  /** Whether it showed a finalization of an epoch not known here: it is ahead, by how much is open. */
  readonly isBeyondUs: boolean;
  readonly queuedBytes: number;
  readonly points: number;
};

/** Another box that runs this node's key, as far as peers met it. */
export type SharedKey = {
  /** Where it was met; undefined where nobody said. */
  readonly address: string | undefined;
  /** Milliseconds since it was first and last heard of. */
  readonly sinceMs: number;
  readonly heardMs: number;
};

/** A configured address without a connection, and why. */
export type AbsentPeer = {
  readonly address: string;
  /** Key found there last, or expected there. */
  readonly peer: PeerId | undefined;
  readonly failures: number;
  readonly reason: string | undefined;
  readonly nextTryInMs: number | undefined;
};
