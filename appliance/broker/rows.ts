import type { Message } from "./message.ts";
import type { ProtocolVersion, QoS } from "./types.ts";

/** A session that survives its connection. */
export interface SessionRow {
  readonly clientId: string;
  /** Name of the principal it belongs to. */
  readonly owner: string;
  readonly version: ProtocolVersion;
  readonly expirySeconds: number;
  /** Wall-clock time its connection ended; absent while connected. */
  readonly disconnectedAtMs?: number;
}

/** A subscription of a session. */
export interface SubscriptionRow {
  readonly filter: string;
  readonly qos: QoS;
  readonly isNoLocal: boolean;
  readonly isRetainAsPublished: boolean;
  readonly subscriptionId?: number;
}

/** How far a delivery has come: waiting, sent and not acknowledged, or received and to be released (QoS 2). */
export type DeliveryState = "queued" | "sent" | "released";

/** A message of QoS 1 or 2 on its way to a session. */
export interface DeliveryRow {
  /** Place in the session's order. */
  readonly position: number;
  readonly messageId: number;
  readonly qos: QoS;
  readonly isRetain: boolean;
  readonly subscriptionIds: readonly number[];
  /** 0 while queued. */
  readonly packetId: number;
  readonly state: DeliveryState;
}

/** A will of a client that is connected, or that is waited for. */
export interface WillRow {
  readonly clientId: string;
  readonly messageId: number;
  readonly delaySeconds: number;
  /** Life of the message in seconds from when it is published. */
  readonly expirySeconds?: number;
  /** Wall-clock time at which it is published; absent while the client is connected. */
  readonly dueAtMs?: number;
}

/** One session with all that belongs to it. */
export interface StoredSession {
  readonly session: SessionRow;
  readonly subscriptions: readonly SubscriptionRow[];
  readonly deliveries: readonly DeliveryRow[];
  /** Packet identifiers of QoS 2 received and not yet released. */
  readonly received: readonly number[];
}

/** Everything that was durable when the broker ended. */
export interface StoredState {
  readonly messages: ReadonlyMap<number, Message>;
  readonly sessions: readonly StoredSession[];
  readonly retained: readonly { readonly topic: string; readonly messageId: number }[];
  readonly wills: readonly WillRow[];
}
