import { assert } from "../../src/kernel/index.ts";
import { Traffic } from "./byte-count.ts";
import type { Connector, Delivery, Outlet, OutletMessage, ReceivedMessage, SessionOptions } from "./outlet.ts";

/** The node's own broker, as a publisher inside the process sees it. */
export interface LocalBroker {
  /** Takes a publication; resolves when what must survive of it does. */
  publish(message: OutletMessage): Promise<void>;
  /** Hears what clients publish; the function given back ends that. */
  subscribe(filter: string, handler: (message: ReceivedMessage) => void): () => void;
}

/**
 * The broker of this same process: connected from `open` to `close`. There is no will, for whoever dies with the broker is
 * seen by every client as the broker's death; a session that ends in good order says so itself.
 */
export class LocalConnector implements Connector {
  readonly name = "own";
  readonly traffic = new Traffic();
  readonly #broker: LocalBroker;

  constructor(broker: LocalBroker) {
    this.#broker = broker;
  }

  session(options: SessionOptions): Outlet {
    return new LocalOutlet(this.#broker, options, this.traffic);
  }
}

class LocalOutlet implements Outlet {
  readonly #broker: LocalBroker;
  readonly #options: SessionOptions;
  readonly #traffic: Traffic;
  readonly #subscriptions: { readonly filter: string; readonly handler: (message: ReceivedMessage) => void }[] = [];
  readonly #listeners: ((isConnected: boolean) => void)[] = [];
  #unsubscribe: (() => void)[] = [];
  #isConnected = false;

  constructor(broker: LocalBroker, options: SessionOptions, traffic: Traffic) {
    this.#broker = broker;
    this.#options = options;
    this.#traffic = traffic;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  async publish(message: OutletMessage): Promise<Delivery> {
    if (!this.#isConnected) return "lost";
    this.#traffic.add(message);
    await this.#broker.publish(message);
    return "acknowledged";
  }

  settle(): Promise<boolean> {
    return Promise.resolve(this.#isConnected);
  }

  subscribe(filter: string, _qos: 0 | 1, handler: (message: ReceivedMessage) => void): void {
    this.#subscriptions.push({ filter, handler });
  }

  onConnectionChange(listener: (isConnected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  open(): void {
    assert(!this.#isConnected, "a session is opened once");
    this.#options.will?.(); // counts the connection, as a will in a CONNECT would
    this.#isConnected = true;
    // Listeners first: what is retained comes at once, and is about this connection.
    for (const listener of this.#listeners) listener(true);
    this.#unsubscribe = this.#subscriptions.map(({ filter, handler }) => this.#broker.subscribe(filter, handler));
  }

  async cycle(): Promise<void> {
    await this.close();
    this.open();
  }

  async close(): Promise<void> {
    for (const end of this.#unsubscribe) end();
    this.#unsubscribe = [];
    if (!this.#isConnected) return;
    this.#isConnected = false;
    for (const listener of this.#listeners) listener(false);
  }
}
