import { unreachable } from "../../../src/kernel/index.ts";
import type { AcknowledgementPacket, DisconnectPacket, IncomingPacket } from "../codec/packets.ts";
import { secondsLeft } from "../message.ts";
import { REASON, type ReasonCode } from "../reason-codes.ts";
import type { Delivery } from "../session/outbox.ts";
import type { Session, SessionLink } from "../session/session.ts";
import type { Principal } from "../types.ts";
import type { ClientContext, ConnectedClientParts } from "./client-context.ts";
import { Publishing } from "./publishing.ts";
import { Subscribing } from "./subscribing.ts";

/** A client that was let in: its packets, and what goes to it from its session. */
export class ConnectedClient implements SessionLink, ClientContext {
  readonly parts: ConnectedClientParts;
  readonly #publishing: Publishing;
  readonly #subscribing: Subscribing;
  #session: Session | undefined;
  #hasBegun = false;
  #isPumping = false;

  constructor(parts: ConnectedClientParts) {
    this.parts = parts;
    this.#publishing = new Publishing(this);
    this.#subscribing = new Subscribing(this);
  }

  get principal(): Principal {
    return this.parts.principal;
  }

  get isWritable(): boolean {
    return this.parts.sink.isWritable;
  }

  /** The session; its registry gives it once, at the start. */
  get session(): Session {
    const session = this.#session;
    if (session === undefined) throw new Error("a connected client has its session from the start");
    return session;
  }

  /** Whether the session is still with this connection. */
  get isCurrent(): boolean {
    return this.#session?.link === this;
  }

  /** Answers owed to the client. */
  get owedCount(): number {
    return this.#publishing.owedCount;
  }

  take(session: Session): void {
    this.#session = session;
  }

  /** CONNACK is sent: what waits may follow. */
  begin(): void {
    this.#hasBegun = true;
    this.session.outbox.begin(this.parts.plan.window);
    this.pump();
  }

  takeOver(): void {
    this.parts.shared.counters.takeOvers++;
    this.parts.line.leave(REASON.sessionTakenOver);
  }

  onWaiting(): void {
    this.pump();
  }

  /** One packet of right form. */
  onPacket(packet: IncomingPacket): void {
    switch (packet.kind) {
      case "publish":
        this.#publishing.onPublish(packet);
        return;
      case "pubrel":
        this.#publishing.onRelease(packet.packetId);
        return;
      case "puback":
      case "pubrec":
      case "pubcomp":
        this.#onAcknowledgement(packet);
        return;
      case "subscribe":
        this.#subscribing.onSubscribe(packet);
        return;
      case "unsubscribe":
        this.#subscribing.onUnsubscribe(packet);
        return;
      case "pingreq":
        this.parts.sink.send({ kind: "pingresp" });
        return;
      case "disconnect":
        this.#onDisconnect(packet);
        return;
      case "auth":
        this.parts.line.fail(REASON.protocolError, "AUTH without an authentication method"); // MQTT-4.12.0-6
        return;
      case "connect":
        this.parts.line.fail(REASON.protocolError, "a second CONNECT"); // MQTT-3.1.0-2
        return;
      default:
        unreachable(packet);
    }
  }

  /** Sends what waits as long as transport and window allow. */
  pump(): void {
    if (!this.#hasBegun || this.#isPumping || !this.isCurrent) return;
    this.#isPumping = true;
    const { sink, shared, line } = this.parts;
    while (sink.isWritable && this.isCurrent) {
      const next = this.session.outbox.next(shared.clock.nowMs());
      if (next === undefined) break;
      this.#send(next.delivery, next.isAgain);
    }
    this.#isPumping = false;
    if (!sink.isWritable) line.onFlowChange();
  }

  /** Exactly once needs the packet identifier on disk before it is used. */
  #send(delivery: Delivery, isAgain: boolean): void {
    const { journal } = this.parts.shared;
    if (delivery.state === "released") this.#sendRelease(delivery.packetId, REASON.success);
    else if (delivery.qos === 2 && !isAgain && this.session.isPersistent) {
      journal.afterCommit(() => {
        if (this.isCurrent) this.#sendPublish(delivery, isAgain);
      });
    } else this.#sendPublish(delivery, isAgain);
  }

  #sendPublish(delivery: Delivery, isDuplicate: boolean): void {
    const { sink, shared } = this.parts;
    const { message, qos, isRetain, packetId, subscriptionIds } = delivery;
    const messageExpiryInterval = secondsLeft(message, shared.clock.nowMs());
    const isSent = sink.send({
      kind: "publish",
      topic: message.topic,
      payload: message.payload,
      qos,
      isRetain,
      isDuplicate,
      packetId,
      properties: { ...message.properties, subscriptionIds, ...(messageExpiryInterval === undefined ? {} : { messageExpiryInterval }) },
    });
    if (isSent) shared.counters.publishesSent++;
    else {
      shared.counters.droppedTooLarge++;
      this.session.outbox.discard(delivery); // as if it were delivered: MQTT-3.1.2-25
      this.pump();
    }
  }

  #onAcknowledgement({ kind, packetId, reasonCode }: AcknowledgementPacket): void {
    const { outbox } = this.session;
    const isError = reasonCode >= 0x80;
    if (kind === "puback") outbox.acknowledge(packetId);
    else if (kind === "pubcomp") outbox.complete(packetId);
    else {
      const isKnown = outbox.receive(packetId, isError);
      if (!isError)
        this.parts.shared.journal.afterCommit(() => this.#sendRelease(packetId, isKnown ? REASON.success : REASON.packetIdNotFound));
    }
    this.pump();
  }

  #sendRelease(packetId: number, reasonCode: ReasonCode): void {
    if (this.isCurrent) this.parts.sink.send({ kind: "pubrel", packetId, reasonCode });
  }

  /** @see MQTT-3.14.2-1, -2; MQTT 5 section 3.14.2.2.2 */
  #onDisconnect({ reasonCode, sessionExpiryInterval }: DisconnectPacket): void {
    const { line, shared, plan } = this.parts;
    if (sessionExpiryInterval !== undefined) {
      if (plan.sessionExpirySeconds === 0 && sessionExpiryInterval > 0) {
        this.parts.line.fail(REASON.protocolError, "a session that was to end with its connection cannot be kept");
        return;
      }
      this.session.setExpiry(Math.min(sessionExpiryInterval, shared.limits.sessionExpirySecondsMax));
    }
    if (reasonCode === REASON.success) line.goodbye();
    else line.drop();
  }
}
