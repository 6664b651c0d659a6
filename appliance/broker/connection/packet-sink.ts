import type { OutgoingPacket, OutgoingPublish } from "../codec/packets.ts";
import { writePacket } from "../codec/write-packet.ts";
import type { Counters } from "../counters.ts";
import type { ProtocolVersion, Transport } from "../types.ts";

/** What a client said it can take. */
export interface SinkSettings {
  readonly version: ProtocolVersion;
  /** Bytes of a packet; absent: any. */
  readonly packetBytesMax?: number;
  /** Topic aliases that may be set for it. */
  readonly topicAliasMax: number;
  /** Whether it wants to be told reasons beside the codes. @see MQTT-3.1.2-29 */
  readonly wantsProblemInformation: boolean;
}

/** Turns packets into bytes as one client takes them, and knows whether its transport takes more. */
export class PacketSink {
  readonly #transport: Transport;
  readonly #counters: Counters;
  readonly #blockedBytesMax: number;
  #settings: SinkSettings;
  readonly #aliases = new Map<string, number>();
  #isBlocked = false;
  #blockedBytes = 0;

  constructor(transport: Transport, counters: Counters, blockedBytesMax: number, settings: SinkSettings) {
    this.#transport = transport;
    this.#counters = counters;
    this.#blockedBytesMax = blockedBytesMax;
    this.#settings = settings;
  }

  /** The version that is spoken. */
  get version(): ProtocolVersion {
    return this.#settings.version;
  }

  /** Whether messages may be sent now. */
  get isWritable(): boolean {
    return !this.#isBlocked;
  }

  /** Whether so many answers wait that no more questions should be read. */
  get isCongested(): boolean {
    return this.#blockedBytes > this.#blockedBytesMax;
  }

  /** From now on as the client wants it. */
  configure(settings: SinkSettings): void {
    this.#settings = settings;
  }

  /** The transport took everything. */
  onDrain(): void {
    this.#isBlocked = false;
    this.#blockedBytes = 0;
  }

  /** Sends a packet; false when the client takes none so large, and it was not sent. @see MQTT-3.1.2-24 */
  send(packet: OutgoingPacket): boolean {
    const bytes = packet.kind === "publish" ? this.#writePublish(packet) : this.#writeAnswer(packet);
    if (bytes === undefined) return false;
    this.#counters.packetsSent++;
    this.#counters.bytesSent += bytes.length;
    if (this.#isBlocked && packet.kind !== "publish") this.#blockedBytes += bytes.length;
    if (!this.#transport.write(bytes)) this.#isBlocked = true;
    return true;
  }

  /** An answer too large for the client goes without its explanations. @see MQTT-3.4.2-2 */
  #writeAnswer(packet: OutgoingPacket): Uint8Array | undefined {
    const isTold = this.#settings.wantsProblemInformation || packet.kind === "connack" || packet.kind === "disconnect";
    const bytes = writePacket(isTold ? packet : withoutReasons(packet), this.version);
    if (this.#fits(bytes)) return bytes;
    const plain = writePacket(withoutReasons(packet), this.version);
    return this.#fits(plain) ? plain : undefined;
  }

  #writePublish(packet: OutgoingPublish): Uint8Array | undefined {
    const alias = this.#aliases.get(packet.topic);
    if (alias !== undefined) {
      const bytes = writePacket({ ...packet, topic: "", properties: { ...packet.properties, topicAlias: alias } }, this.version);
      return this.#fits(bytes) ? bytes : undefined;
    }
    const isNewAlias = this.#aliases.size < this.#settings.topicAliasMax;
    const topicAlias = this.#aliases.size + 1;
    const bytes = writePacket(isNewAlias ? { ...packet, properties: { ...packet.properties, topicAlias } } : packet, this.version);
    if (!this.#fits(bytes)) return undefined;
    if (isNewAlias) this.#aliases.set(packet.topic, topicAlias);
    return bytes;
  }

  #fits(bytes: Uint8Array): boolean {
    return bytes.length <= (this.#settings.packetBytesMax ?? Number.POSITIVE_INFINITY);
  }
}

function withoutReasons(packet: OutgoingPacket): OutgoingPacket {
  switch (packet.kind) {
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return { kind: packet.kind, packetId: packet.packetId, reasonCode: packet.reasonCode };
    case "disconnect":
      return { kind: "disconnect", reasonCode: packet.reasonCode };
    default:
      return packet;
  }
}
