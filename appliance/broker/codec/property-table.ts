import type { UserProperty } from "../types.ts";
import type { ByteReader } from "./byte-reader.ts";

/** The properties that a client's packets may carry, by name; each at most once but for the lists. */
export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifier?: number;
  sessionExpiryInterval?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumPacketSize?: number;
  userProperties?: UserProperty[];
}

/** Where properties stand: a packet's name, or the will inside CONNECT. */
export type PropertyPlace = "connect" | "will" | "publish" | "acknowledgement" | "subscribe" | "unsubscribe" | "disconnect" | "auth";

/** What is wrong with a property: its form, its use, or an alias of 0. */
export type PropertyFault = "malformed" | "protocolError" | "topicAliasInvalid";

type Row = {
  readonly places: readonly PropertyPlace[];
  /** Reads the value into place; whether it is one that the specification allows. */
  readonly read: (reader: ByteReader, into: Properties) => boolean;
  readonly has: (properties: Properties) => boolean;
};

type NumberName = {
  [K in keyof Properties]-?: Properties[K] extends number | undefined ? K : never;
}[keyof Properties];
type TextName = "contentType" | "responseTopic" | "authenticationMethod" | "reasonString";
type BinaryName = "correlationData" | "authenticationData";

function number(
  name: NumberName,
  read: (reader: ByteReader) => number,
  places: readonly PropertyPlace[],
  isAllowed: (value: number) => boolean,
): Row {
  return {
    places,
    has: (properties) => properties[name] !== undefined,
    read: (reader, into) => {
      const value = read(reader);
      into[name] = value;
      return isAllowed(value);
    },
  };
}

function text(name: TextName, places: readonly PropertyPlace[]): Row {
  return {
    places,
    has: (properties) => properties[name] !== undefined,
    read: (reader, into) => {
      into[name] = reader.text();
      return true;
    },
  };
}

function binary(name: BinaryName, places: readonly PropertyPlace[]): Row {
  return {
    places,
    has: (properties) => properties[name] !== undefined,
    read: (reader, into) => {
      into[name] = reader.binary().slice();
      return true;
    },
  };
}

const u8 = (reader: ByteReader) => reader.u8();
const u16 = (reader: ByteReader) => reader.u16();
const u32 = (reader: ByteReader) => reader.u32();
const anyValue = () => true;
const isBit = (value: number) => value <= 1;
const isPositive = (value: number) => value > 0;

const MESSAGE: readonly PropertyPlace[] = ["publish", "will"];

/** Identifier to property; what only servers send is not in it. @see MQTT 5 table 2-4 */
const ROWS: ReadonlyMap<number, Row> = new Map([
  [0x01, number("payloadFormatIndicator", u8, MESSAGE, isBit)],
  [0x02, number("messageExpiryInterval", u32, MESSAGE, anyValue)],
  [0x03, text("contentType", MESSAGE)],
  [0x08, text("responseTopic", MESSAGE)],
  [0x09, binary("correlationData", MESSAGE)],
  [0x0b, number("subscriptionIdentifier", (reader) => reader.variableInteger(), ["subscribe", "publish"], isPositive)],
  [0x11, number("sessionExpiryInterval", u32, ["connect", "disconnect"], anyValue)],
  [0x15, text("authenticationMethod", ["connect", "auth"])],
  [0x16, binary("authenticationData", ["connect", "auth"])],
  [0x17, number("requestProblemInformation", u8, ["connect"], isBit)],
  [0x18, number("willDelayInterval", u32, ["will"], anyValue)],
  [0x19, number("requestResponseInformation", u8, ["connect"], isBit)],
  [0x1f, text("reasonString", ["acknowledgement", "disconnect", "auth"])],
  [0x21, number("receiveMaximum", u16, ["connect"], isPositive)],
  [0x22, number("topicAliasMaximum", u16, ["connect"], anyValue)],
  [0x23, number("topicAlias", u16, ["publish"], isPositive)],
  [0x27, number("maximumPacketSize", u32, ["connect"], isPositive)],
]);
const USER_PROPERTY = 0x26;
const TOPIC_ALIAS = 0x23;

/**
 * Reads a property list: its length, then identifiers with values. An identifier that has no place in the packet makes it
 * malformed; one that comes twice, or with a value out of range, is a protocol error. @see MQTT 5 section 2.2.2
 */
export function readProperties(reader: ByteReader, place: PropertyPlace): { properties: Properties; fault?: PropertyFault } {
  const properties: Properties = {};
  let fault: PropertyFault | undefined;
  reader.within(reader.variableInteger(), () => {
    while (reader.remaining > 0) {
      const identifier = reader.variableInteger();
      if (identifier === USER_PROPERTY) {
        properties.userProperties ??= [];
        properties.userProperties.push([reader.text(), reader.text()]);
        continue;
      }
      const row = ROWS.get(identifier);
      if (row === undefined || !row.places.includes(place)) {
        reader.break();
        return;
      }
      if (row.has(properties)) fault ??= "protocolError";
      if (!row.read(reader, properties)) fault ??= identifier === TOPIC_ALIAS ? "topicAliasInvalid" : "protocolError";
    }
  });
  if (reader.isBroken) return { properties, fault: "malformed" };
  return fault === undefined ? { properties } : { properties, fault };
}
