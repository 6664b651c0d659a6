import type { PublishPacket } from "../codec/packets.ts";
import { REASON, type ReasonCode } from "../reason-codes.ts";
import { isTopicName } from "../topics/topic-rules.ts";
import type { Intake, SubmissionAnswer, UserProperty } from "../types.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { ClientContext } from "./client-context.ts";
import { hasRightResponseTopic, messagePropertiesOf } from "./connect-plan.ts";

/** What PUBACK or PUBREC says. */
type Answer = { readonly reasonCode: number; readonly reasonString?: string; readonly userProperties?: readonly UserProperty[] };

/**
 * Publications from one client: checked, routed or submitted, and answered in their order when what they became is durable.
 *
 * Invariant: an answer below 0x80 to QoS 1 or 2 leaves only after the commit of whatever must survive.
 */
export class Publishing {
  readonly #client: ClientContext;
  readonly #acknowledgements = new Acknowledgements();
  readonly #aliases = new Map<number, string>();
  /** Publications of this connection that count against the receive maximum. */
  #openAtLeastOnce = 0;
  readonly #openExactlyOnce = new Set<number>();

  constructor(client: ClientContext) {
    this.#client = client;
  }

  /** Answers owed. */
  get owedCount(): number {
    return this.#acknowledgements.length;
  }

  onPublish(packet: PublishPacket): void {
    const { shared } = this.#client.parts;
    shared.counters.publishesReceived++;
    const topic = this.#topicOf(packet);
    if (topic === undefined) return;
    if (!hasRightResponseTopic(packet.properties, shared.limits)) {
      this.#client.parts.line.fail(REASON.protocolError, "the response topic is no topic name");
      return;
    }
    if (packet.qos === 2 && !this.#mayBegin(packet.packetId)) return;
    if (!this.#count(packet)) return;
    const { principal } = this.#client.parts;
    if (topic.startsWith("$") || !shared.access.mayPublish(principal, topic)) {
      this.#refuse(packet, REASON.notAuthorized, "the topic may not be published to");
      return;
    }
    const intake = shared.intakes.find((candidate) => candidate.claims(topic));
    if (intake === undefined) this.#route(packet, topic);
    else this.#submit(packet, topic, intake);
  }

  /** PUBREL: the publication is over, and its packet identifier free once that is durable. @see MQTT-4.3.3-11 */
  onRelease(packetId: number): void {
    const { session } = this.#client;
    const isKnown = session.release(packetId);
    const answer = this.#acknowledgements.open();
    this.#client.parts.shared.journal.afterCommit(() =>
      answer(() => {
        this.#openExactlyOnce.delete(packetId);
        this.#sendAnswer("pubcomp", packetId, { reasonCode: isKnown ? REASON.success : REASON.packetIdNotFound });
      }),
    );
  }

  /** The topic, by name or alias; undefined when the connection failed over it. @see MQTT-3.3.2-7 to -12 */
  #topicOf({ topic, properties: { topicAlias } }: PublishPacket): string | undefined {
    const { limits } = this.#client.parts.shared;
    if (topicAlias !== undefined && topicAlias > limits.topicAliasMax) {
      this.#client.parts.line.fail(REASON.topicAliasInvalid, "a topic alias above the maximum");
      return undefined;
    }
    const isByAlias = topic === "" && topicAlias !== undefined;
    const name = isByAlias ? this.#aliases.get(topicAlias) : topic;
    if (name === undefined || (name === "" && this.#client.parts.plan.sink.version === 5)) {
      this.#client.parts.line.fail(REASON.protocolError, "no topic, and no alias that stands for one");
      return undefined;
    }
    if (!isByAlias && !isTopicName(name, limits)) {
      this.#client.parts.line.fail(REASON.topicNameInvalid, "a topic name that is empty, has a wildcard or is too long");
      return undefined;
    }
    if (topicAlias !== undefined && !isByAlias) this.#aliases.set(topicAlias, name);
    return name;
  }

  /** A repetition of QoS 2 is answered again and goes no further. @see MQTT-4.3.3-10 */
  #mayBegin(packetId: number): boolean {
    if (this.#client.session.hasReceived(packetId)) {
      const answer = this.#acknowledgements.open();
      this.#client.parts.shared.journal.afterCommit(() =>
        answer(() => this.#sendAnswer("pubrec", packetId, { reasonCode: REASON.success })),
      );
      return false;
    }
    if (this.#client.session.receivedCount >= this.#client.parts.shared.limits.receiveMaximum) {
      this.#client.parts.line.fail(REASON.receiveMaximumExceeded, "more publications that are not released than the receive maximum");
      return false;
    }
    if (!this.#openExactlyOnce.has(packetId)) return true;
    this.#client.parts.line.fail(REASON.protocolError, "a packet identifier that is in use");
    return false;
  }

  /** Counts against the receive maximum, which only MQTT 5 clients know; others are read more slowly instead. @see MQTT-3.3.4-7 */
  #count({ qos, packetId }: PublishPacket): boolean {
    if (qos === 0) return true;
    const { shared, plan } = this.#client.parts;
    if (plan.sink.version === 5 && this.#openAtLeastOnce + this.#openExactlyOnce.size >= shared.limits.receiveMaximum) {
      this.#client.parts.line.fail(REASON.receiveMaximumExceeded, "more publications at a time than the receive maximum");
      return false;
    }
    if (qos === 1) this.#openAtLeastOnce++;
    else this.#openExactlyOnce.add(packetId);
    return true;
  }

  #route(packet: PublishPacket, topic: string): void {
    const { router, journal } = this.#client.parts.shared;
    const { session, parts } = this.#client;
    const { principal } = parts;
    const { qos, payload, isRetain, properties } = packet;
    const expirySeconds = properties.messageExpiryInterval;
    const content = { topic, payload, qos, isRetain, properties: messagePropertiesOf(properties) };
    const message = router.compose(expirySeconds === undefined ? content : { ...content, expirySeconds }, session.clientId);
    if (!router.mayRetain(message)) {
      this.#refuse(packet, REASON.quotaExceeded, "no room for another retained message");
      return;
    }
    const answer = qos > 0 ? this.#acknowledgements.open() : undefined;
    if (qos === 2) session.receive(packet.packetId);
    const { isMatched, isDurable } = router.route(message, { principal, clientId: session.clientId });
    if (answer === undefined) return;
    const send = () => answer(() => this.#answer(packet, { reasonCode: isMatched ? REASON.success : REASON.noMatchingSubscribers }));
    if (isDurable || (qos === 2 && session.isPersistent)) journal.afterCommit(send);
    else send();
  }

  #submit(packet: PublishPacket, topic: string, intake: Intake): void {
    const { shared, plan } = this.#client.parts;
    const { session, parts } = this.#client;
    const { principal } = parts;
    shared.counters.submissions++;
    const answer = packet.qos > 0 ? this.#acknowledgements.open() : undefined;
    const submission = {
      principal,
      clientId: session.clientId,
      protocolVersion: plan.sink.version,
      topic,
      payload: packet.payload.slice(),
      properties: messagePropertiesOf(packet.properties),
      qos: packet.qos,
      isDuplicate: packet.isDuplicate,
      isRetain: packet.isRetain,
    };
    intake.take(submission).then(
      (verdict) => this.#onVerdict(packet, verdict, answer),
      (error: unknown) => {
        shared.log.error("broker.intake.failed", { error: String(error) });
        this.#onVerdict(packet, "close", answer);
      },
    );
  }

  #onVerdict(packet: PublishPacket, verdict: SubmissionAnswer, answer: ((send: () => void) => void) | undefined): void {
    const { line, shared } = this.#client.parts;
    if (!this.#client.isCurrent) return;
    if (verdict === "close") {
      shared.counters.publishesRefused++;
      line.drop();
      return;
    }
    if (verdict.reasonCode >= 0x80) shared.counters.publishesRefused++;
    if (answer === undefined) return;
    if (packet.qos === 2 && verdict.reasonCode < 0x80) this.#client.session.receive(packet.packetId);
    const { reasonCode, reasonString, retryAfterMs } = verdict;
    const said: Answer = {
      reasonCode,
      ...(reasonString === undefined ? {} : { reasonString }),
      ...(retryAfterMs === undefined ? {} : { userProperties: [["retry-after", String(Math.ceil(retryAfterMs / 1000))]] }),
    };
    const send = () => answer(() => this.#answer(packet, said));
    if (packet.qos === 2) shared.journal.afterCommit(send);
    else send();
  }

  /** A client of 3.1.1 cannot be told: it is closed rather than told a lie. @see MQTT 3.1.1 MQTT-3.3.5-2 */
  #refuse(packet: PublishPacket, reasonCode: ReasonCode, reasonString: string): void {
    const { shared, plan, line } = this.#client.parts;
    shared.counters.publishesRefused++;
    if (packet.qos === 0) return;
    if (plan.sink.version === 4) {
      line.drop();
      return;
    }
    this.#acknowledgements.open()(() => this.#answer(packet, { reasonCode, reasonString }));
  }

  #answer(packet: PublishPacket, answer: Answer): void {
    if (packet.qos === 1) this.#openAtLeastOnce--;
    else if (answer.reasonCode >= 0x80) this.#openExactlyOnce.delete(packet.packetId);
    this.#sendAnswer(packet.qos === 1 ? "puback" : "pubrec", packet.packetId, answer);
  }

  #sendAnswer(kind: "puback" | "pubrec" | "pubcomp", packetId: number, answer: Answer): void {
    const { sink, line } = this.#client.parts;
    if (!this.#client.isCurrent) return;
    sink.send({ kind, packetId, ...answer });
    line.onFlowChange();
  }
}
