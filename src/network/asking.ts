import type { Connection, Libp2p } from "@libp2p/interface";
import { type Entropy, err, type Result, type Timers } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import { askOnStream, type OUTSIDE_PROTOCOLS, type RequestFault } from "./requests.ts";
import { makeTransport } from "./transport.ts";

/** How long reaching an address may take. */
const DIAL_MS = 3_000;

/** A connection to one node over which its outside protocols are asked. */
export interface AskedPeer {
  ask(protocol: (typeof OUTSIDE_PROTOCOLS)[keyof typeof OUTSIDE_PROTOCOLS], request: Uint8Array): Promise<Result<Uint8Array, RequestFault>>;
}

/** Asks nodes without being one: for who has no chain yet. It listens nowhere, and its key is nobody's. */
export class Asker {
  readonly #transport: Libp2p;
  readonly #timers: Timers;

  private constructor(transport: Libp2p, timers: Timers) {
    this.#transport = transport;
    this.#timers = timers;
  }

  /** Starts one. */
  static async start(ports: { readonly entropy: Entropy; readonly timers: Timers }, software: string): Promise<Asker> {
    const { entropy, timers } = ports;
    const transport = await makeTransport({ nodeSeed: entropy.bytes(32), listen: [], announce: [], software, gater: {}, entropy });
    await transport.start();
    return new Asker(transport, timers);
  }

  /** Connects to a node; undefined when it cannot be reached in time. */
  async connect(address: PeerAddress): Promise<AskedPeer | undefined> {
    const patience = new AbortController();
    const cancel = this.#timers.after(DIAL_MS, () => patience.abort(new Error("not reached in time")));
    try {
      const connection = await this.#transport.dial(address.multiaddr, { signal: patience.signal });
      return { ask: (protocol, request) => this.#ask(connection, protocol, request) };
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every way of not reaching a machine is an Error of its own class
      return undefined;
    } finally {
      cancel();
    }
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    await this.#transport.stop();
  }

  async #ask(connection: Connection, protocol: string, request: Uint8Array): Promise<Result<Uint8Array, RequestFault>> {
    try {
      return await askOnStream(await connection.newStream(protocol), this.#timers, request);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every way of losing a connection is an Error of its own class
      return err("unreachable");
    }
  }
}
