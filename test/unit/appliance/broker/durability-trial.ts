import { Prng } from "../../../../src/kernel/index.ts";
import type { BrokerRig, TestClient } from "./broker-rig.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 100_000 } };
const OPEN_MAX = 8;

type Sent = { readonly text: string; readonly qos: 1 | 2; state: "published" | "received" };

/**
 * A publisher and a subscriber that follow the specification and never forget, with a broker between them that is killed. They
 * lose connections and leave packets unread at random.
 */
export class DurabilityTrial {
  rig: BrokerRig;
  home = "";
  readonly #random: Prng;
  #publisher: TestClient | undefined;
  #subscriber: TestClient | undefined;
  readonly #open = new Map<number, Sent>();
  readonly #published: string[] = [];
  readonly #heard = new Map<string, number>();
  readonly #held = new Set<number>();
  #packetId = 0;

  constructor(seed: number, rig: BrokerRig) {
    this.#random = new Prng(seed);
    this.rig = rig;
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) await this.#step();
  }

  /** The broker died; another begins on what the disk has. */
  restart(rig: BrokerRig, home: string): void {
    this.rig = rig;
    this.home = home;
    this.#publisher = undefined;
    this.#subscriber = undefined;
  }

  /** Lets everything arrive. */
  async finish(): Promise<void> {
    for (let round = 0; round < 60; round++) {
      await this.#connect();
      await this.rig.settle();
      this.#readAsPublisher();
      this.#readAsSubscriber();
    }
  }

  /** What is not as promised: lost, or of QoS 2 and heard twice. */
  faults(): string[] {
    const lost = this.#published.filter((text) => !this.#heard.has(text)).map((text) => `lost ${text}`);
    const twice = [...this.#heard].filter(([text, count]) => text.startsWith("2") && count > 1).map(([text]) => `twice ${text}`);
    return [...lost, ...twice, ...[...this.#open.values()].map(({ text }) => `unacknowledged ${text}`)];
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(12);
    if (choice < 4) this.#publish();
    else if (choice < 6) this.#readAsPublisher();
    else if (choice < 8) this.#readAsSubscriber();
    else if (choice === 8) await this.rig.settle();
    else if (choice === 9) this.rig.time.advance(1);
    else if (choice === 10) await this.#connect();
    else if (this.#random.below(2) === 0) this.#lose("publisher");
    else this.#lose("subscriber");
  }

  #lose(who: "publisher" | "subscriber"): void {
    const client = who === "publisher" ? this.#publisher : this.#subscriber;
    client?.lose();
    if (who === "publisher") this.#publisher = undefined;
    else this.#subscriber = undefined;
  }

  async #connect(): Promise<void> {
    if (this.#subscriber === undefined) {
      this.#subscriber = await this.rig.connect("subscriber", KEPT);
      if (this.#subscriber.connack?.sessionPresent !== true) {
        this.#held.clear();
        this.#subscriber.subscribe("t", 2);
        await this.rig.settle();
      }
    }
    if (this.#publisher !== undefined) return;
    this.#publisher = await this.rig.connect("publisher", KEPT);
    for (const [messageId, { text, qos, state }] of this.#open) {
      if (state === "published") this.#publisher.publish("t", text, { qos, messageId, dup: true });
      else this.#publisher.send({ cmd: "pubrel", messageId, reasonCode: 0 });
    }
  }

  #publish(): void {
    if (this.#publisher === undefined || this.#open.size >= OPEN_MAX || (this.#published.length === 0 && this.#subscriber === undefined))
      return;
    const qos = this.#random.below(2) === 0 ? 1 : 2;
    do this.#packetId = (this.#packetId % 12) + 1;
    while (this.#open.has(this.#packetId));
    const text = `${qos}-${this.#published.length}`;
    this.#published.push(text);
    this.#open.set(this.#packetId, { text, qos, state: "published" });
    this.#publisher.publish("t", text, { qos, messageId: this.#packetId });
  }

  #readAsPublisher(): void {
    for (const { cmd, messageId = 0 } of this.#publisher?.packets.splice(0) ?? []) {
      if (cmd === "puback" || cmd === "pubcomp") this.#open.delete(messageId);
      const sent = this.#open.get(messageId);
      if (cmd !== "pubrec" || sent === undefined) continue;
      sent.state = "received";
      this.#publisher?.send({ cmd: "pubrel", messageId, reasonCode: 0 });
    }
  }

  #readAsSubscriber(): void {
    for (const { cmd, messageId = 0, qos, payload } of this.#subscriber?.packets.splice(0) ?? []) {
      if (cmd === "publish" && qos === 1) {
        this.#hear(String(payload));
        this.#subscriber?.send({ cmd: "puback", messageId, reasonCode: 0 });
      } else if (cmd === "publish") {
        if (!this.#held.has(messageId)) this.#hear(String(payload));
        this.#held.add(messageId);
        this.#subscriber?.send({ cmd: "pubrec", messageId, reasonCode: 0 });
      } else if (cmd === "pubrel") {
        this.#held.delete(messageId);
        this.#subscriber?.send({ cmd: "pubcomp", messageId, reasonCode: 0 });
      }
    }
  }

  #hear(text: string): void {
    this.#heard.set(text, (this.#heard.get(text) ?? 0) + 1);
  }
}
