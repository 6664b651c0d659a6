import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PeerInfo } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { noise } from "@libp2p/noise";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import type { Entropy } from "../kernel/index.ts";
import { noiseCrypto } from "./noise-crypto.ts";
import { type CircuitTransport, circuitTransport, relayServer } from "./relay.ts";
import { abortableTcp } from "./tcp.ts";
import { webRtcCertificate } from "./webrtc-certificate.ts";

/** How nodes find each other on the local network. */
export type Discovery = { readonly service: string; readonly port: number; readonly onFound: (found: PeerInfo) => void };

/** What the libp2p node is made of. */
export type TransportOptions = {
  /** Seed, 32 bytes, of the Ed25519 key of this node. */
  readonly nodeSeed: Uint8Array;
  /** Multiaddrs to listen on, TCP or webrtc-direct; none for a node that only dials. */
  readonly listen: readonly string[];
  /** Whether webrtc-direct addresses can be dialled even though none is listened on. */
  readonly isWebRtcWanted?: boolean;
  /** Multiaddrs to be told to others instead, where the box stands behind a forwarded port. */
  readonly announce: readonly string[];
  /** Service under which nodes of one chain find each other on the local network; absent: nobody is looked for. */
  readonly discovery?: Discovery | undefined;
  readonly software: string;
  readonly gater: ConnectionGater;
  readonly entropy: Entropy;
  /** Whether it carries connections between others. */
  readonly isRelay?: boolean;
  /** Gets the transport through relays; absent: nothing is dialled through one. */
  readonly onCircuits?: (transport: CircuitTransport) => void;
};

/** The largest window of a stream: what a peer that reads nothing can make us hold, and what may stand ahead of a vote. */
const STREAM_WINDOW_BYTES = 512 * 1024;
/** Beyond it the library closes connections of its own choice; links, guests and places for observers are bounded far below. */
const CONNECTIONS_MAX = 16_384;
/** Connections whose handshake is under way, and how long one may take. */
const HANDSHAKES_MAX = 128;
const HANDSHAKE_MS = 5_000;
/** How often the local network is asked for nodes. */
const DISCOVERY_MS = 20_000;
/** New connections a second from one address before the library turns them away; the gate does so long before. */
const INBOUND_PER_SECOND = 1_000;

/**
 * A libp2p node over TCP with Noise and yamux, not started. Identify and ping answer outside peers; redialling, signs of
 * life and who may stay are this project's own.
 */
export async function makeTransport(options: TransportOptions): Promise<Libp2p> {
  const { nodeSeed, listen, announce, software, gater, discovery, entropy, isRelay, onCircuits } = options;
  const crypto = await noiseCrypto(entropy);
  const isWebRtc = options.isWebRtcWanted || listen.some((address) => address.includes("/webrtc-direct"));
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed("Ed25519", nodeSeed),
    nodeInfo: { name: "bizra", userAgent: software },
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [
      abortableTcp({
        inboundSocketInactivityTimeout: 0,
        outboundSocketInactivityTimeout: 0,
        dialOpts: { noDelay: true, keepAlive: true },
        listenOpts: { noDelay: true, keepAlive: true },
      }),
      ...(isWebRtc ? [await webRtcTransport(nodeSeed)] : []),
      ...(onCircuits ? [circuitTransport(onCircuits)] : []),
    ],
    connectionEncrypters: [noise({ crypto })],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: 64,
        maxOutboundStreams: 64,
        streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES },
      }),
    ],
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: INBOUND_PER_SECOND,
      maxIncomingPendingConnections: HANDSHAKES_MAX,
      inboundUpgradeTimeout: HANDSHAKE_MS,
      maxParallelDials: 32,
      dialTimeout: 10_000,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
    connectionGater: gater,
    peerDiscovery: discovery ? [discover(discovery)] : [],
    services: { identify: identify(), ping: ping(), ...(isRelay ? { relay: relayServer() } : {}) },
  });
}

/** Hears the discovery itself: the library's own event also tells of every peer that connected to us. */
function discover({ service, port, onFound }: Discovery): ReturnType<typeof mdns> {
  const make = mdns({ serviceTag: service, port, interval: DISCOVERY_MS });
  return (components) => {
    const discovery = make(components);
    discovery.addEventListener("peer", ({ detail }) => onFound(detail));
    return discovery;
  };
}

/** WebRTC costs twenty megabytes of memory and a native addon, so it is loaded where it is wanted only. */
async function webRtcTransport(nodeSeed: Uint8Array): Promise<ReturnType<typeof import("@libp2p/webrtc").webRTCDirect>> {
  await import("reflect-metadata"); // a package of the library's certificates wants it first, which bundling would not keep
  const { webRTCDirect } = await import("@libp2p/webrtc");
  return webRTCDirect({ certificate: webRtcCertificate(nodeSeed) });
}
