/** What is published: a topic, bytes, and how the broker treats them. */
export type OutletMessage = {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly isRetained: boolean;
  /** MQTT 5 content type; left out for MQTT 3.1.1. */
  readonly contentType?: string;
  /** MQTT 5: where an answer is wanted. */
  readonly responseTopic?: string;
  /** MQTT 5: what goes back with the answer, or goes with one. */
  readonly correlationData?: Uint8Array;
};

/** What came on a subscription. */
export type ReceivedMessage = {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Whether the broker kept it from before the subscription; absent: no. */
  readonly isRetained?: boolean;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
};

/**
 * What became of a publication: `acknowledged` (QoS 1: by the broker; QoS 0: written), `lost` with the connection before
 * that, so it may or may not have arrived, or `refused` by the broker, which would refuse it again.
 */
export type Delivery = "acknowledged" | "lost" | "refused";

/** One session with a broker; it connects by itself, again and again, until it is closed. */
export interface Outlet {
  /** Whether publications can be made now. */
  readonly isConnected: boolean;
  /** Publishes; `lost` at once while there is no connection: nothing is queued here. */
  publish(message: OutletMessage): Promise<Delivery>;
  /** Whether the broker has taken everything that was written before, QoS 0 included. */
  settle(): Promise<boolean>;
  /** Hears a filter for as long as the session lives, across connections. Called before `open`. */
  subscribe(filter: string, qos: 0 | 1, handler: (message: ReceivedMessage) => void): void;
  /** Tells of each connection made (its subscriptions stand) and lost. Called before `open`. */
  onConnectionChange(listener: (isConnected: boolean) => void): void;
  /** Begins to connect. */
  open(): void;
  /** Ends this connection in good order and makes another one. */
  cycle(): Promise<void>;
  /** Ends the session; resolves when the connection is closed. */
  close(): Promise<void>;
}

/** How a session presents itself to a broker. */
export type SessionOptions = {
  /** Distinguishes the sessions of one node: part of the client id. */
  readonly name: "native" | "sparkplug" | "command";
  /** The will of the next connection: asked once for each, before it is made; absent: none. */
  readonly will?: () => OutletMessage;
  /** Whether the broker publishes the will also when the session ends in good order (MQTT 5 reason 0x04). */
  readonly endsWithWill: boolean;
};

/** A broker that sessions can be had with. */
export interface Connector {
  /** Stable name of the broker among this node's: the key of its cursors and queues. */
  readonly name: string;
  /** A session that is not opened yet. */
  session(options: SessionOptions): Outlet;
}
