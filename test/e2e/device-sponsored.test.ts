import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  anchorBody,
  consentToOwner,
  DeviceClient,
  type DeviceClientOptions,
  type DeviceEvent,
  type DeviceKey,
  deviceClock,
  deviceEntropy,
  deviceRegisterBody,
  deviceRevokeBody,
  deviceTimers,
  generateKey,
  HttpCarrier,
  importKeyPem,
  memoryStorage,
  type Submission,
  trustGenesis,
} from "../../src/device/index.ts";
import { present } from "../../src/kernel/index.ts";
import type { TransactionBody } from "../../src/protocol/index.ts";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
let node: NodeProcess;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net));
}, 240_000);

afterAll(() => place.end());

async function openClient(signer: DeviceKey, more: Partial<DeviceClientOptions> = {}): Promise<DeviceClient> {
  const chain = trustGenesis(readFileSync(net.genesis, "utf8"), net.hash);
  return DeviceClient.open({
    signer,
    chain: present(chain.ok ? chain.value : undefined, "the genesis of a test network is valid"),
    carriers: [new HttpCarrier({ url: node.http, fetch, timers: deviceTimers })],
    storage: memoryStorage(),
    ports: { clock: deviceClock, timers: deviceTimers, entropy: deviceEntropy },
    ...more,
  });
}

/** Gives a client an order that it takes. */
async function give(client: DeviceClient, body: TransactionBody): Promise<Submission> {
  const taken = await client.submit(body);
  return present(taken.ok ? taken.value : undefined, "the order is taken");
}

/** Resolves once this holds. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("it does not come to hold");
    await Bun.sleep(20);
  }
}

test("e2e device: a device without funds waits for its owner, anchors at the owner's cost, stops at its quota", async () => {
  const key = importKeyPem(readFileSync(net.accounts["carol"] ?? "", "utf8"));
  const owner = present(key.ok ? key.value : undefined, "a demo account has a key");
  const gauge = generateKey(deviceEntropy);
  const events: DeviceEvent[] = [];
  const codes = (): string[] => events.flatMap((event) => (event.kind === "trouble" ? [event.code] : []));
  const device = await openClient(gauge, {
    isSponsored: true,
    onEvent: (event) => events.push(event),
    backOff: { leastMs: 50, mostMs: 500 },
  });
  const payer = await openClient(owner);
  const readings = [];
  for (const text of ["1", "2", "3"]) readings.push(await give(device, anchorBody("gauge", text)));
  await until(() => codes().includes("notReady"));
  const consent = consentToOwner(gauge, net.hash, owner.publicKey);
  const quota = { label: "gauge", transactionsPerHour: 2n, bytesPerHour: 65_536n };
  const before = BigInt(String((await node.get(`/api/v2/accounts/${owner.address}`))["balance"]));
  const registered = await (await give(payer, deviceRegisterBody(gauge.publicKey, consent, quota))).ended;
  expect(registered.kind === "final" && registered.receipt.code).toBe("applied");
  const ends = await Promise.all(readings.slice(0, 2).map(({ ended }) => ended));
  expect(ends.map((end) => end.kind === "final" && end.receipt.code)).toEqual(["applied", "applied"]);
  await until(() => codes().includes("quotaExceeded"));
  const after = BigInt(String((await node.get(`/api/v2/accounts/${owner.address}`))["balance"]));
  const fees = [registered, ...ends].reduce((sum, end) => sum + (end.kind === "final" ? end.receipt.fee : 0n), 0n);
  expect(before - after).toBe(fees);
  const told = await node.get(`/api/v2/accounts/${gauge.address}`);
  expect(told).toMatchObject({ balance: "0", nonce: "2", device: { label: "gauge", usedTransactions: "2" } });
  await device.close();
  expect(device.pending).toHaveLength(1); // the third waits for the next hour, also over a restart
  expect((await (await give(payer, deviceRevokeBody(gauge.publicKey))).ended).kind).toBe("final");
  await payer.close();
}, 240_000);
