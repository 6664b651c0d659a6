import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { ProtocolVersion, QoS } from "../types.ts";
import { ByteReader } from "./byte-reader.ts";
import type { Frame } from "./frame-splitter.ts";
import type { ConnectPacket, ConnectWill, PacketFault } from "./packets.ts";
import { type Properties, type PropertyFault, type PropertyPlace, readProperties } from "./property-table.ts";

/** A CONNECT that is refused, and the version in which its sender can be told; absent when it did not get that far. */
export interface ConnectFault extends PacketFault {
  readonly version?: ProtocolVersion;
}

const FLAG = { reserved: 0x01, cleanStart: 0x02, will: 0x04, willRetain: 0x20, password: 0x40, username: 0x80 } as const;

/** Reads the first packet of a connection. @see MQTT 3.1.1 and 5, section 3.1 */
export function readConnect(frame: Frame): Result<ConnectPacket, ConnectFault> {
  if (frame.flags !== 0) return err({ reason: "malformed", detail: "the reserved flags of CONNECT are not 0" });
  const reader = new ByteReader(frame.body);
  const name = reader.text();
  const level = reader.u8();
  if (reader.isBroken) return err({ reason: "malformed", detail: "CONNECT ends within its protocol name" });
  if (name !== "MQTT" && name !== "MQIsdp") return err({ reason: "malformed", detail: "CONNECT names another protocol" });
  if (name !== "MQTT" || (level !== 4 && level !== 5)) {
    return err({
      reason: "unsupportedVersion",
      detail: `protocol version ${level} is not served`,
      ...(level >= 5 ? { version: 5 } : { version: 4 }),
    });
  }
  if (level === 5 && !frame.isLengthMinimal)
    return err({ reason: "malformed", detail: "a length in more bytes than it needs", version: 5 });
  const connect = new ConnectReader(reader, level).read();
  return connect.ok ? connect : err({ ...connect.error, version: level });
}

/** The rest of CONNECT, once its version is known. */
class ConnectReader {
  readonly #reader: ByteReader;
  readonly #version: ProtocolVersion;
  #propertyFault: PropertyFault | undefined;

  constructor(reader: ByteReader, version: ProtocolVersion) {
    this.#reader = reader;
    this.#version = version;
  }

  read(): Result<ConnectPacket, PacketFault> {
    const reader = this.#reader;
    const flags = reader.u8();
    const flagFault = this.#faultOfFlags(flags);
    if (flagFault !== undefined) return err({ reason: "malformed", detail: flagFault });
    const keepAliveSeconds = reader.u16();
    const properties = this.#properties("connect");
    const clientId = reader.text();
    const will = (flags & FLAG.will) !== 0 ? this.#will(flags) : undefined;
    const username = (flags & FLAG.username) !== 0 ? reader.text() : undefined;
    const password = (flags & FLAG.password) !== 0 ? reader.binary().slice() : undefined;
    if (reader.isBroken || reader.remaining > 0 || this.#propertyFault === "malformed") {
      return err({ reason: "malformed", detail: "CONNECT is not in the form its flags say" });
    }
    if (this.#propertyFault !== undefined)
      return err({ reason: "protocolError", detail: "a property of CONNECT is repeated or out of range" });
    if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
      return err({ reason: "protocolError", detail: "authentication data without a method" });
    }
    return ok({
      kind: "connect",
      version: this.#version,
      isCleanStart: (flags & FLAG.cleanStart) !== 0,
      keepAliveSeconds,
      clientId,
      properties,
      ...(will === undefined ? {} : { will }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    });
  }

  /** @see MQTT-3.1.2-3, -11, -13, -14, -15; MQTT 3.1.1 MQTT-3.1.2-22 */
  #faultOfFlags(flags: number): string | undefined {
    const willQos = (flags >> 3) & 3;
    if ((flags & FLAG.reserved) !== 0) return "the reserved connect flag is set";
    if (willQos === 3) return "a will of QoS 3";
    if ((flags & FLAG.will) === 0 && (willQos !== 0 || (flags & FLAG.willRetain) !== 0)) return "flags of a will without a will";
    if (this.#version === 4 && (flags & FLAG.password) !== 0 && (flags & FLAG.username) === 0) return "a password without a user name";
    return undefined;
  }

  #will(flags: number): ConnectWill {
    const properties = this.#properties("will");
    const topic = this.#reader.text();
    const payload = this.#reader.binary().slice();
    return { topic, payload, qos: ((flags >> 3) & 3) as QoS, isRetain: (flags & FLAG.willRetain) !== 0, properties };
  }

  #properties(place: PropertyPlace): Properties {
    if (this.#version === 4) return {};
    const { properties, fault } = readProperties(this.#reader, place);
    this.#propertyFault ??= fault;
    return properties;
  }
}
