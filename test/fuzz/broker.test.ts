/** Streams of MQTT packets, spoiled in every way, against the engine in memory. The same seeds find the same faults. */
import { describe, expect, test } from "bun:test";
import { generate, type Packet } from "mqtt-packet";
import { Prng } from "../../src/kernel/index.ts";
import { BrokerRig, type TestClient } from "../unit/appliance/broker/broker-rig.ts";

const STREAMS = 800;
/** Other clients are asked for a sign of life after so many streams. */
const WITNESS_EVERY = 25;
const LIMITS = {
  packetBytesMax: 4_096,
  connectPacketBytesMax: 1_024,
  queuedCountMax: 20,
  queuedBytesMax: 20_000,
  retainedCountMax: 5,
  sessionsMax: 30,
  subscriptionsPerClientMax: 6,
  receiveMaximum: 8,
  connectBurst: 1_000_000,
  sessionExpirySecondsMax: 1_000,
};

/** A good client's packets, in an order in which they may come. */
function script(version: 4 | 5, random: Prng): Packet[] {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)] as T;
  const props = <P>(properties: P): { properties?: P } => (version === 5 && random.below(2) === 0 ? { properties } : {});
  const topic = (): string => pick("a", "a/b", "a/b/c", `n${random.below(50)}`, "claimed");
  const id = (): number => 1 + random.below(12);
  const packets: Packet[] = [
    {
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clientId: `f${random.below(40)}`,
      clean: random.below(2) === 0,
      keepalive: random.below(100),
      ...(random.below(3) === 0 ? { username: "u", password: Buffer.from("secret") } : {}),
      ...(random.below(3) === 0
        ? {
            will: {
              topic: topic(),
              payload: Buffer.from("will"),
              qos: 1,
              retain: random.below(2) === 0,
              ...props({ willDelayInterval: 3 }),
            },
          }
        : {}),
      ...props({ sessionExpiryInterval: random.below(100), receiveMaximum: 3, topicAliasMaximum: 4, maximumPacketSize: 2_000 }),
    },
  ];
  const count = random.below(14);
  for (let n = 0; n < count; n++) {
    const qos = pick(0, 1, 2) as 0 | 1 | 2;
    packets.push(
      pick<Packet>(
        {
          cmd: "publish",
          topic: topic(),
          payload: Buffer.from(random.bytes(random.below(300))),
          qos,
          dup: qos > 0 && random.below(3) === 0,
          retain: random.below(4) === 0,
          messageId: id(),
          ...props({ topicAlias: 1 + random.below(4), userProperties: { a: ["1", "2"] }, messageExpiryInterval: 9, responseTopic: "r" }),
        },
        {
          cmd: "subscribe",
          messageId: id(),
          subscriptions: [
            {
              topic: pick("#", "a/+", "$share/g/a/#", "n1", "$SYS/#"),
              qos,
              ...(version === 5 ? { nl: false, rap: true, rh: pick(0, 1, 2) } : {}),
            },
          ],
          ...props({ subscriptionIdentifier: 1 + random.below(300) }),
        },
        { cmd: "unsubscribe", messageId: id(), unsubscriptions: [pick("#", "a/+", "n1")] },
        { cmd: "pubrel", messageId: id(), reasonCode: 0 },
        { cmd: "pubrec", messageId: id(), reasonCode: 0 },
        { cmd: "puback", messageId: id(), reasonCode: 0 },
        { cmd: "pubcomp", messageId: id(), reasonCode: 0 },
        { cmd: "pingreq" },
      ),
    );
  }
  if (random.below(4) === 0)
    packets.push({ cmd: "disconnect", reasonCode: pick(0, 4), ...props({ sessionExpiryInterval: random.below(10) }) });
  return packets;
}

/** Spoils a stream: packets changed, lost, repeated or exchanged, bytes changed, inserted or lost, the end cut off. */
function spoil(packets: Buffer[], random: Prng): Buffer {
  const parts = [...packets];
  const isWhole = random.below(4) === 0;
  const faults = isWhole ? 0 : 1 + random.below(3);
  for (let n = 0; n < faults; n++) {
    const at = random.below(parts.length);
    const part = parts[at] ?? Buffer.alloc(0);
    const place = random.below(Math.max(1, part.length));
    const other = parts[random.below(parts.length)] ?? Buffer.alloc(0);
    switch (random.below(8)) {
      case 0:
        parts.splice(at, 1);
        break;
      case 1:
        parts.splice(at, 0, part);
        break;
      case 2:
        parts.splice(random.below(parts.length), 1, part);
        break;
      case 3: {
        const changed = Buffer.from(part);
        if (changed.length > 0) changed[place] = random.below(256);
        parts[at] = changed;
        break;
      }
      case 4:
        parts[at] = Buffer.concat([part.subarray(0, place), Buffer.from(random.bytes(1 + random.below(6))), part.subarray(place)]);
        break;
      case 5:
        parts[at] = Buffer.concat([part.subarray(0, place), part.subarray(place + 1 + random.below(4))]);
        break;
      case 6:
        parts[at] = Buffer.concat([part.subarray(0, place), other]);
        break;
      default: {
        const flipped = Buffer.from(part);
        if (flipped.length > 0) flipped[place] = (flipped[place] ?? 0) ^ (1 << random.below(8));
        parts[at] = flipped;
      }
    }
    if (parts.length === 0) parts.push(Buffer.from(random.bytes(8)));
  }
  const whole = Buffer.concat(parts);
  return random.below(5) === 0 ? whole.subarray(0, random.below(whole.length + 1)) : whole;
}

/** Hands a stream over in pieces of any size, and lets time pass between some of them. */
async function feed(rig: BrokerRig, client: TestClient, stream: Buffer, random: Prng): Promise<void> {
  const piece = random.below(3) === 0 ? 1 : 1 + random.below(64);
  for (let at = 0; at < stream.length && !client.isClosed; at += piece) {
    client.sendBytes(stream.subarray(at, at + piece));
    if (random.below(10) === 0) client.isFull = !client.isFull;
    if (at === 0 || random.below(6) === 0) await rig.settle();
  }
  await rig.settle();
}

describe("fuzz broker", () => {
  for (const seed of [11, 12, 13, 14]) {
    test(`fuzz broker: ${STREAMS} spoiled packet streams, no throw, bounds hold, others are served, seed ${seed}`, async () => {
      const random = new Prng(seed);
      const rig = new BrokerRig({
        limits: LIMITS,
        intakes: [
          {
            claims: (topic) => topic === "claimed",
            take: async () => (random.below(5) === 0 ? "close" : { reasonCode: random.below(2) === 0 ? 0 : 0x97 }),
          },
        ],
      });
      const witness = await rig.connect("witness");
      witness.subscribe("witness/#", 1);
      await rig.settle();
      witness.take("suback");
      for (let n = 0; n < STREAMS; n++) {
        const version = random.below(2) === 0 ? 4 : 5;
        const client = rig.open(version, `10.0.0.${random.below(5)}`);
        const packets = script(version, random).map((packet) => generate(packet, { protocolVersion: version }));
        await feed(rig, client, spoil(packets, random), random);
        if (random.below(2) === 0) client.lose();
        else if (random.below(3) === 0) client.drain();
        if (random.below(50) === 0) await rig.pass(20_000);
        const { queuedCount, queuedBytes, sessionCount, retainedCount, subscriptionCount } = rig.broker.figures();
        expect(queuedCount).toBeLessThanOrEqual(LIMITS.queuedCountMax * LIMITS.sessionsMax);
        expect(queuedBytes).toBeLessThanOrEqual(LIMITS.queuedBytesMax * LIMITS.sessionsMax);
        expect(sessionCount).toBeLessThanOrEqual(LIMITS.sessionsMax);
        expect(retainedCount).toBeLessThanOrEqual(LIMITS.retainedCountMax);
        expect(subscriptionCount).toBeLessThanOrEqual(LIMITS.subscriptionsPerClientMax * LIMITS.sessionsMax);
        if (n % WITNESS_EVERY !== 0) continue;
        witness.publish("witness/alive", `${n}`, { qos: 1, messageId: 1 });
        await rig.settle();
        const heard = witness.packets.splice(0);
        expect(heard.map(({ cmd }) => cmd).sort()).toEqual(["puback", "publish"]);
        const { messageId = 0 } = heard.find(({ cmd }) => cmd === "publish") ?? {};
        witness.send({ cmd: "puback", messageId, reasonCode: 0 });
      }
      expect(witness.isClosed).toBe(false);
      expect(rig.failures).toEqual([]);
      await rig.broker.stop();
      expect(rig.time.pending).toBe(0);
    }, 120_000);
  }
});
