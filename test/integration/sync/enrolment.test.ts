import { afterEach, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { certifiedKeyOf, makeP256Key, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { event } from "../../../src/events/index.ts";
import { Prng, silentLog, utf8 } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { openMemoryDatabase } from "../../../src/storage/index.ts";
import {
  AckTable,
  CertificateRenewal,
  PostCarrier,
  readBundle,
  SYNC_MIGRATION,
  SyncAgent,
  type TlsClient,
  WebSocketCarrier,
} from "../../../sync/agent/index.ts";
import { Authority } from "../../../sync/aggregator/index.ts";
import { hashToken } from "../../../sync/protocol/index.ts";
import { EventBench } from "../../unit/events/event-fixture.ts";
import { network } from "../../unit/sync/agent/agent-world.ts";
import { EnrolmentWorld, identityOf, NETWORK, requestOf } from "./enrolment-world.ts";

const worlds: EnrolmentWorld[] = [];

async function openWorld(): Promise<EnrolmentWorld> {
  const world = await EnrolmentWorld.open();
  worlds.push(world);
  return world;
}

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

/** An agent of a node with some events to bring. */
function agentOf(
  world: EnrolmentWorld,
  name: string,
  tls: TlsClient | (() => TlsClient),
  Carrier: typeof PostCarrier | typeof WebSocketCarrier,
) {
  const log = new EventBench().open({ network: NETWORK.slice(0, 8) });
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) log.appendCrit(event("alert.raised", { alert: "a", severity: "warning", detail: `number ${i}` }));
  };
  const agent = new SyncAgent({
    source: log,
    carrier: new Carrier(world.aggregators.at(-1)?.url ?? "", tls),
    acks: new AckTable(openMemoryDatabase({ applicationId: 2, migrations: [SYNC_MIGRATION] })),
    identity: identityOf(name),
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: { bytes: (length) => sha256(utf8("boot")).subarray(0, length) },
    prng: new Prng(1),
    log: silentLog,
    profile: "unmetered",
    facts: {
      hello: () => ({ node: name, network, software: "test" }),
      heartbeat: () => ({ height: 1, epoch: 0, view: 1, state: "voting", isReady: true, reason: "", peers: 0, metrics: [] }),
    },
    forks: { onFork: () => false },
  });
  return { agent, add };
}

async function until(isDone: () => boolean, waitMs = 90_000): Promise<boolean> {
  const endMs = performance.now() + waitMs;
  while (!isDone() && performance.now() < endMs) await Bun.sleep(20);
  return isDone();
}

/** What comes of a node that brings 3 events. */
async function bring(world: EnrolmentWorld, name: string, tls: TlsClient, Carrier: typeof PostCarrier | typeof WebSocketCarrier) {
  const { agent, add } = agentOf(world, name, tls, Carrier);
  add(3);
  agent.start();
  await until(() => agent.acknowledged("crit")?.sequence === 3 || agent.status().reason !== undefined);
  const outcome = agent.acknowledged("crit")?.sequence === 3 ? "acknowledged" : (agent.status().reason ?? "silence");
  agent.stop();
  return outcome;
}

function clientOf(world: EnrolmentWorld, name: string): TlsClient {
  const bundle = readBundle(world.bundleOf(name));
  return { ca: world.authority.certificate, ...(bundle && { cert: bundle.cert, key: bundle.key }) };
}

const CARRIERS = [WebSocketCarrier, PostCarrier] as const;

test("enrolment: a token, an approval at once, a certificate, events over mutual TLS", async () => {
  const world = await openWorld();
  const enrolled = await world.enrol("box-1", await world.claim());
  expect(enrolled.ok).toBe(true);
  expect(statSync(world.bundleOf("box-1")).mode & 0o777).toBe(0o600);
  for (const Carrier of CARRIERS) expect(await bring(world, "box-1", clientOf(world, "box-1"), Carrier)).toBe("acknowledged");
  expect(await world.store.findNode({ network: NETWORK, node: "box-1" })).toMatchObject({ site: "here", status: "enrolled" });
  const actions = (await world.store.listAudit(Infinity, 10)).map(({ action }) => action);
  expect(actions).toEqual(["enrolment.issued", "enrolment.requested", "claim.made"]);
}, 240_000);

test("enrolment: a manual approval, waited for, fetched by the request that was made before a restart", async () => {
  const world = await openWorld();
  const token = await world.claim({ approval: "manual" });
  const pending = Promise.withResolvers<void>();
  const enrolling = world.enrol("box-1", token, undefined, pending.resolve);
  await pending.promise;
  expect(await world.desk.listRequests("pending", 10)).toMatchObject([{ node: "box-1", identityKey: identityOf("box-1").publicKey }]);
  expect(await world.desk.decide("box-1", "approved", "alice")).toHaveLength(1);
  expect(await world.desk.decide("box-1", "refused", "alice")).toHaveLength(0);
  const again = await world.enrol("box-1", token);
  expect(again.ok).toBe(true);
  expect((await enrolling).ok).toBe(true);
  expect(await world.store.enrolment.listCertificates({ network: NETWORK, node: "box-1" }, 10)).toHaveLength(1);
}, 240_000);

test("enrolment: a refused request and another authority than pinned, each its code and no certificate", async () => {
  const world = await openWorld();
  const token = await world.claim({ approval: "manual" });
  const message = await requestOf("box-1", token);
  expect(await world.ask(message)).toBe("pending");
  await world.desk.decide("box-1", "refused", "alice");
  expect(await world.ask(message)).toBe("refused");
  expect(await world.enrol("box-2", await world.claim(), "ab".repeat(32))).toMatchObject({ ok: false, error: { code: "wrongPin" } });
  expect(await world.store.listNodes(undefined, 10)).toEqual([]);
});

test("enrolment: bad requests of every kind, each its stable code and nothing changed", async () => {
  const world = await openWorld();
  const good = await world.claim();
  const used = await world.claim();
  expect(await world.ask(await requestOf("box-1", used))).toBe("issued");
  const revoked = await world.claim();
  const claim = await world.store.enrolment.findClaim(hashToken(revoked));
  expect(await world.desk.revokeClaim(claim?.id ?? "", "alice")).toBe(true);
  const bound = await world.claim({ node: "box-7" });
  const expired = await world.claim({ lifeMs: 1 });
  const elsewhere = await world.claim({ network: "cd".repeat(32) });
  const whole = await requestOf("box-2", good);
  const forged = Uint8Array.from(whole);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const badCsr = Uint8Array.from(whole);
  const middle = whole.length - 64 - 40; // within the certificate request's own signature
  badCsr[middle] = (badCsr[middle] ?? 0) ^ 1;
  await Bun.sleep(2);
  const kept = async () => [await world.store.listNodes(undefined, 10), await world.desk.listRequests(undefined, 10)];
  const before = await kept();
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["malformed", utf8("garbage")],
    ["malformed", whole.slice(0, 100)],
    ["badSignature", forged],
    ["badSignature", badCsr],
    ["unknownToken", await requestOf("box-2", `${good}x`)],
    ["unknownToken", await requestOf("box-2", undefined)],
    ["usedToken", await requestOf("box-2", used)],
    ["revokedToken", await requestOf("box-2", revoked)],
    ["expiredToken", await requestOf("box-2", expired)],
    ["wrongNetwork", await requestOf("box-2", elsewhere)],
    ["unknownNetwork", await requestOf("box-2", good, { network: new Uint8Array(32), organization: "00".repeat(32) })],
    ["wrongNode", await requestOf("box-2", bound)],
    ["wrongNode", await requestOf("box-2", good, { commonName: "box-3" })],
    ["wrongNode", await requestOf("box-2", good, { organization: "cd".repeat(32) })],
    ["otherIdentity", await requestOf("box-1", good, { signer: identityOf("a thief") })],
  ];
  for (const [code, message] of cases) expect([code, await world.ask(message)]).toEqual([code, code]);
  expect(await kept()).toEqual(before);
  expect(await world.ask(await requestOf("box-2", good))).toBe("issued");
  const kinds = (await world.store.listFindings(undefined, 10)).map(({ kind }) => kind);
  expect(kinds.sort()).toEqual(["otherIdentity", "usedToken"]);
}, 240_000);

test("enrolment: bodies that are too large or without length, refused before they are read; too many requests, slowed down", async () => {
  const world = await openWorld();
  const tls = { ca: world.authority.certificate };
  const post = (body: Uint8Array) => Bun.fetch(`${world.url}/sync/v1/enrol`, { method: "POST", body: Uint8Array.from(body), tls });
  expect((await post(new Uint8Array(8_193))).status).toBe(413);
  const statuses: number[] = [];
  for (let i = 0; i < 22; i++) statuses.push((await post(utf8("x"))).status);
  expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 400));
  expect(statuses).toContain(429);
});

test("mutual TLS: expired, of another authority, of another node, none, each refused on both carriers", async () => {
  const world = await openWorld();
  for (const name of ["box-1", "box-2"]) expect((await world.enrol(name, await world.claim())).ok).toBe(true);
  const ca = world.authority.certificate;
  const stranger = await Authority.make("another", { n: 2 ** 10, r: 8, p: 1 }, systemClock.nowMs(), systemEntropy);
  const key = makeP256Key(systemEntropy);
  const about = { node: "box-1", network: NETWORK, publicKey: certifiedKeyOf(key) };
  const foreign = await stranger.authority.issueNode(about, systemClock.nowMs(), 3_600_000);
  const old = await world.authority.issueNode(about, systemClock.nowMs() - 7_200_000, 3_600_000);
  const unlisted = await world.authority.issueNode(about, systemClock.nowMs(), 3_600_000);
  for (const Carrier of CARRIERS) {
    const outcomeOf = (tls: TlsClient) => bring(world, "box-1", tls, Carrier);
    expect(await outcomeOf({ ca, key, cert: foreign.pem })).toStartWith("wrongNode: the certificate (none)");
    expect(await outcomeOf({ ca, key, cert: old.pem })).toStartWith("wrongNode: the certificate (none)");
    expect(await outcomeOf({ ca, key, cert: unlisted.pem })).toStartWith("wrongNode: the certificate was not issued");
    expect(await outcomeOf({ ca })).toStartWith("wrongNode: the certificate (none)");
    expect(await outcomeOf(clientOf(world, "box-2"))).toStartWith("wrongNode: the certificate box-2 does not speak");
  }
  expect(await world.store.readEvents({ network: NETWORK, node: "box-1" }, "crit", { epoch: 1, sequence: 0 }, 10)).toEqual([]);
}, 240_000);

test("revocation: the session ends on every aggregator of the store, hello and renewal are refused, a named claim lets it in again", async () => {
  const world = await openWorld();
  await world.enrol("box-1", await world.claim());
  await world.start(); // the agent speaks to the second, the desk is the second's too: the first one's word counts below
  const { agent, add } = agentOf(world, "box-1", clientOf(world, "box-1"), WebSocketCarrier);
  add(3);
  agent.start();
  expect(await until(() => agent.acknowledged("crit")?.sequence === 3)).toBe(true);
  const ref = { network: NETWORK, node: "box-1" };
  expect(await world.store.enrolment.revokeNode(ref, world.clock.nowMs())).toBe(true); // as another aggregator does
  await Bun.sleep(2_500);
  add(3);
  expect(await until(() => agent.status().reason?.startsWith("revoked") === true, 90_000)).toBe(true);
  expect(agent.acknowledged("crit")?.sequence).toBe(3);
  agent.stop();
  for (const Carrier of CARRIERS) expect(await bring(world, "box-1", clientOf(world, "box-1"), Carrier)).toStartWith("revoked");
  const { cert, key } = clientOf(world, "box-1");
  expect(await world.ask(await requestOf("box-1", undefined), "renew", { ...(cert && { cert }), ...(key && { key }) })).toBe("revoked");
  expect(await world.ask(await requestOf("box-1", await world.claim()))).toBe("revoked");
  expect((await world.enrol("box-1", await world.claim({ node: "box-1" }))).ok).toBe(true);
  expect(await bring(world, "box-1", clientOf(world, "box-1"), PostCarrier)).not.toStartWith("revoked");
}, 240_000);

test("renewal: at a third of its life a new certificate under a new key, taken by the next link; the old one refused when it ends", async () => {
  const world = await openWorld();
  world.aheadMs = -45 * 60_000; // TLS itself goes by this machine's clock, so the past is moved and not the future
  await world.enrol("box-1", await world.claim());
  const before = clientOf(world, "box-1");
  let renewed = 0;
  const open = (): CertificateRenewal => {
    const renewal = CertificateRenewal.open({
      path: world.bundleOf("box-1"),
      authority: world.authority.certificate,
      urls: ["https://127.0.0.1:1", world.url],
      node: "box-1",
      network,
      identity: identityOf("box-1"),
      clock: world.clock,
      timers: systemTimers,
      entropy: systemEntropy,
      log: silentLog,
      onExpiring: () => {},
      onRenewed: () => renewed++,
    });
    if (!renewal) throw new Error("there is no certificate");
    renewal.start();
    return renewal;
  };
  const early = open();
  await Bun.sleep(50);
  early.stop();
  expect(renewed).toBe(0);
  world.aheadMs = 0;
  const renewal = open();
  expect(await until(() => renewed === 1)).toBe(true);
  renewal.stop();
  expect(renewal.tls.key).not.toBe(before.key);
  expect(readBundle(world.bundleOf("box-1"))?.cert).toBe(renewal.tls.cert);
  expect(await bring(world, "box-1", renewal.tls, WebSocketCarrier)).toBe("acknowledged");
  expect(await world.ask(await requestOf("box-1", undefined), "renew")).toBe("noCertificate");
  const own = { cert: renewal.tls.cert ?? "", key: renewal.tls.key ?? "" };
  expect(await world.ask(await requestOf("box-1", undefined), "renew", own)).toBe("slowDown");
  expect(await world.ask(await requestOf("box-2", undefined), "renew", own)).toBe("wrongNode");
  world.aheadMs = 16 * 60_000;
  expect(await bring(world, "box-1", before, PostCarrier)).toStartWith("wrongNode: the certificate has expired");
}, 240_000);
