import type { Connection, Libp2p } from "@libp2p/interface";
import { webRTCDirect } from "@libp2p/webrtc";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { err, ok, type Result, type Timers } from "../kernel/index.ts";
import { askOnStream, type OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";

/** A protocol that a node answers without a hello. */
export type OutsideProtocol = (typeof OUTSIDE_PROTOCOLS)[keyof typeof OUTSIDE_PROTOCOLS];

/** How long a dial may take: the handshakes of DTLS and Noise over a slow link. */
const DIAL_MS = 15_000;

/**
 * A libp2p node that only asks, for browsers: it dials one node over webrtc-direct when there is something to ask, and
 * again after the node has closed the idle connection. Noise proves the peer id in the address, so the answers come from
 * the node that the address names; what they claim is for the caller to verify.
 */
export class Asker {
  readonly #transport: Libp2p;
  readonly #address: Multiaddr;
  readonly #timers: Timers;
  #connection: Promise<Connection> | undefined;

  private constructor(transport: Libp2p, address: Multiaddr, timers: Timers) {
    this.#transport = transport;
    this.#address = address;
    this.#timers = timers;
  }

  /** An asker with a key of its own, made anew; nothing is dialled yet. @param address webrtc-direct multiaddr with certhash and peer id */
  static async start(address: string, timers: Timers): Promise<Asker> {
    const transport = await createLibp2p({
      transports: [webRTCDirect()],
      connectionGater: { denyDialMultiaddr: () => false }, // in browsers the library refuses addresses of private networks, where boxes stand
      connectionManager: { dialTimeout: DIAL_MS, reconnectRetries: 0 },
      connectionMonitor: { enabled: false },
    });
    return new Asker(transport, multiaddr(address), timers);
  }

  /** Dials unless there is a connection. Errors: `unreachable`, whatever the transport met. */
  async connect(): Promise<Result<true, "unreachable">> {
    try {
      await this.#connect();
      return ok(true);
    } catch (error) {
      return this.#onFailure(error);
    }
  }

  /** Asks on a stream of its own. Errors: `unreachable` also when there is no connection and none can be made. */
  async ask(protocol: OutsideProtocol, request: Uint8Array): Promise<Result<Uint8Array, RequestFault>> {
    try {
      const connection = await this.#connect();
      return await askOnStream(await connection.newStream(protocol), this.#timers, request);
    } catch (error) {
      return this.#onFailure(error);
    }
  }

  /** Closes the connection and stops. */
  async stop(): Promise<void> {
    await this.#transport.stop();
  }

  /** Every failure of the transport is an Error; whatever it was, the next question dials anew. */
  #onFailure(error: unknown): Result<never, "unreachable"> {
    if (!(error instanceof Error)) throw error;
    this.#connection = undefined;
    return err("unreachable");
  }

  async #connect(): Promise<Connection> {
    const before = await this.#connection;
    if (before?.status === "open") return before;
    this.#connection = this.#transport.dial(this.#address);
    return this.#connection;
  }
}
