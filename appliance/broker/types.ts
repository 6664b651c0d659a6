import type { Clock, Entropy, Log, Result, Timers } from "../../src/kernel/index.ts";
import type { MetricSource } from "../../src/monitoring/index.ts";
import type { Database } from "../../src/storage/index.ts";
import type { BrokerLimits } from "./limits.ts";

/** Quality of service: at most once, at least once, exactly once. */
export type QoS = 0 | 1 | 2;

/** 4 is MQTT 3.1.1, 5 is MQTT 5. */
export type ProtocolVersion = 4 | 5;

/** Name and value of a user property; order and repetition are the sender's and are kept. @see MQTT-3.3.2-18 */
export type UserProperty = readonly [name: string, value: string];

/** What goes with a message unchanged from publisher to subscriber. @see MQTT 5 section 3.3.2.3 */
export interface MessageProperties {
  /** Whether the payload is said to be UTF-8; the broker does not check it. */
  readonly isPayloadUtf8?: boolean;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: readonly UserProperty[];
}

/** How a client's bytes travel, as far as access rules ask. */
export interface TransportSecurity {
  readonly isEncrypted: boolean;
  /** Name in the client certificate that the door has verified; absent without one. */
  readonly certificateName?: string;
}

/** Where a client's bytes come from. */
export interface RemoteEndpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * One client's byte connection, whatever carries it. The engine never sees sockets.
 *
 * The door holds what the other side has not taken yet; the engine stops sending messages when `write` says false and goes
 * on at `Connection.onDrain`, so what is held stays within the door's own mark plus `BrokerLimits.blockedControlBytesMax`.
 */
export interface Transport {
  readonly remote: RemoteEndpoint;
  readonly security: TransportSecurity;
  /** Takes the bytes in any case, without keeping a reference that it writes to; false: wait for `onDrain` before sending more. */
  write(bytes: Uint8Array): boolean;
  /** Sends what is held and ends the connection; `onClosed` follows. */
  close(): void;
  /** Ends the connection at once, dropping what is held; `onClosed` follows. */
  destroy(): void;
  /** Stops `onBytes` until `resume`: back pressure on the sender. A chunk already on its way may still come. */
  pause(): void;
  resume(): void;
}

/** What the engine hands back for a transport: the door calls it. Calls after `onClosed` do nothing. */
export interface Connection {
  /** The chunk is the engine's from then on; the door does not write to it again. */
  onBytes(chunk: Uint8Array): void;
  /** Everything held was taken; follows a `write` that said false. */
  onDrain(): void;
  /** The connection is gone, whoever ended it; exactly once. */
  onClosed(error?: Error): void;
}

/** Who a client has proved to be. The name is the `{device}` of topics: certificate's name, login's, else the client id. */
export interface Principal {
  readonly name: string;
  /** The set of rules that `Access` applies; the engine only carries it. */
  readonly role: string;
}

/** What a client shows when it connects. */
export interface Credentials {
  /** As sent, or as assigned when it sent none. */
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly security: TransportSecurity;
  readonly remote: RemoteEndpoint;
}

/** Why a client is not let in; each has its CONNACK code in both versions. */
export type AuthenticationRefusal = "badCredentials" | "notAuthorized" | "clientIdInvalid" | "unavailable" | "banned";

/** Who may come in, and what they may say and hear. */
export interface Access {
  /** Asked once for each CONNECT, never twice at once for one connection. A rejection of the promise counts as `unavailable`. */
  authenticate(credentials: Credentials): Promise<Result<Principal, AuthenticationRefusal>>;
  /** Whether the topic name (no wildcards) may be published to; also asked for a will, at CONNECT. */
  mayPublish(principal: Principal, topic: string): boolean;
  /** Whether everything that the filter matches may be read; of a shared subscription, the filter inside. */
  maySubscribe(principal: Principal, filter: string): boolean;
}

/** A publication to a claimed topic. */
export interface Submission {
  readonly principal: Principal;
  readonly clientId: string;
  readonly protocolVersion: ProtocolVersion;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly qos: QoS;
  /** Whether the sender says that it may have sent this before. */
  readonly isDuplicate: boolean;
  readonly isRetain: boolean;
}

/**
 * What becomes of a submission. `reasonCode` is one that PUBACK and PUBREC know (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91,
 * 0x97, 0x99); an MQTT 3.1.1 client, and QoS 0, never hears it. `close` ends the connection without an answer: what a 3.1.1
 * client is told when it should try again later.
 */
export type SubmissionAnswer =
  | {
      readonly reasonCode: number;
      readonly reasonString?: string;
      /** Becomes the user property `retry-after`, in whole seconds, rounded up. */
      readonly retryAfterMs?: number;
    }
  | "close";

/**
 * Takes publications out of the stream that is routed to subscribers: the publisher's PUBACK (QoS 1) or PUBREC (QoS 2)
 * waits for the answer. Acknowledgements of one connection stay in the order of its publications (MQTT-4.6.0-2, -3), so one that
 * waits holds back later ones; at most the receive maximum of a connection is open at a time.
 */
export interface Intake {
  /** Asked for each publication after `Access.mayPublish` said yes; quick and without effects. */
  claims(topic: string): boolean;
  /**
   * The answer is given when what was submitted is durable or refused. With QoS 2 it may be asked twice for one publication,
   * if the connection or the process ends in between. A rejection of the promise closes the connection.
   */
  take(submission: Submission): Promise<SubmissionAnswer>;
}

/** A publication by the node itself. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly isRetain?: boolean;
  /** With `isRetain`: kept in memory only, for what the node publishes again at each start; no commit is spent on it. */
  readonly isVolatile?: boolean;
  readonly properties?: MessageProperties;
  /** Seconds after which it is no longer delivered; absent: never. */
  readonly expirySeconds?: number;
}

/** A message as the node's own subscriptions get it. */
export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly qos: QoS;
  readonly isRetain: boolean;
  /** Absent for what the node itself publishes, and for wills. */
  readonly publisher?: { readonly principal: Principal; readonly clientId: string };
}

/** Why a transport is not taken; the door destroys it. */
export type AcceptRefusal = "connectionsFull" | "addressFull" | "connectingTooFast" | "stopping";

/** What the engine needs. */
export interface BrokerOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** broker.db, opened with `BROKER_DATABASE`; the engine uses it alone and does not close it. */
  readonly database: Database;
  readonly access: Access;
  /** The first that claims a topic takes its publications. */
  readonly intakes?: readonly Intake[];
  /** What differs from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<BrokerLimits>;
  /** Of this program, for `$SYS/broker/version`. */
  readonly version: string;
  /** The disk refused a commit: no acknowledgement leaves any more, the owner ends the process. */
  readonly onFailure: (error: unknown) => void;
}

/** Figures of now, for status pages. */
export interface BrokerFigures {
  readonly connectionCount: number;
  readonly sessionCount: number;
  readonly subscriptionCount: number;
  readonly retainedCount: number;
  readonly queuedCount: number;
  readonly queuedBytes: number;
  /** Bytes of packets that are not whole yet, of all connections. */
  readonly partialBytes: number;
}

/** The engine, as doors and the composition root use it. */
export interface Broker extends MetricSource {
  /** Takes a client's connection, or says why not before a byte is read. */
  accept(transport: Transport): Result<Connection, AcceptRefusal>;
  /**
   * Publishes in the node's own name, past access rules, limits of clients and intakes. Resolves when what must survive of it
   * is durable (QoS 1 and 2 to sessions that survive, retained), at once when nothing must, and never after `stop`. A retained
   * message beyond the bound is delivered, and not kept.
   */
  publish(publication: Publication): Promise<void>;
  /** Calls the handler for each message that the filter matches, also the node's own, not retained ones of before; the result ends it. */
  onPublish(filter: string, handler: (message: ReceivedMessage) => void): () => void;
  /** Ends the connections of principals of these names with 0x98 (administrative action); sessions stay. How many there were. */
  disconnect(names: ReadonlySet<string>): number;
  figures(): BrokerFigures;
  /**
   * Tells every client 0x8B (server shutting down), closes them, and resolves when everything that must survive is durable; the
   * database is free then. Wills of those who were connected are published after the next start.
   */
  stop(): Promise<void>;
}
