/** A broker that is killed again and again between a publisher and a subscriber that never forget. */
import { join } from "node:path";
import { Prng } from "../../../../src/kernel/index.ts";
import { lasting } from "./case.ts";
import type { DeviceSettings } from "./device.ts";
import { Wire } from "./wire.ts";

/** What a trial found; `faults` is empty when everything acknowledged was heard, and of QoS 2 once. */
export type BrokerKillReport = {
  readonly kills: number;
  readonly published: number;
  readonly repeated: number;
  readonly faults: readonly string[];
};

type Sent = { readonly text: string; readonly qos: 1 | 2; isReceived: boolean };

const OPEN_MAX = 20;
const LIMIT_MS = 90_000;

class Side {
  readonly name: string;
  wire: Wire | undefined;
  held = new Set<number>();

  constructor(name: string) {
    this.name = name;
  }

  /** Connects with its session and what it remembers of it. */
  async connect(url: string): Promise<Wire> {
    const wire = await Wire.open(url, 5);
    wire.held = this.held;
    const settings: DeviceSettings = { clientId: this.name, version: 5, ...lasting(5, 100_000) };
    if ((await wire.greet(settings)) !== 0) throw new Error(`${this.name} is refused`);
    this.wire = wire;
    return wire;
  }
}

/** Kills the broker at random moments. @param path of broker.db */
export async function runBrokerKillTrial(path: string, kills: number, seed: number): Promise<BrokerKillReport> {
  const random = new Prng(seed);
  const [publisher, subscriber] = [new Side("publisher"), new Side("subscriber")];
  const open = new Map<number, Sent>();
  const texts: string[] = [];
  const heard = new Map<string, number>();
  const faults: string[] = [];
  let [packetId, repeated] = [0, 0];

  const hear = (wire: Wire): void => {
    for (const { payload, qos } of wire.arrived.splice(0)) {
      const count = (heard.get(payload) ?? 0) + 1;
      heard.set(payload, count);
      if (count > 1 && qos === 2) faults.push(`${payload} was heard ${count} times`);
      if (count > 1) repeated++;
    }
  };
  const read = (wire: Wire): void => {
    for (const { cmd, messageId = 0, reasonCode = 0 } of wire.heard.splice(0)) {
      const sent = open.get(messageId);
      if (cmd === "puback" || cmd === "pubcomp") open.delete(messageId);
      if (cmd !== "pubrec" || sent === undefined) continue;
      if (reasonCode >= 0x80) faults.push(`${sent.text} was refused with ${reasonCode}`);
      sent.isReceived = true;
      wire.send({ cmd: "pubrel", messageId, reasonCode: 0 });
    }
  };
  const publish = (wire: Wire): void => {
    while (open.size < OPEN_MAX) {
      do packetId = (packetId % 60) + 1;
      while (open.has(packetId));
      const qos = random.below(3) === 0 ? 1 : 2;
      const text = `${qos}-${texts.length}`;
      texts.push(text);
      open.set(packetId, { text, qos, isReceived: false });
      wire.say("t", text, { qos, messageId: packetId });
    }
  };
  /** Both come back, and send again what was not done. */
  const resume = async (url: string): Promise<readonly [Wire, Wire]> => {
    const listening = await subscriber.connect(url);
    const isNew = texts.length === 0;
    if (isNew) await listening.subscribe("t", { qos: 2 });
    else if (listening.connack.sessionPresent !== true) faults.push("the subscriber's session is lost");
    const speaking = await publisher.connect(url);
    for (const [messageId, { text, qos, isReceived }] of open) {
      if (isReceived) speaking.send({ cmd: "pubrel", messageId, reasonCode: 0 });
      else speaking.say("t", text, { qos, messageId, dup: true });
    }
    return [speaking, listening];
  };

  for (let kill = 0; kill <= kills; kill++) {
    const { child, url } = await start(path);
    try {
      const [speaking, listening] = await resume(url);
      const isLast = kill === kills;
      const untilMs = performance.now() + (isLast ? LIMIT_MS : 5 + random.below(250));
      while (performance.now() < untilMs) {
        if (!isLast) publish(speaking);
        await Bun.sleep(1);
        read(speaking);
        hear(listening);
        if (isLast && open.size === 0 && texts.every((text) => heard.has(text))) break;
      }
    } finally {
      child.kill("SIGKILL");
      await child.exited;
      for (const { wire } of [publisher, subscriber]) await wire?.ended();
      if (subscriber.wire) hear(subscriber.wire); // what had arrived counts
      if (publisher.wire) read(publisher.wire);
    }
  }
  for (const text of texts) if (!heard.has(text)) faults.push(`${text} is lost`);
  for (const { text } of open.values()) faults.push(`${text} is never acknowledged`);
  return { kills, published: texts.length, repeated, faults };
}

async function start(path: string): Promise<{ readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">; readonly url: string }> {
  const words = [process.execPath, join(import.meta.dir, "broker-process.ts"), path];
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const { value } = await child.stdout.getReader().read();
  return { child, url: new TextDecoder().decode(value).trim() };
}
