/** Clients that mean harm, against a running node: what they take of it is bounded, and a good device is served meanwhile. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { generate, type Packet } from "mqtt-packet";
import { bizraJson } from "./support/bizra.ts";
import { residentBytesOf, startCrowdedNode } from "./support/crowd-trial.ts";
import type { MqttDevice, Signer } from "./support/mqtt-device.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { RawConnection } from "./support/raw-connection.ts";
import { Workplace } from "./support/workplace.ts";

const MIB = 2 ** 20;
/** How long anything is waited for, other work on the machine included: far from any pace, so that only what never comes fails. */
const WAIT_MS = 90_000;
const LIMIT_MS = 240_000;
/** What the broker tells the node of itself is at most so old, and a little. */
const FIGURES_AGE_MS = 2_100;

const place = new Workplace();
const rude: RawConnection[] = [];
let node: NodeProcess;
let url: string;
let device: MqttDevice;
let signer: Signer;
let token: string;

beforeAll(async () => {
  ({ node, url, device, signer } = await startCrowdedNode(place, 3_000));
  const grants = ["--publish", "lab/#", "--subscribe", "lab/#"];
  ({ token } = (await bizraJson("mqtt", "user", "add", "loud", "--token", ...grants, "--home", node.home)) as { token: string });
  await loudIsKnown();
}, LIMIT_MS);
afterEach(() => {
  for (const connection of rude.splice(0)) connection.cut();
});
afterAll(() => place.end());

async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open(url);
  rude.push(connection);
  return connection;
}

function bytesOf(packet: Packet): Buffer {
  return generate(packet, { protocolVersion: 5 });
}

function connectAs(clientId: string, login?: string): Buffer {
  const shown = login === undefined ? {} : { username: login, password: Buffer.from(token) };
  return bytesOf({ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId, clean: true, keepalive: 0, ...shown });
}

/** The list of users is taken up within a second. */
async function loudIsKnown(): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const connection = await open();
    connection.send(connectAs("loud-0", "loud"));
    await heard(connection, (text) => text.length >= 4);
    if (connection.text.charCodeAt(3) === 0) return;
    await Bun.sleep(1_500); // a login that fails is made to wait
  }
  throw new Error("the user is not known");
}

async function heard(connection: RawConnection, holds: (text: string) => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!holds(connection.text) && !connection.isClosed) {
    if (performance.now() > deadline) throw new Error(`not heard: ${Buffer.from(connection.text, "latin1").toString("hex").slice(0, 200)}`);
    await Bun.sleep(2);
  }
}

/** A good device publishes, is acknowledged while the others are at it, and its transaction is final. */
async function expectServed(): Promise<void> {
  const { encoded, id } = signer.sign();
  const late = Bun.sleep(WAIT_MS).then(() => "no acknowledgement");
  expect(await Promise.race([device.submit(encoded), late])).toMatchObject({ reason: 0 });
  await device.receipt((receipt) => receipt.id === id && receipt.status === "final", WAIT_MS);
}

/** What the broker says of itself; at most two seconds old. */
async function figures(): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^bizra_((?:broker|mqtt_door)_\w+(?:\{[^}]*\})?) (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}

/** Asks until it holds; a figure that is missing is a failure of its own, but for counts of what never happened. */
async function untilFigures(what: string, holds: (now: (name: string) => number) => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const all = await figures();
    const named = (name: string): number => {
      if (all[name] === undefined && !name.includes("{")) throw new Error(`no bizra_${name} at /metrics`);
      return all[name] ?? 0;
    };
    if (holds(named)) return;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${WAIT_MS} ms: ${JSON.stringify(all)}`);
    await Bun.sleep(100);
  }
}

/**
 * A good device is served before, during and after something is done to the node, and what the broker holds is within its
 * bounds all the while. Memory is what a process without these bounds would be ended by: `mib` is far from what one with them
 * takes, whatever its garbage collector was doing, and far from what one without them takes.
 */
async function expectBounded(mib: number, harm: () => Promise<void>): Promise<void> {
  await expectServed();
  const before = residentBytesOf(node);
  const most = { queued: 0, partial: 0, held: 0 };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const now = await figures();
      most.queued = Math.max(most.queued, now["broker_queued_bytes"] ?? Number.NaN);
      most.partial = Math.max(most.partial, now["broker_partial_bytes"] ?? Number.NaN);
      most.held = Math.max(most.held, now["mqtt_door_held_bytes"] ?? Number.NaN);
      await Bun.sleep(200);
    }
  })();
  await harm()
    .then(() => Bun.sleep(FIGURES_AGE_MS))
    .finally(() => {
      isOver = true;
    });
  await watching;
  await expectServed();
  const grown = (residentBytesOf(node) - before) / MIB;
  const told = Object.entries(most).map(([name, bytes]) => `${(bytes / MIB).toFixed(1)} MiB ${name}`);
  console.log(`mqtt hostile: ${grown.toFixed(1)} MiB more, at most ${told.join(", ")}`);
  expect(most.queued).toBeLessThanOrEqual(65 * MIB); // 64, and 4 KiB of each session
  expect(most.partial).toBeLessThanOrEqual(65 * MIB);
  expect(most.held).toBeLessThanOrEqual(32 * MIB);
  expect(grown).toBeLessThan(mib);
  expect(node.child.exitCode).toBe(null);
  for (const connection of rude.splice(0)) connection.cut();
  await untilFigures("nobody but the device is there any more", (now) => now("broker_connections") === 1);
  await untilFigures(
    "nothing is left of them",
    (now) => now("broker_queued_bytes") + now("broker_partial_bytes") + now("mqtt_door_held_bytes") === 0,
  );
}

test(
  "e2e mqtt hostile: 300 half-open connections and 100 that say CONNECT byte by byte",
  async () => {
    await expectBounded(300, async () => {
      for (let n = 0; n < 300; n++) await open();
      const slow = await Promise.all(Array.from({ length: 100 }, open));
      const words = slow.map((_, n) => connectAs(`slow-${n}`));
      for (let at = 0; at < (words[0]?.length ?? 0); at++) {
        for (const [n, connection] of slow.entries()) connection.send(words[n]?.subarray(at, at + 1) ?? Buffer.alloc(0));
        if (at === 9) await expectServed();
        await Bun.sleep(2);
      }
      for (const [n, connection] of slow.entries()) {
        connection.send(words[n]?.subarray(words[0]?.length ?? 0) ?? Buffer.alloc(0));
        await heard(connection, (text) => text.length >= 4);
        expect(connection.text.charCodeAt(0)).toBe(0x20);
      }
    });
  },
  LIMIT_MS,
);

test(
  "e2e mqtt hostile: 1,500 connections at once that say CONNECT and go",
  async () => {
    await expectBounded(300, async () => {
      for (let round = 0; round < 15; round++) {
        const batch = await Promise.all(Array.from({ length: 100 }, open));
        for (const [n, connection] of batch.entries()) connection.send(connectAs(`flood-${round}-${n}`));
        if (round === 7) await expectServed();
        for (const connection of batch.splice(0)) connection.cut();
      }
    });
  },
  LIMIT_MS,
);

test(
  "e2e mqtt hostile: 600 clients with a packet of a megabyte each that never ends, at most 64 MiB of it held",
  async () => {
    await expectBounded(350, async () => {
      const huge = Buffer.alloc(1_000_000);
      Buffer.from([0x30, 0xc8, 0x84, 0x3d, 0, 1, 0x61, 0]).copy(huge); // PUBLISH of 1,000,000 bytes and some
      for (let n = 0; n < 600; n++) {
        const connection = await open();
        connection.send(connectAs(`huge-${n}`, "loud"));
        await heard(connection, (text) => text.length >= 4);
        connection.send(huge);
      }
      const ended = (): number => rude.filter(({ isClosed }) => isClosed).length;
      const deadline = performance.now() + WAIT_MS;
      while (ended() < 500 && performance.now() < deadline) await Bun.sleep(10);
      expect(ended()).toBeGreaterThanOrEqual(500); // 64 fit into the bound, and the first bytes of others
    });
  },
  LIMIT_MS,
);

/** Clients that subscribe and read nothing. */
async function deaf(count: number, qos: 0 | 1): Promise<void> {
  for (let n = 0; n < count; n++) {
    const connection = await open();
    connection.pause();
    const subscribe = { cmd: "subscribe" as const, messageId: 1, subscriptions: [{ topic: "lab/#", qos }] };
    connection.send(Buffer.concat([connectAs(`deaf-${n}`, "loud"), bytesOf(subscribe)]));
  }
  await untilFigures("all are subscribed", (now) => now("broker_subscriptions") > count); // and the device to its receipts
}

/** Publishes until it is through, a window at a time. */
async function speak(payload: Buffer, count: number, onPublished: (n: number) => Promise<void>): Promise<void> {
  const speaker = await open();
  speaker.send(connectAs("speaker", "loud"));
  const answers = (text: string): number => text.split("\x40").length - 1;
  for (let n = 0; n < count; n++) {
    speaker.send(bytesOf({ cmd: "publish", topic: "lab/noise", payload, qos: 1, dup: false, retain: false, messageId: n + 1 }));
    if (n % 50 === 49) await heard(speaker, (text) => answers(text) > n - 50);
    await onPublished(n);
  }
  await heard(speaker, (text) => answers(text) >= count);
  expect(speaker.isClosed).toBe(false);
}

test(
  "e2e mqtt hostile: 20 subscribers that read nothing of 84 MB each, and one that asks for 3 million answers",
  async () => {
    await expectBounded(800, async () => {
      await deaf(20, 1);
      const asking = await open();
      asking.pause();
      asking.send(connectAs("asking"));
      const pings = Buffer.alloc(600_000);
      for (let at = 0; at < pings.length; at += 2) pings[at] = 0xc0;
      for (let n = 0; n < 10; n++) asking.send(pings);
      await speak(Buffer.alloc(60_000), 1_400, async (n) => {
        if (n === 350) await expectServed();
      });
    });
  },
  LIMIT_MS,
);

test(
  "e2e mqtt hostile: 150 subscribers that read nothing, a megabyte of QoS 0 held for each until all hold too much: who is silent for longest is ended",
  async () => {
    await expectBounded(400, async () => {
      await deaf(150, 0);
      // 36 MB for each: the system takes some megabytes of it before anything is held.
      const full = 'mqtt_door_connections_total{door="tcp",event="outgoingFull"}';
      await speak(Buffer.alloc(900_000), 40, async () => {});
      await untilFigures("some are ended", (now) => now(full) > 10);
    });
  },
  LIMIT_MS,
);

test(
  "e2e mqtt hostile: 60,000 random bytes on each of 50 connections, before and after CONNECT",
  async () => {
    await expectBounded(300, async () => {
      for (let n = 0; n < 50; n++) {
        const connection = await open();
        if (n % 2 === 0) connection.send(connectAs(`noise-${n}`));
        connection.send(Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))));
      }
    });
  },
  LIMIT_MS,
);
