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
/** Other work on the machine included. */
const ACKNOWLEDGED_MS_MAX = 8_000;

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
}, 60_000);
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

async function heard(connection: RawConnection, holds: (text: string) => boolean, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!holds(connection.text) && !connection.isClosed) {
    if (performance.now() > deadline) throw new Error(`not heard: ${Buffer.from(connection.text, "latin1").toString("hex").slice(0, 200)}`);
    await Bun.sleep(2);
  }
}

/** A good device publishes, is acknowledged in time, and its transaction is final. */
async function expectServed(): Promise<void> {
  const began = performance.now();
  const { encoded, id } = signer.sign();
  expect(await device.submit(encoded)).toMatchObject({ reason: 0 });
  expect(performance.now() - began).toBeLessThan(ACKNOWLEDGED_MS_MAX);
  await device.receipt((receipt) => receipt.id === id && receipt.status === "final");
}

/** Memory grows by no more than this while something is done to the node; it is asked for service meanwhile. */
async function expectWithin(grownMib: number, harm: () => Promise<void>): Promise<void> {
  await expectServed();
  const before = residentBytesOf(node);
  await harm();
  await expectServed();
  const grown = (residentBytesOf(node) - before) / MIB;
  console.log(`mqtt hostile: ${grown.toFixed(1)} MiB more`);
  expect(grown).toBeLessThan(grownMib);
  expect(node.child.exitCode).toBe(null);
}

test("e2e mqtt hostile: 300 half-open connections and 100 that say CONNECT byte by byte", async () => {
  await expectWithin(60, async () => {
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
}, 60_000);

test("e2e mqtt hostile: 1,500 connections at once that say CONNECT and go", async () => {
  await expectWithin(60, async () => {
    for (let round = 0; round < 15; round++) {
      const batch = await Promise.all(Array.from({ length: 100 }, open));
      for (const [n, connection] of batch.entries()) connection.send(connectAs(`flood-${round}-${n}`));
      if (round === 7) await expectServed();
      for (const connection of batch.splice(0)) connection.cut();
    }
  });
}, 60_000);

test("e2e mqtt hostile: 250 clients with a packet of a megabyte each that never ends, at most 64 MiB of it held", async () => {
  await expectWithin(150, async () => {
    const huge = Buffer.alloc(1_000_000);
    Buffer.from([0x30, 0xc0, 0x84, 0x3d, 0, 1, 0x61, 0]).copy(huge); // PUBLISH of 1,000,000 bytes and some
    huge[1] = 0xc8;
    huge[2] = 0x84;
    let ended = 0;
    for (let n = 0; n < 250; n++) {
      const connection = await open();
      connection.send(connectAs(`huge-${n}`, "loud"));
      await heard(connection, (text) => text.length >= 4);
      connection.send(huge);
    }
    for (let tries = 0; tries < 500 && ended < 150; tries++) {
      ended = rude.filter(({ isClosed }) => isClosed).length;
      await Bun.sleep(10);
    }
    expect(ended).toBeGreaterThanOrEqual(150);
  });
}, 60_000);

test("e2e mqtt hostile: 20 subscribers that read nothing of 84 MB each, and one that asks for 3 million answers", async () => {
  await expectWithin(250, async () => {
    for (let n = 0; n < 20; n++) {
      const connection = await open();
      connection.pause();
      const subscribe = { cmd: "subscribe" as const, messageId: 1, subscriptions: [{ topic: "lab/#", qos: 1 as const }] };
      connection.send(Buffer.concat([connectAs(`deaf-${n}`, "loud"), bytesOf(subscribe)]));
    }
    const asking = await open();
    asking.pause();
    asking.send(connectAs("asking"));
    const pings = Buffer.alloc(600_000);
    for (let at = 0; at < pings.length; at += 2) pings[at] = 0xc0;
    for (let n = 0; n < 10; n++) asking.send(pings);
    const speaker = await open();
    speaker.send(connectAs("speaker", "loud"));
    const payload = Buffer.alloc(60_000);
    for (let n = 0; n < 1_400; n++) {
      speaker.send(bytesOf({ cmd: "publish", topic: "lab/noise", payload, qos: 1, dup: false, retain: false, messageId: n + 1 }));
      const answers = (text: string): number => text.split("\x40").length - 1;
      if (n % 50 === 49) await heard(speaker, (text) => answers(text) > n - 50, 20_000);
      if (n === 350) await expectServed();
    }
  });
}, 90_000);

test("e2e mqtt hostile: 60,000 random bytes on each of 50 connections, before and after CONNECT", async () => {
  await expectWithin(60, async () => {
    for (let n = 0; n < 50; n++) {
      const connection = await open();
      if (n % 2 === 0) connection.send(connectAs(`noise-${n}`));
      connection.send(Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))));
    }
  });
}, 60_000);
