import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { readBlocks } from "./support/chain-walk.ts";
import { Client } from "./support/client.ts";
import { type EventStream, findChainFaults, openServerSent, openSocket, told } from "./support/event-chain.ts";
import { type Keys, readKeys } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
let node: NodeProcess;
let client: Client;
let alice: Keys;
let bob: Keys;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  alice = readKeys(net.accounts["alice"] ?? "");
  bob = readKeys(net.accounts["bob"] ?? "");
  await restart();
}, 240_000);

afterAll(() => place.end());

/** Starts the node, again when it ran. */
async function restart(): Promise<void> {
  if (node !== undefined) expect(await node.stop()).toBe(0);
  node = await place.start(homeOf(net));
  client = new Client(node, net.hash);
}

/** Makes so many blocks, one transaction each. */
async function makeBlocks(count: number): Promise<number> {
  let height = 0;
  for (let i = 0; i < count; i++) height = Number((await client.pay(alice, bob.publicKey, 1))["height"]);
  return height;
}

const finalized = (height: number) => (events: EventStream["events"]) =>
  events.some(({ type, payload }) => type === "block.finalized" && payload["height"] === height);

const ways = [
  ["server-sent events by query", (after: string) => openServerSent(node.http, "chain", after)],
  ["server-sent events by Last-Event-ID", (after: string) => openServerSent(node.http, "chain", after, "header")],
  ["WebSocket", (after: string) => openSocket(node.http, "chain", after)],
] as const;

describe("event streams", () => {
  for (const [way, open] of ways) {
    test(`e2e: ${way}, replay then live, and resumed without loss or repeat across a restart`, async () => {
      await makeBlocks(3);
      const first = place.keep(await open("1.0"));
      await told(first, finalized(await makeBlocks(3)));
      const seen = [...first.events];
      await restart();
      await told(first, () => first.isClosed);
      const missed = await makeBlocks(2);
      const second = place.keep(await open(first.events.at(-1)?.cursor ?? ""));
      await told(second, finalized(missed));
      await told(second, finalized(await makeBlocks(2)));
      expect(first.events.slice(0, seen.length)).toEqual(seen);
      expect(findChainFaults([...first.events, ...second.events])).toEqual([]);
      second.kill();
    }, 240_000);
  }

  test("e2e: the chain lane told by pages, the same as by stream, its hashes as computed by hand, one event per block", async () => {
    const height = await makeBlocks(2);
    const stream = place.keep(await openServerSent(node.http, "chain", "1.0"));
    await told(stream, finalized(height));
    const paged: unknown[] = [];
    for (let after = "1.0"; ; ) {
      const page = (await node.get(`/api/v2/events?lane=chain&after=${after}&limit=5`)) as {
        events: unknown[];
        next: string;
        head: string;
      };
      paged.push(...page.events);
      after = page.next;
      if (page.next === page.head) break;
    }
    expect(paged).toEqual(stream.events.slice(0, paged.length));
    expect(findChainFaults(stream.events)).toEqual([]);
    const blocks = await readBlocks(node);
    const blockEvents = stream.events.filter(({ type }) => type === "block.finalized");
    expect(blockEvents.map(({ payload }) => payload["hash"])).toEqual(blocks.map(({ hash }) => hash));
    expect(blockEvents.map(({ payload }) => payload["executed"])).toEqual(blocks.map(({ transactionCount }) => transactionCount));
    expect(stream.events.filter(({ type }) => type === "validator.registered").length).toBe(1);
    stream.kill();
  }, 240_000);

  test("e2e: without a cursor only what is new; the other lanes tell of the service", async () => {
    const fresh = place.keep(await openServerSent(node.http, "chain"));
    const height = await makeBlocks(1);
    await told(fresh, finalized(height));
    expect(fresh.events.map(({ payload }) => payload["height"])).toEqual([height]);
    fresh.kill();
    const ops = await node.get("/api/v2/events?lane=ops&after=1.0&limit=1000");
    expect(JSON.stringify(ops["events"])).toContain('"service.started"');
    expect(JSON.stringify(ops["events"])).toContain('"service.stopped"');
    const crit = await node.request("/api/v2/events?lane=crit");
    expect(crit.status).toBe(200);
  }, 240_000);
});
