/** A broker that speaks MQTT and breaks its promises, one way at a time. */
import { createServer, type Server, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";

/** What it does wrong. */
export type Rudeness = {
  /** Says nothing to CONNECT. */
  readonly isMute?: boolean;
  /** Refuses every CONNECT with this reason. */
  readonly refuses?: number;
  /** Never answers SUBSCRIBE. */
  readonly hasNoSuback?: boolean;
  /** Never acknowledges a publication, though it answers pings. */
  readonly hasNoPuback?: boolean;
  /** Closes after each publication, without acknowledging it. */
  readonly closesOnPublish?: boolean;
  /** Acknowledges in reverse, so many at a time. */
  readonly reverses?: number;
};

/** The broker, on a free port of loopback. */
export class RudeBroker {
  rudeness: Rudeness;
  connects = 0;
  subscribes = 0;
  /** Topics that came. */
  readonly published: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, rudeness: Rudeness) {
    this.#server = server;
    this.rudeness = rudeness;
  }

  static async start(rudeness: Rudeness): Promise<RudeBroker> {
    const server = createServer();
    const broker = new RudeBroker(server, rudeness);
    server.on("connection", (socket) => broker.#serve(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return broker;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the broker listens");
    return `mqtt://127.0.0.1:${address.port}`;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    const held: number[] = [];
    const decoder = parser({ protocolVersion: 5 });
    const say = (packet: Packet): boolean => socket.write(generate(packet, { protocolVersion: 5 }));
    decoder.on("packet", (packet) => {
      const { isMute, refuses = 0, hasNoSuback, hasNoPuback, closesOnPublish, reverses = 1 } = this.rudeness;
      if (packet.cmd === "connect") {
        this.connects++;
        if (isMute !== true) say({ cmd: "connack", reasonCode: refuses, sessionPresent: false });
      }
      if (packet.cmd === "pingreq") say({ cmd: "pingresp" });
      if (packet.cmd === "subscribe") this.subscribes++;
      if (packet.cmd === "subscribe" && hasNoSuback !== true)
        say({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(({ qos }) => qos) });
      if (packet.cmd !== "publish") return;
      this.published.push(packet.topic);
      if (closesOnPublish === true) socket.destroy();
      if (packet.qos === 0 || hasNoPuback === true || closesOnPublish === true) return;
      held.push(packet.messageId ?? 0);
      if (held.length < reverses) return;
      for (const messageId of held.splice(0).reverse()) say({ cmd: "puback", messageId, reasonCode: 0 });
    });
    socket.on("data", (bytes) => decoder.parse(Buffer.from(bytes)));
  }
}
