import { generate, type Packet, writeToStream } from "mqtt-packet";
import type { ProtocolVersion, UserProperty } from "../types.ts";
import type { OutgoingPacket, OutgoingPublish } from "./packets.ts";

// The library would otherwise keep 65,536 small buffers for the numbers it may write.
writeToStream.cacheNumbers = false;

/**
 * Bytes of a packet. Everything in it was checked or made by the broker, so the library has nothing to refuse; where it does,
 * it throws, as for a broken invariant.
 */
export function writePacket(packet: OutgoingPacket, version: ProtocolVersion): Uint8Array {
  return generate(packetOf(packet), { protocolVersion: version });
}

/** The packet in the library's words. Its types are looser than what it takes: lists of user properties, to keep their order. */
function packetOf(packet: OutgoingPacket): Packet {
  switch (packet.kind) {
    case "connack": {
      const { isSessionPresent, code, properties } = packet;
      const cmd = "connack";
      return {
        cmd,
        sessionPresent: isSessionPresent,
        returnCode: code,
        reasonCode: code,
        ...(properties ? { properties: { ...properties } } : {}),
      };
    }
    case "publish":
      return publishOf(packet);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp": {
      const { kind, packetId, reasonCode, reasonString, userProperties } = packet;
      if (reasonString === undefined && userProperties === undefined) return { cmd: kind, messageId: packetId, reasonCode };
      const properties = { ...(reasonString === undefined ? {} : { reasonString }), ...userPropertiesOf(userProperties) };
      return { cmd: kind, messageId: packetId, reasonCode, properties };
    }
    case "suback":
      return { cmd: "suback", messageId: packet.packetId, granted: [...packet.codes] };
    case "unsuback":
      return { cmd: "unsuback", messageId: packet.packetId, granted: [...packet.codes] };
    case "pingresp":
      return { cmd: "pingresp" };
    case "disconnect": {
      const { reasonCode, reasonString } = packet;
      return { cmd: "disconnect", reasonCode, ...(reasonString === undefined ? {} : { properties: { reasonString } }) };
    }
  }
}

function publishOf(packet: OutgoingPublish): Packet {
  const { isPayloadUtf8, contentType, responseTopic, correlationData, userProperties } = packet.properties;
  const { messageExpiryInterval, topicAlias, subscriptionIds } = packet.properties;
  return {
    cmd: "publish",
    topic: packet.topic,
    qos: packet.qos,
    dup: packet.isDuplicate,
    retain: packet.isRetain,
    messageId: packet.packetId,
    payload: bufferOf(packet.payload),
    properties: {
      ...(isPayloadUtf8 === undefined ? {} : { payloadFormatIndicator: isPayloadUtf8 }),
      ...(messageExpiryInterval === undefined ? {} : { messageExpiryInterval }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlationData === undefined ? {} : { correlationData: bufferOf(correlationData) }),
      ...(subscriptionIds === undefined || subscriptionIds.length === 0 ? {} : { subscriptionIdentifier: [...subscriptionIds] }),
      ...(topicAlias === undefined ? {} : { topicAlias }),
      ...userPropertiesOf(userProperties),
    },
  };
}

type LibraryUserProperties = { userProperties?: Record<string, string> };

/** One object for each, so that neither order nor repetition is lost. @see MQTT-3.3.2-18 */
function userPropertiesOf(properties: readonly UserProperty[] | undefined): LibraryUserProperties {
  if (properties === undefined || properties.length === 0) return {};
  const list: unknown = properties.map(([name, value]) => ({ [name]: value }));
  return { userProperties: list } as LibraryUserProperties;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
