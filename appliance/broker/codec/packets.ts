import type { ProtocolVersion, QoS, UserProperty } from "../types.ts";
import type { Properties } from "./property-table.ts";

/** A will as CONNECT carries it. */
export interface ConnectWill {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly isRetain: boolean;
  readonly properties: Properties;
}

/** CONNECT. */
export interface ConnectPacket {
  readonly kind: "connect";
  readonly version: ProtocolVersion;
  /** Clean Session in 3.1.1. */
  readonly isCleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly will?: ConnectWill;
  readonly properties: Properties;
}

/** PUBLISH from a client. */
export interface PublishPacket {
  readonly kind: "publish";
  readonly topic: string;
  readonly qos: QoS;
  readonly isDuplicate: boolean;
  readonly isRetain: boolean;
  /** 0 with QoS 0. */
  readonly packetId: number;
  readonly properties: Properties;
  readonly payload: Uint8Array;
}

/** The kinds of packet that carry on a publication by its packet identifier. */
export type AcknowledgementKind = "puback" | "pubrec" | "pubrel" | "pubcomp";

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export interface AcknowledgementPacket {
  readonly kind: AcknowledgementKind;
  readonly packetId: number;
  readonly reasonCode: number;
}

/** One filter of a SUBSCRIBE with its options. */
export interface SubscribeRequest {
  readonly filter: string;
  readonly qos: QoS;
  readonly isNoLocal: boolean;
  readonly isRetainAsPublished: boolean;
  /** 0: retained messages are sent; 1: only when the subscription is new; 2: never. */
  readonly retainHandling: 0 | 1 | 2;
}

/** SUBSCRIBE. */
export interface SubscribePacket {
  readonly kind: "subscribe";
  readonly packetId: number;
  readonly subscriptionId?: number;
  readonly requests: readonly SubscribeRequest[];
}

/** UNSUBSCRIBE. */
export interface UnsubscribePacket {
  readonly kind: "unsubscribe";
  readonly packetId: number;
  readonly filters: readonly string[];
}

/** DISCONNECT from a client. */
export interface DisconnectPacket {
  readonly kind: "disconnect";
  readonly reasonCode: number;
  readonly sessionExpiryInterval?: number;
}

/** Whatever a client may send after its form was checked. */
export type IncomingPacket =
  | ConnectPacket
  | PublishPacket
  | AcknowledgementPacket
  | SubscribePacket
  | UnsubscribePacket
  | DisconnectPacket
  | { readonly kind: "pingreq" }
  | { readonly kind: "auth" };

/** Why a packet is refused: the reason code for whoever can hear it, and a sentence for the log. */
export interface PacketFault {
  readonly reason: "malformed" | "protocolError" | "unsupportedVersion" | "topicAliasInvalid";
  readonly detail: string;
}

/** What the broker sends. */
export type OutgoingPacket =
  | {
      readonly kind: "connack";
      readonly isSessionPresent: boolean;
      /** Reason code (5) or return code (3.1.1). */
      readonly code: number;
      readonly properties?: ConnackProperties;
    }
  | OutgoingPublish
  | {
      readonly kind: AcknowledgementKind;
      readonly packetId: number;
      readonly reasonCode: number;
      readonly reasonString?: string;
      readonly userProperties?: readonly UserProperty[];
    }
  | { readonly kind: "suback" | "unsuback"; readonly packetId: number; readonly codes: readonly number[] }
  | { readonly kind: "pingresp" }
  | { readonly kind: "disconnect"; readonly reasonCode: number; readonly reasonString?: string };

/** PUBLISH to a client. */
export interface OutgoingPublish {
  readonly kind: "publish";
  /** Empty when the alias stands for it. */
  readonly topic: string;
  readonly qos: QoS;
  readonly isDuplicate: boolean;
  readonly isRetain: boolean;
  readonly packetId: number;
  readonly payload: Uint8Array;
  readonly properties: {
    readonly isPayloadUtf8?: boolean;
    readonly contentType?: string;
    readonly responseTopic?: string;
    readonly correlationData?: Uint8Array;
    readonly userProperties?: readonly UserProperty[];
    readonly messageExpiryInterval?: number;
    readonly topicAlias?: number;
    readonly subscriptionIds?: readonly number[];
  };
}

/** What CONNACK tells a client of this server and of its session. */
export interface ConnackProperties {
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly assignedClientIdentifier?: string;
  readonly topicAliasMaximum?: number;
  readonly serverKeepAlive?: number;
  readonly reasonString?: string;
  readonly responseInformation?: string;
}
