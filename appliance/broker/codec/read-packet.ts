import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { ProtocolVersion, QoS } from "../types.ts";
import { ByteReader } from "./byte-reader.ts";
import type { Frame } from "./frame-splitter.ts";
import type { AcknowledgementKind, IncomingPacket, PacketFault, SubscribeRequest } from "./packets.ts";
import { type Properties, type PropertyPlace, readProperties } from "./property-table.ts";

/** The verdict on one packet's form. */
export type ReadVerdict = Result<IncomingPacket, PacketFault>;

/** Numbers of the control packet types. @see MQTT 5 table 2-1 */
export const PACKET_TYPE = {
  connect: 1,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
  auth: 15,
} as const;

/** Reason codes that a client may send. @see MQTT 5 tables 3-4 to 3-10 */
const PUBACK_CODES: ReadonlySet<number> = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
const PUBREL_CODES: ReadonlySet<number> = new Set([0x00, 0x92]);
const DISCONNECT_CODES: ReadonlySet<number> = new Set([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]);
const ACKNOWLEDGEMENT_CODES: Readonly<Record<AcknowledgementKind, ReadonlySet<number>>> = {
  puback: PUBACK_CODES,
  pubrec: PUBACK_CODES,
  pubrel: PUBREL_CODES,
  pubcomp: PUBREL_CODES,
};

/**
 * Reads any packet but CONNECT, as strictly as the version's specification has it. Says nothing of topics, access or state.
 * What it gives refers to the frame's bytes only in `payload`.
 */
export function readPacket(frame: Frame, version: ProtocolVersion): ReadVerdict {
  if (version === 5 && !frame.isLengthMinimal) return malformed("a length in more bytes than it needs");
  const reader = new ByteReader(frame.body);
  switch (frame.type) {
    case PACKET_TYPE.publish:
      return readPublish(reader, frame.flags, version);
    case PACKET_TYPE.puback:
      return flagged(frame, 0) ?? readAcknowledgement(reader, "puback", version);
    case PACKET_TYPE.pubrec:
      return flagged(frame, 0) ?? readAcknowledgement(reader, "pubrec", version);
    case PACKET_TYPE.pubrel:
      return flagged(frame, 2) ?? readAcknowledgement(reader, "pubrel", version);
    case PACKET_TYPE.pubcomp:
      return flagged(frame, 0) ?? readAcknowledgement(reader, "pubcomp", version);
    case PACKET_TYPE.subscribe:
      return flagged(frame, 2) ?? readSubscribe(reader, version);
    case PACKET_TYPE.unsubscribe:
      return flagged(frame, 2) ?? readUnsubscribe(reader, version);
    case PACKET_TYPE.pingreq:
      return flagged(frame, 0) ?? finished(reader, { kind: "pingreq" });
    case PACKET_TYPE.disconnect:
      return flagged(frame, 0) ?? readDisconnect(reader, version);
    case PACKET_TYPE.auth:
      return version === 5 ? ok({ kind: "auth" }) : malformed("a packet type that the version does not have");
    case PACKET_TYPE.connect:
      return protocolError("a second CONNECT");
    default:
      return frame.type === 0 ? malformed("packet type 0 is reserved") : protocolError("a packet that only servers send");
  }
}

/** @see MQTT-3.3.1-2, -4, MQTT-2.2.1-3, MQTT-3.3.4-6 */
function readPublish(reader: ByteReader, flags: number, version: ProtocolVersion): ReadVerdict {
  const qos = (flags >> 1) & 3;
  const isDuplicate = (flags & 8) !== 0;
  if (qos === 3) return malformed("PUBLISH of QoS 3");
  if (qos === 0 && isDuplicate) return malformed("a duplicate of QoS 0");
  const topic = reader.text();
  const packetId = qos > 0 ? reader.u16() : 0;
  const listed = readListed(reader, version, "publish");
  const payload = reader.rest();
  if (listed.fault !== undefined || reader.isBroken) return listed.fault ?? malformed("PUBLISH ends too early, or its topic is not UTF-8");
  if (qos > 0 && packetId === 0) return protocolError("PUBLISH with packet identifier 0");
  if (listed.properties.subscriptionIdentifier !== undefined) return protocolError("a subscription identifier from a client");
  return ok({
    kind: "publish",
    topic,
    qos: qos as QoS,
    isDuplicate,
    isRetain: (flags & 1) !== 0,
    packetId,
    properties: listed.properties,
    payload,
  });
}

/** Reason code and properties may be left out at the end. @see MQTT 5 section 3.4.2 */
function readAcknowledgement(reader: ByteReader, kind: AcknowledgementKind, version: ProtocolVersion): ReadVerdict {
  const packetId = reader.u16();
  const tail = version === 5 ? readReason(reader, "acknowledgement") : { reasonCode: 0 };
  if (tail.fault !== undefined) return tail.fault;
  if (!reader.isBroken && packetId === 0) return protocolError(`${kind} with packet identifier 0`);
  if (!ACKNOWLEDGEMENT_CODES[kind].has(tail.reasonCode)) return protocolError(`${kind} with a reason code it does not have`);
  return finished(reader, { kind, packetId, reasonCode: tail.reasonCode });
}

/** @see MQTT-3.8.3-2, -4, -5; MQTT 3.1.1 MQTT-3-8.3-4 */
function readSubscribe(reader: ByteReader, version: ProtocolVersion): ReadVerdict {
  const packetId = reader.u16();
  const listed = readListed(reader, version, "subscribe");
  if (listed.fault !== undefined) return listed.fault;
  const requests: SubscribeRequest[] = [];
  while (reader.remaining > 0) {
    const filter = reader.text();
    const options = reader.u8();
    if (reader.isBroken) return malformed("SUBSCRIBE ends within a filter, or a filter is not UTF-8");
    const qos = options & 3;
    const retainHandling = (options >> 4) & 3;
    if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) return malformed("reserved subscription options");
    if (qos === 3 || retainHandling === 3)
      return version === 5 ? protocolError("a subscription option of 3") : malformed("a subscription of QoS 3");
    const isNoLocal = (options & 4) !== 0;
    if (isNoLocal && filter.startsWith("$share/")) return protocolError("no local on a shared subscription");
    requests.push({
      filter,
      qos: qos as QoS,
      isNoLocal,
      isRetainAsPublished: (options & 8) !== 0,
      retainHandling: retainHandling as 0 | 1 | 2,
    });
  }
  if (reader.isBroken) return malformed("SUBSCRIBE ends too early");
  if (packetId === 0) return protocolError("SUBSCRIBE with packet identifier 0");
  if (requests.length === 0) return protocolError("SUBSCRIBE without a filter");
  const { subscriptionIdentifier } = listed.properties;
  return ok({
    kind: "subscribe",
    packetId,
    requests,
    ...(subscriptionIdentifier === undefined ? {} : { subscriptionId: subscriptionIdentifier }),
  });
}

/** @see MQTT-3.10.3-2 */
function readUnsubscribe(reader: ByteReader, version: ProtocolVersion): ReadVerdict {
  const packetId = reader.u16();
  const listed = readListed(reader, version, "unsubscribe");
  if (listed.fault !== undefined) return listed.fault;
  const filters: string[] = [];
  while (reader.remaining > 0) filters.push(reader.text());
  if (reader.isBroken) return malformed("UNSUBSCRIBE ends too early, or a filter is not UTF-8");
  if (packetId === 0) return protocolError("UNSUBSCRIBE with packet identifier 0");
  if (filters.length === 0) return protocolError("UNSUBSCRIBE without a filter");
  return ok({ kind: "unsubscribe", packetId, filters });
}

function readDisconnect(reader: ByteReader, version: ProtocolVersion): ReadVerdict {
  if (version === 4) return finished(reader, { kind: "disconnect", reasonCode: 0 });
  const { reasonCode, properties, fault } = readReason(reader, "disconnect");
  if (fault !== undefined) return fault;
  if (!DISCONNECT_CODES.has(reasonCode)) return protocolError("DISCONNECT with a reason code that clients do not send");
  const interval = properties?.sessionExpiryInterval;
  return finished(reader, { kind: "disconnect", reasonCode, ...(interval === undefined ? {} : { sessionExpiryInterval: interval }) });
}

type Reason = { readonly reasonCode: number; readonly properties?: Properties; readonly fault?: ReturnType<typeof malformed> };

function readReason(reader: ByteReader, place: PropertyPlace): Reason {
  const reasonCode = reader.remaining > 0 ? reader.u8() : 0;
  if (reader.remaining === 0) return { reasonCode };
  return { reasonCode, ...readListed(reader, 5, place) };
}

function readListed(
  reader: ByteReader,
  version: ProtocolVersion,
  place: PropertyPlace,
): { properties: Properties; fault?: ReturnType<typeof malformed> } {
  if (version === 4) return { properties: {} };
  const { properties, fault } = readProperties(reader, place);
  if (fault === undefined) return { properties };
  return {
    properties,
    fault: err({ reason: fault, detail: `a property of ${place} is ${fault === "malformed" ? "malformed" : "repeated or out of range"}` }),
  };
}

function flagged({ flags }: Frame, wanted: number): ReturnType<typeof malformed> | undefined {
  return flags === wanted ? undefined : malformed("reserved flags of a fixed header are not as they must be");
}

function finished(reader: ByteReader, packet: IncomingPacket): ReadVerdict {
  if (reader.isBroken) return malformed(`${packet.kind} ends too early`);
  return reader.remaining === 0 ? ok(packet) : malformed(`${packet.kind} is longer than its content`);
}

function malformed(detail: string): { readonly ok: false; readonly error: PacketFault } {
  return err({ reason: "malformed", detail });
}

function protocolError(detail: string): { readonly ok: false; readonly error: PacketFault } {
  return err({ reason: "protocolError", detail });
}
