/** Ways round the access rules, tried on the whole broker of a node: every topic that is not a device's own stays closed. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AccessUser, DEFAULT_LIMITS, makeToken, writeAccessFile } from "../../../appliance/broker/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { MqttService } from "../../../src/node/mqtt/mqtt-service.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import type { DeviceSettings } from "./support/device.ts";
import { Wire } from "./support/wire.ts";

const ROOT = "bizra/v1/0011aabb";
const folder = mkdtempSync(join(tmpdir(), "bizra-access-"));
const accessPath = join(folder, "mqtt-access.json");
const submitted: string[] = [];
const { token, secret } = makeToken(systemEntropy);
const alice: AccessUser = { name: "alice", role: "device", secret, publish: ["lab/#"], subscribe: ["lab/#"] };
const wide: AccessUser = { name: "wide", role: "reader", secret, subscribe: ["#"] };

function list(...users: readonly AccessUser[]): void {
  writeAccessFile(accessPath, new Map(users.map((user) => [user.name, user])));
}
list(alice, wide);

const service = MqttService.start(
  {
    databasePath: join(folder, "broker.db"),
    accessPath,
    scope: { network: "0011aabb", node: "node-1" },
    version: "test",
    anonymous: "loopback",
    doors: { tcp: { host: "127.0.0.1", port: 0 } },
    limits: DEFAULT_LIMITS,
    submissionLimits: { itemsMax: 10, receiptsMax: 100 },
  },
  {
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    log: silentLog,
    desk: {
      submit: async (groups) => {
        submitted.push(...groups.map(({ source }) => source));
        return groups.map(({ items }) =>
          items.map(() => ({ status: "rejected" as const, code: "badSignature" as const, detail: "a test" })),
        );
      },
      subscribeEndings: () => () => {},
    },
    onFailure: (error) => {
      throw error;
    },
  },
);
if (!service.ok) throw new Error(service.error);
const { broker, urls } = service.value;
const open: Wire[] = [];

afterAll(async () => {
  for (const wire of open) await wire.cut();
  await service.value.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function connect(clientId: string, settings: Partial<DeviceSettings> = {}): Promise<Wire> {
  const wire = await Wire.connect(urls.tcp ?? "", { clientId, version: 5, ...settings });
  open.push(wire);
  return wire;
}

const CLOSED = [
  `${ROOT}/tx/pump/receipt`,
  `${ROOT}/tx/pump/receipt/x`,
  `${ROOT}/tx/thief/receipts`,
  `${ROOT}/tx/thief`,
  `${ROOT}/tx/+/receipt`,
  `${ROOT}/tx/#`,
  `${ROOT}/#`,
  `${ROOT}/+/thief/receipt`,
  `${ROOT}/tx/pump/submit`,
  `${ROOT}/tx/thief/submit`,
  `${ROOT}/node/node-1/cmd/+`,
  `${ROOT}/fleet/#`,
  "bizra/#",
  "bizra/v1/+/tx/thief/receipt",
  "#",
  "+/#",
  "+",
  "lab/#",
  "lab/x",
];

test("broker access: no closed filter by itself, inside a share, or inside a share in a share", async () => {
  const thief = await connect("thief");
  for (const filter of CLOSED) {
    for (const way of [filter, `$share/g/${filter}`, `$share/g/$share/h/${filter}`]) {
      expect([way, await thief.subscribe(way, { qos: 1 })]).toEqual([way, 0x87]);
    }
  }
  expect(await thief.subscribe(`$share/g/${ROOT}/tx/thief/receipt/#`, { qos: 1 })).toBe(1);
  for (const topic of [`${ROOT}/tx/pump/receipt`, "lab/x"]) {
    await broker.publish({ topic, payload: Buffer.from("secret"), qos: 1, isRetain: true });
  }
  expect(await thief.take()).toEqual([]);
});

test("broker access: nothing is published, retained or left as a will where a device may not publish", async () => {
  const watcher = await connect("watcher", { username: "wide", password: token });
  expect(await watcher.subscribe("#", { qos: 1 })).toBe(1);
  await watcher.take();
  const thief = await connect("thief");
  const closed = [
    `${ROOT}/tx/pump/submit`,
    `${ROOT}/tx/thief/receipt`,
    `${ROOT}/node/node-1/status`,
    `${ROOT}/node/node-1/cmd/stop`,
    "lab/x",
    "$SYS/broker/version",
  ];
  for (const topic of closed) {
    for (const retain of [false, true])
      for (const qos of [1, 2] as const) expect(await thief.publish(topic, "forged", { qos, retain })).toBe(0x87);
    await thief.publish(topic, "forged", { qos: 0, retain: true });
    for (const name of [topic, ""]) expect(await thief.publish(name, "forged", { qos: 1, properties: { topicAlias: 1 } })).toBe(0x87);
    const will = { topic, payload: Buffer.from("forged"), qos: 1 as const, retain: true };
    await expect(connect("ghost", { will })).rejects.toThrow(`refused: ${0x87}`);
    await expect(connect("ghost", { will, version: 4 })).rejects.toThrow("refused: 5");
  }
  expect((await watcher.take()).filter(({ payload }) => payload === "forged")).toEqual([]);
  await expect(
    connect("ghost", { will: { topic: `${ROOT}/tx/ghost/submit`, payload: Buffer.from("x"), qos: 1, retain: false } }),
  ).rejects.toThrow(`refused: ${0x87}`);
  expect(submitted).toEqual([]);
});

test("broker access: the node answers a submission on no topic that its device may not both read and write", async () => {
  const watcher = await connect("watcher", { username: "wide", password: token });
  await watcher.subscribe("#", { qos: 1 });
  await watcher.take();
  const device = await connect("meter");
  const own = `${ROOT}/tx/meter/receipt`;
  const asked = [
    `${ROOT}/tx/pump/receipt`,
    `${ROOT}/node/node-1/status`,
    `${ROOT}/node/node-1/cmd/stop`,
    `${own}x`,
    "spBv1.0/g/NCMD/n",
    "lab/x",
    "$SYS/x",
  ];
  for (const responseTopic of asked) {
    const reason = await device.publish(`${ROOT}/tx/meter/submit`, "a0", { qos: 1, properties: { responseTopic } });
    expect([responseTopic, reason]).toEqual([responseTopic, 0x87]);
  }
  expect([...new Set((await watcher.take()).map(({ topic }) => topic))]).toEqual([own]);
});

test("broker access: a device whose client id another one asked for is ended when its user goes, and its session stays its own", async () => {
  const good = await connect("plc", { username: "alice", password: token, properties: { sessionExpiryInterval: 600 } });
  await expect(connect("plc")).rejects.toThrow(`refused: ${0x87}`);
  await expect(connect("plc", { username: "wide", password: token })).rejects.toThrow(`refused: ${0x87}`);
  await expect(connect("alice")).rejects.toThrow(`refused: ${0x87}`);
  expect(await good.publish("lab/x", "still here", { qos: 1 })).toBeLessThan(0x80);
  list(wide);
  expect(await good.ended()).toBe(0x98);
});
