import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { ConnackProperties, ConnectPacket } from "../codec/packets.ts";
import type { Properties } from "../codec/property-table.ts";
import type { BrokerLimits } from "../limits.ts";
import { REASON, type ReasonCode } from "../reason-codes.ts";
import { isTopicName } from "../topics/topic-rules.ts";
import type { MessageProperties } from "../types.ts";
import type { SinkSettings } from "./packet-sink.ts";

/** What a connection will be like, if the client is let in. */
export interface ConnectPlan {
  readonly clientId: string;
  /** Silence longer than this ends the connection; 0: none does. */
  readonly keepAliveMs: number;
  readonly sessionExpirySeconds: number;
  /** Deliveries of QoS 1 and 2 that may be open. */
  readonly window: number;
  readonly sink: SinkSettings;
  /** What CONNACK says of it. */
  readonly properties: ConnackProperties;
}

/** Why a CONNECT of right form is refused. */
export type ConnectRefusal = { readonly reason: ReasonCode; readonly detail: string };

/** Decides what a CONNECT gets, before anybody asks who it is. `assignedId` is for a client that brings no name. */
export function planConnect(packet: ConnectPacket, limits: BrokerLimits, assignedId: string): Result<ConnectPlan, ConnectRefusal> {
  const { version, properties, will } = packet;
  if (properties.authenticationMethod !== undefined) {
    return err({ reason: REASON.badAuthenticationMethod, detail: "no authentication method but the password is served" });
  }
  const isNameless = packet.clientId === "";
  if (isNameless && version === 4 && !packet.isCleanStart) {
    return err({ reason: REASON.clientIdInvalid, detail: "a session without a client id must be clean" }); // MQTT-3.1.3-8
  }
  const clientId = isNameless ? assignedId : packet.clientId;
  if (Buffer.byteLength(clientId) > limits.clientIdBytesMax) {
    return err({ reason: REASON.clientIdInvalid, detail: `a client id has at most ${limits.clientIdBytesMax} bytes` });
  }
  if (will !== undefined && !isTopicName(will.topic, limits))
    return err({ reason: REASON.topicNameInvalid, detail: "the will's topic is no topic name" });
  if (will !== undefined && !hasRightResponseTopic(will.properties, limits)) {
    return err({ reason: REASON.protocolError, detail: "the will's response topic is no topic name" });
  }
  const keepAlive = keepAliveOf(packet, limits);
  const wantedExpiry = version === 5 ? (properties.sessionExpiryInterval ?? 0) : packet.isCleanStart ? 0 : Number.POSITIVE_INFINITY;
  const sessionExpirySeconds = Math.min(wantedExpiry, limits.sessionExpirySecondsMax);
  const { maximumPacketSize } = properties;
  return ok({
    clientId,
    keepAliveMs: 1500 * keepAlive.seconds,
    sessionExpirySeconds,
    window: Math.min(properties.receiveMaximum ?? 65_535, limits.inflightMax),
    sink: {
      version,
      topicAliasMax: Math.min(properties.topicAliasMaximum ?? 0, limits.topicAliasMax),
      wantsProblemInformation: properties.requestProblemInformation !== 0,
      ...(maximumPacketSize === undefined ? {} : { packetBytesMax: maximumPacketSize }),
    },
    properties: {
      receiveMaximum: limits.receiveMaximum,
      maximumPacketSize: limits.packetBytesMax,
      topicAliasMaximum: limits.topicAliasMax,
      ...(isNameless ? { assignedClientIdentifier: clientId } : {}),
      ...(keepAlive.isTold ? { serverKeepAlive: keepAlive.seconds } : {}),
      ...(sessionExpirySeconds === wantedExpiry ? {} : { sessionExpiryInterval: sessionExpirySeconds }),
    },
  });
}

/** A client of MQTT 5 can be told another keep alive, one of 3.1.1 has its own way. @see MQTT-3.1.2-21 */
function keepAliveOf(
  { version, keepAliveSeconds }: ConnectPacket,
  { keepAliveSecondsMax }: BrokerLimits,
): { seconds: number; isTold: boolean } {
  const isOutside = keepAliveSeconds === 0 || keepAliveSeconds > keepAliveSecondsMax;
  return version === 5 && isOutside ? { seconds: keepAliveSecondsMax, isTold: true } : { seconds: keepAliveSeconds, isTold: false };
}

/** Whether there is no response topic, or one without wildcards. @see MQTT-3.3.2-14 */
export function hasRightResponseTopic({ responseTopic }: Properties, limits: BrokerLimits): boolean {
  return responseTopic === undefined || isTopicName(responseTopic, limits);
}

/** The properties that travel with the message. */
export function messagePropertiesOf(properties: Properties): MessageProperties {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  return {
    ...(payloadFormatIndicator === undefined ? {} : { isPayloadUtf8: payloadFormatIndicator === 1 }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(userProperties === undefined ? {} : { userProperties }),
  };
}
