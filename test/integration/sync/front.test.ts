import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { event } from "../../../src/events/index.ts";
import { Prng, silentLog, utf8 } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { openMemoryDatabase } from "../../../src/storage/index.ts";
import {
  AckTable,
  EitherCarrier,
  PostCarrier,
  SYNC_MIGRATION,
  SyncAgent,
  type SyncCarrier,
  WebSocketCarrier,
} from "../../../sync/agent/index.ts";
import { Aggregator, type AggregatorSetup } from "../../../sync/aggregator/index.ts";
import { EventBench, identity } from "../../unit/events/event-fixture.ts";
import { network } from "../../unit/sync/agent/agent-world.ts";
import { memoryStore, REF, witness } from "../../unit/sync/aggregator/ingest-world.ts";
import { Certificates } from "../telemetry/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-sync-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function startAggregator(change: Partial<AggregatorSetup> = {}) {
  const store = memoryStore();
  const aggregator = await Aggregator.start({
    home: folder,
    listen: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    policy: { isOpen: true, knowsNetwork: () => true, speaksFor: () => true },
    witness,
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    log: silentLog,
    build: { name: "test" },
    metrics: [],
    store,
    onDefect: (error) => {
      throw error;
    },
    ...change,
  });
  return { aggregator, store };
}

/** Sends some events through a carrier and waits until all are acknowledged, or the time is over. */
async function sendThrough(carrier: SyncCarrier, count: number, waitMs = 8_000) {
  const log = new EventBench().open({ network: REF.network.slice(0, 8) });
  for (let i = 0; i < count; i++) log.appendCrit(event("alert.raised", { alert: "a", severity: "warning", detail: `number ${i}` }));
  const agent = new SyncAgent({
    source: log,
    carrier,
    acks: new AckTable(openMemoryDatabase({ applicationId: 2, migrations: [SYNC_MIGRATION] })),
    identity,
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: { bytes: (length) => sha256(utf8("boot")).subarray(0, length) },
    prng: new Prng(1),
    log: silentLog,
    profile: "unmetered",
    facts: {
      hello: () => ({ node: "box-1", network, software: "test" }),
      heartbeat: () => ({ height: 1, epoch: 0, view: 1, state: "voting", isReady: true, reason: "", peers: 0, metrics: [] }),
    },
    forks: { onFork: () => false },
  });
  agent.start();
  const endMs = systemClock.monotonicMs() + waitMs;
  while (agent.acknowledged("crit")?.sequence !== count && agent.status().reason === undefined && systemClock.monotonicMs() < endMs)
    await Bun.sleep(20);
  const status = agent.status();
  agent.stop();
  return { status, acknowledged: agent.acknowledged("crit")?.sequence };
}

test("sync over HTTP: a WebSocket and plain POSTs, every event acknowledged", async () => {
  const { aggregator, store } = await startAggregator();
  const carriers = [WebSocketCarrier, PostCarrier];
  for (const Carrier of carriers) {
    const { acknowledged, status } = await sendThrough(new Carrier(aggregator.url, {}), 1_700);
    expect(acknowledged).toBe(1_700);
    expect(status.sentBytes).toBeGreaterThan(400);
  }
  expect(await store.readEvents(REF, "crit", { epoch: 1, sequence: 0 }, 5_000)).toHaveLength(1_700);
  expect(await store.latestHeartbeats([REF])).toHaveLength(1);
  const metrics = await (await fetch(`${aggregator.url}/metrics`)).text();
  expect(metrics).toContain("bizra_aggregator_events_total 1700");
  expect((await fetch(`${aggregator.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${aggregator.url}/nothing`)).status).toBe(404);
  await aggregator.stop();
}, 240_000);

test("sync over HTTP: no WebSocket to be had, POSTs instead", async () => {
  const { aggregator } = await startAggregator();
  const { acknowledged } = await sendThrough(
    new EitherCarrier(new WebSocketCarrier("http://127.0.0.1:1", {}), new PostCarrier(aggregator.url, {})),
    5,
  );
  expect(acknowledged).toBe(5);
  await aggregator.stop();
}, 240_000);

const certificates = Certificates.make();
afterAll(() => certificates?.end());

test.skipIf(certificates === undefined)(
  "sync over TLS: a node's own certificate, taken; another's, or none, wrongNode",
  async () => {
    if (!certificates) return;
    const server = certificates.issue("localhost");
    const [own, other] = [certificates.issue("box-1"), certificates.issue("box-2")];
    const read = (path: string): string => readFileSync(path, "utf8");
    const clientOf = (files: typeof own) => ({ cert: read(files.certificate), key: read(files.key), ca: read(files.ca) });
    const { aggregator } = await startAggregator({
      tls: { cert: read(server.certificate), key: read(server.key), clientCa: read(server.ca) },
      policy: { isOpen: true, knowsNetwork: () => true, speaksFor: (name, hello) => name === hello.node },
    });
    for (const Carrier of [WebSocketCarrier, PostCarrier]) {
      expect((await sendThrough(new Carrier(aggregator.url, clientOf(own)), 5)).acknowledged).toBe(5);
      for (const [tls, named] of [
        [clientOf(other), "box-2"],
        [{ ca: read(server.ca) }, "(none)"],
      ] as const) {
        const refused = await sendThrough(new Carrier(aggregator.url, tls), 5);
        expect(refused.acknowledged).toBeUndefined();
        expect(refused.status.reason).toBe(`wrongNode: the certificate ${named} does not speak for box-1`);
      }
    }
    const untrusting = await sendThrough(new WebSocketCarrier(aggregator.url, { cert: clientOf(own).cert, key: clientOf(own).key }), 5);
    expect(untrusting.acknowledged).toBeUndefined();
    await aggregator.stop();
  },
  240_000,
);
