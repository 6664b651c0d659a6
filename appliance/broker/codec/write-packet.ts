import { generate, type Packet, writeToStream } from "mqtt-packet";
import type { ProtocolVersion, UserProperty } from "../types.ts";
import type { AcknowledgementKind, OutgoingPacket, OutgoingPublish } from "./packets.ts";
import { writePublish } from "./write-publish.ts";

// The library would otherwise keep 65,536 small buffers for the numbers it may write.
writeToStream.cacheNumbers = false;

/**
 * Bytes of a packet. Everything in it was checked or made by the broker, so the library has nothing to refuse; where it does,
 * it throws, as for a broken invariant.
 */
export function writePacket(packet: OutgoingPacket, version: ProtocolVersion): Uint8Array {
  if (packet.kind === "publish") return writePublish(packet, version);
  if ("packetId" in packet && "reasonCode" in packet && (version === 4 || isPlain(packet))) {
    return Uint8Array.of(ACKNOWLEDGEMENT_HEADER[packet.kind], 2, packet.packetId >> 8, packet.packetId & 255);
  }
  return generate(packetOf(packet), { protocolVersion: version });
}

const ACKNOWLEDGEMENT_HEADER: Readonly<Record<AcknowledgementKind, number>> = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** Whether an acknowledgement says nothing but success: four bytes in either version. @see MQTT 5 section 3.4.2.1 */
function isPlain({
  reasonCode,
  reasonString,
  userProperties,
}: {
  reasonCode: number;
  reasonString?: string;
  userProperties?: readonly UserProperty[];
}): boolean {
  return reasonCode === 0 && reasonString === undefined && userProperties === undefined;
}

/** The packet in the library's words. Its types are looser than what it takes: lists of user properties, to keep their order. */
function packetOf(packet: Exclude<OutgoingPacket, OutgoingPublish>): Packet {
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

type LibraryUserProperties = { userProperties?: Record<string, string> };

/** One object for each, so that neither order nor repetition is lost. @see MQTT-3.3.2-18 */
function userPropertiesOf(properties: readonly UserProperty[] | undefined): LibraryUserProperties {
  if (properties === undefined || properties.length === 0) return {};
  const list: unknown = properties.map(([name, value]) => ({ [name]: value }));
  return { userProperties: list } as LibraryUserProperties;
}
