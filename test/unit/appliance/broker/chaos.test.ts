import { describe, expect, test } from "bun:test";
import { Prng } from "../../../../src/kernel/index.ts";
import { BrokerRig, type TestClient } from "./broker-rig.ts";

const TOPICS = ["a", "a/b", "a/b/c", "b/b", "$x/y", ""];
const FILTERS = ["#", "a/#", "+/b", "a/b/c", "$share/g/a/#", "$share/h/+/b", "$SYS/#", "a/+", "bad/#/x"];
const LIMITS = {
  sessionExpirySecondsMax: 500,
  queuedCountMax: 12,
  queuedBytesMax: 20_000,
  retainedCountMax: 3,
  sessionsMax: 6,
  subscriptionsPerClientMax: 4,
  receiveMaximum: 6,
  sysIntervalMs: 5_000,
};

/** Clients of both versions that do anything at all, right or wrong, over one broker. */
class Chaos {
  readonly rig: BrokerRig;
  readonly #random: Prng;
  readonly #clients = new Map<string, TestClient>();

  constructor(seed: number) {
    this.#random = new Prng(seed);
    this.rig = new BrokerRig({
      limits: LIMITS,
      intakes: [
        {
          claims: (topic) => topic === "b/b",
          take: async () => (this.#random.below(20) === 0 ? "close" : { reasonCode: this.#pick([0, 0x97, 0x83]) }),
        },
      ],
    });
  }

  async step(): Promise<void> {
    const id = `c${this.#random.below(8)}`;
    const client = this.#clients.get(id);
    if (client === undefined || client.isClosed || this.#random.below(25) === 0) {
      await this.#connect(id);
      return;
    }
    const qos = this.#pick([0, 1, 2] as const);
    const messageId = 1 + this.#random.below(20);
    const choice = this.#random.below(14);
    if (choice < 5) {
      const properties = {
        ...(this.#random.below(3) === 0 ? { messageExpiryInterval: 1 + this.#random.below(5) } : {}),
        ...(this.#random.below(4) === 0 ? { topicAlias: 1 + this.#random.below(3) } : {}),
      };
      client.publish(this.#pick(TOPICS), "x".repeat(this.#random.below(3_000)), {
        qos,
        messageId,
        retain: this.#random.below(6) === 0,
        dup: qos > 0 && this.#random.below(4) === 0,
        properties,
      });
    } else if (choice < 7) client.subscribe(this.#pick(FILTERS), qos, { rh: this.#random.below(3), rap: this.#random.below(2) === 0 });
    else if (choice === 7) client.unsubscribe(this.#pick(FILTERS));
    else if (choice < 10) this.#answer(client);
    else if (choice === 10) client.isFull = !client.isFull;
    else if (choice === 11) client.drain();
    else if (choice === 12) await this.rig.pass(this.#random.below(3_000));
    else if (this.#random.below(3) === 0) client.sendBytes(this.#random.bytes(1 + this.#random.below(12)));
    else if (this.#random.below(2) === 0) client.lose();
    else client.send({ cmd: "disconnect", reasonCode: this.#pick([0, 4]) });
  }

  /** Everybody leaves for ever. */
  async end(): Promise<void> {
    for (const client of this.#clients.values()) client.lose();
    await this.rig.pass(1_000_000);
  }

  async #connect(id: string): Promise<void> {
    const protocolVersion = this.#pick([4, 5] as const);
    const client = this.rig.open(protocolVersion);
    this.#clients.set(id, client);
    const will = {
      topic: this.#pick(["a", "a/b"]),
      payload: "will",
      qos: this.#pick([0, 1, 2] as const),
      retain: this.#random.below(4) === 0,
      properties: { willDelayInterval: this.#random.below(4) },
    };
    client.send({
      ...{
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion,
        clientId: id,
        clean: this.#random.below(3) === 0,
        keepalive: this.#random.below(8),
      },
      ...(this.#random.below(2) === 0 ? { will } : {}),
      properties: {
        sessionExpiryInterval: this.#pick([0, 3, 50]),
        receiveMaximum: 1 + this.#random.below(5),
        topicAliasMaximum: this.#random.below(3),
        maximumPacketSize: this.#pick([60, 2_000, 1 << 20]),
      },
    });
    await this.rig.settle();
  }

  /** Acknowledges most of what came, rightly or not. */
  #answer(client: TestClient): void {
    for (const { cmd, qos, messageId = 0 } of client.packets.splice(0)) {
      if (client.isClosed || this.#random.below(6) === 0) continue;
      const reasonCode = this.#random.below(8) === 0 ? 0x83 : 0;
      if (cmd === "publish" && qos === 1) client.send({ cmd: "puback", messageId, reasonCode });
      if (cmd === "publish" && qos === 2) client.send({ cmd: "pubrec", messageId, reasonCode });
      if (cmd === "pubrel") client.send({ cmd: "pubcomp", messageId, reasonCode: 0 });
      if (cmd === "pubrec") client.send({ cmd: "pubrel", messageId, reasonCode: 0 });
    }
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }
}

describe("broker: anything at all", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`broker: clients that do anything, no throw, bounds hold, and nothing is left when all are gone, seed ${seed}`, async () => {
      const chaos = new Chaos(seed);
      const { broker, database } = chaos.rig;
      for (let step = 0; step < 500; step++) {
        await chaos.step();
        const { queuedCount, sessionCount, retainedCount, subscriptionCount } = broker.figures();
        expect(queuedCount).toBeLessThanOrEqual(LIMITS.queuedCountMax * LIMITS.sessionsMax);
        expect(sessionCount).toBeLessThanOrEqual(LIMITS.sessionsMax);
        expect(subscriptionCount).toBeLessThanOrEqual(LIMITS.subscriptionsPerClientMax * LIMITS.sessionsMax);
        expect(retainedCount).toBeLessThanOrEqual(LIMITS.retainedCountMax);
      }
      await chaos.end();
      const { retainedCount, ...rest } = broker.figures();
      expect(rest).toEqual({ connectionCount: 0, sessionCount: 0, subscriptionCount: 0, queuedCount: 0, queuedBytes: 0, partialBytes: 0 });
      const rows = (table: string): number => database.askNumber(`SELECT count(*) FROM ${table}`);
      expect(["session", "subscription", "delivery", "received", "will"].map(rows)).toEqual([0, 0, 0, 0, 0]);
      expect([rows("retained"), rows("message")]).toEqual([retainedCount, retainedCount]);
      await broker.stop();
      expect([chaos.rig.time.pending, chaos.rig.failures]).toEqual([0, []]);
    });
  }
});
