import { expect, test } from "bun:test";
import { nobleSuite } from "../../../../../src/crypto/index.ts";
import { openCheckpoint } from "../../../../../src/events/index.ts";
import { parseHex, present } from "../../../../../src/kernel/index.ts";
import { networkIdOf } from "../../../../../src/protocol/index.ts";
import type { EventsAnswer, NodeAnswer, NodesAnswer, ProofAnswer } from "../../../../../sync/aggregator/console/api.ts";
import { verifyChain, verifyCheckpoint } from "../../../../../sync/aggregator/console/verify.ts";
import * as schema from "../../../../../sync/aggregator/fleet/schemas.ts";
import { REF } from "../ingest-world.ts";
import { ApiWorld, NODE_PATH } from "./api-world.ts";

/** A node with records of every lane, checkpoints and heartbeats, and somebody logged in. */
async function fullWorld(user: "root" | "eye" = "root"): Promise<ApiWorld> {
  const api = await ApiWorld.open();
  api.world.start();
  for (let round = 0; round < 4; round++) {
    for (const lane of ["crit", "chain", "ops"] as const) api.world.add(lane, 400);
    await api.world.pass(70_000, 1_000);
  }
  await api.logIn(user);
  return api;
}

let shared: Promise<ApiWorld> | undefined;

/** One world for the tests that only read. */
function readWorld(): Promise<ApiWorld> {
  shared ??= fullWorld();
  return shared;
}

test("fleet api: without a login only the login and the document, everything else 401; wrong method 405, wrong path 404", async () => {
  const api = await ApiWorld.open();
  for (const path of ["/nodes", NODE_PATH, `${NODE_PATH}/events?lane=ops`, "/networks", "/findings", "/audit", "/session"]) {
    const response = await api.ask(path);
    expect([path, response.status, ((await response.json()) as { code: string }).code]).toEqual([path, 401, "notLoggedIn"]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  }
  expect((await api.ask("/openapi.json")).status).toBe(200);
});

test("fleet api: login, a cookie that scripts and other sites never see; logout ends it", async () => {
  const api = await ApiWorld.open();
  const login = await api.logIn("root");
  const cookie = login.headers.get("set-cookie") ?? "";
  expect(cookie).toMatch(/^bizra_fleet=[0-9a-f]{64};/);
  for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"]) expect(cookie).toContain(part);
  expect(schema.sessionAnswer.safeParse(await login.json()).success).toBe(true);
  expect((await api.ask("/session")).status).toBe(200);
  expect((await api.ask("/session", { method: "DELETE" })).status).toBe(200);
  expect((await api.ask("/session")).status).toBe(401);
});

test("fleet api: wrong passwords and names nobody has, the same answer, then slowed by address, all of it audited", async () => {
  const api = await ApiWorld.open();
  const attempt = (user: string, address: string) =>
    api.ask("/session", { method: "POST", address, body: { user, password: "wrong password" } });
  const first = await attempt("root", "10.0.0.9");
  const second = await attempt("nobody", "10.0.0.9");
  expect([first.status, second.status]).toEqual([401, 401]);
  expect(await first.text()).toBe(await second.text());
  for (let i = 0; i < 3; i++) await attempt("root", "10.0.0.9");
  const slowed = await attempt("root", "10.0.0.9");
  expect([slowed.status, slowed.headers.get("retry-after")]).toEqual([429, "1"]);
  expect((await attempt("root", "10.0.0.10")).status).toBe(401);
  await api.logIn("root");
  const audit = schema.auditAnswer.parse(await api.json("/audit"));
  expect(audit.entries.map(({ actor, outcome }) => `${actor} ${outcome}`)).toContain("unknown refused");
  expect(audit.entries[0]).toMatchObject({ actor: "root", action: "login", outcome: "done" });
  expect(JSON.stringify(audit)).not.toContain("wrong password");
}, 120_000);

test("fleet api: a login from another site, with another type, too large or no JSON, each refused with its code", async () => {
  const api = await ApiWorld.open();
  const body = { user: "root", password: "a long password" };
  const codeOf = async (ask: object): Promise<unknown> => (await api.json("/session", { method: "POST", body, ...ask }))["code"];
  expect(await codeOf({ headers: { origin: "https://evil.test" } })).toBe("crossSite");
  expect(await codeOf({ headers: { "sec-fetch-site": "cross-site" } })).toBe("crossSite");
  expect(await codeOf({ headers: { "content-type": "text/plain" } })).toBe("unsupportedMediaType");
  expect(await codeOf({ headers: { "content-length": "9000" } })).toBe("tooLarge");
  expect(await codeOf({ body: { user: "root" } })).toBe("malformed");
});

test("fleet api: a change by a viewer, without the token, from elsewhere: refused and audited; by an admin: done and audited", async () => {
  const api = await fullWorld("eye");
  const change = { method: "PUT", body: { site: "berlin" } };
  expect((await api.json(`${NODE_PATH}/site`, change))["code"]).toBe("forbidden");
  expect((await api.json("/audit"))["code"]).toBe("forbidden");
  await api.logIn("root");
  expect((await api.json(`${NODE_PATH}/site`, { ...change, headers: { "x-csrf-token": "" } }))["code"]).toBe("crossSite");
  expect((await api.json(`${NODE_PATH}/site`, { ...change, headers: { origin: "http://evil.test" } }))["code"]).toBe("crossSite");
  expect((await api.json(NODE_PATH))["site"]).toBe("");
  expect((await api.json(`${NODE_PATH}/site`, { ...change, headers: { origin: "http://fleet.test" } }))["site"]).toBe("berlin");
  expect((await api.json(NODE_PATH))["site"]).toBe("berlin");
  const { entries } = schema.auditAnswer.parse(await api.json("/audit"));
  const changes = entries
    .filter(({ action }) => action === "node.site")
    .map(({ actor, outcome, detail }) => `${actor} ${outcome} ${detail}`);
  expect(changes).toEqual(['root done {"site":"berlin"}', "root refused crossSite", "root refused crossSite", "eye refused forbidden"]);
}, 120_000);

test("fleet api: a user who is removed or whose password changes is logged out at once; a role that changes counts at once", async () => {
  const api = await ApiWorld.open();
  await api.logIn("root");
  const root = present(api.users.get("root"), "root");
  api.users.set("root", { ...root, role: "viewer" });
  expect((await api.ask("/audit")).status).toBe(403);
  api.users.set("root", { ...root, passwordHash: `${root.passwordHash}x` });
  expect((await api.ask("/session")).status).toBe(401);
  api.users.set("root", root);
  await api.logIn("root");
  api.users.delete("root");
  expect((await api.ask("/session")).status).toBe(401);
});

test("fleet api: every answer fits the schema that the document shows", async () => {
  const api = await readWorld();
  const answers = [
    ["/nodes?limit=5&sort=status&order=descending&text=box", schema.nodesAnswer],
    [NODE_PATH, schema.nodeAnswer],
    [`${NODE_PATH}/events?lane=chain&limit=7`, schema.eventsAnswer],
    [`${NODE_PATH}/proof?lane=chain&epoch=1&from=10&to=20`, schema.proofAnswer],
    [`${NODE_PATH}/history?minutes=60`, schema.historyAnswer],
    ["/networks", schema.networksAnswer],
    ["/findings", schema.findingsAnswer],
    ["/audit", schema.auditAnswer],
  ] as const;
  for (const [path, fits] of answers) {
    const response = await api.ask(path);
    const parsed = fits.safeParse(await response.json());
    expect([path, response.status, parsed.error?.issues]).toEqual([path, 200, undefined]);
  }
  const malformed = [
    "/nodes?limit=0",
    "/nodes?sort=x",
    `${NODE_PATH}/events?lane=x`,
    `${NODE_PATH}/events?lane=ops&after=1`,
    "/nodes/zz/box-1",
  ];
  for (const path of malformed) expect([path, (await api.json(path))["code"]]).toEqual([path, "malformed"]);
  expect((await api.json(`/nodes/${REF.network}/nobody`))["code"]).toBe("notFound");
  expect((await api.ask("/nodes", { method: "POST", body: {} })).status).toBe(405);
  const document = JSON.stringify(await api.json("/openapi.json"));
  for (const path of ["/nodes/{network}/{node}/events", "/networks", "/session"]) expect(document).toContain(`"/api/v2/fleet${path}"`);
}, 120_000);

test("fleet api: a node that falls silent, online then degraded then unknown since its last word", async () => {
  const api = await fullWorld();
  const statusOf = async () => ((await api.json(NODE_PATH)) as NodeAnswer).status;
  const { state, heardAt } = await statusOf();
  expect(state).toBe("online");
  api.leap(45_000);
  expect(await statusOf()).toMatchObject({ state: "degraded", heardAt, reasons: ["late"] });
  api.leap(45_000);
  expect(await statusOf()).toMatchObject({ state: "unknown", heardAt });
  const { counts } = (await api.json("/nodes")) as NodesAnswer;
  expect(counts).toEqual({ online: 0, degraded: 0, unknown: 1 });
}, 120_000);

test("fleet api: events page by page in both directions, every record once, linked and hashed", async () => {
  const api = await readWorld();
  for (const direction of ["after", "before"] as const) {
    const all: EventsAnswer["events"] = [];
    let cursor: string | undefined = direction === "after" ? "1.0" : "1.999999";
    while (cursor !== undefined) {
      const page = (await api.json(`${NODE_PATH}/events?lane=ops&limit=333&${direction}=${cursor}`)) as EventsAnswer;
      all.push(...page.events);
      cursor = page.next;
    }
    const inOrder = direction === "after" ? all : all.reverse();
    expect(inOrder.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 1_600 }, (_, i) => i + 1));
    expect(verifyChain(inOrder).ok).toBe(true);
  }
}, 120_000);

test("console verify: shown records lead to the signed checkpoint; any change of a record, a link, a subtree, a key or a place is named", async () => {
  const api = await readWorld();
  const { events } = (await api.json(`${NODE_PATH}/events?lane=chain&after=1.700&limit=60`)) as EventsAnswer;
  const node = (await api.json(NODE_PATH)) as NodeAnswer;
  const proof = (await api.json(`${NODE_PATH}/proof?lane=chain&epoch=1&from=701&to=760`)) as ProofAnswer;
  const author = { networkId: networkIdOf(present(parseHex(node.network), "hex")), node: node.node, identityKey: node.identityKey };
  const chain = verifyChain(events);
  if (!chain.ok) throw new Error(chain.error.detail);
  expect(verifyCheckpoint(chain.value, proof, author)).toEqual({ ok: true, value: { size: proof.size, covered: 60 } });
  expect(openCheckpoint(proof.note, proof.origin, present(parseHex(node.identityKey), "hex"), nobleSuite.verify).ok).toBe(true);

  const flip = (hex: string): string => hex.slice(0, -1) + (hex.endsWith("0") ? "1" : "0");
  const changed = (at: number, change: Partial<(typeof events)[number]>) =>
    verifyChain(events.map((event, i) => (i === at ? { ...event, ...change } : event)));
  expect(changed(17, { body: flip(events[17]?.body ?? "") })).toMatchObject({ ok: false, error: { sequence: 718 } });
  expect(changed(17, { hash: flip(events[17]?.hash ?? "") })).toMatchObject({ ok: false, error: { sequence: 718 } });
  expect(changed(17, { previousHash: flip(events[17]?.previousHash ?? "") })).toMatchObject({ ok: false, error: { sequence: 718 } });
  expect(verifyChain(events.filter((_, i) => i !== 30))).toMatchObject({
    ok: false,
    error: { sequence: 732, detail: "record 731 is missing before it" },
  });

  const wrong = (given: typeof proof, by = author) => verifyCheckpoint(chain.value, given, by).ok;
  expect(wrong({ ...proof, after: proof.after.map((part) => ({ ...part, hash: flip(part.hash) })) })).toBe(false);
  expect(wrong({ ...proof, before: proof.before.slice(1) })).toBe(false);
  expect(wrong(proof, { ...author, node: "box-2" })).toBe(false);
  expect(wrong(proof, { ...author, identityKey: flip(author.identityKey) })).toBe(false);
  expect(verifyCheckpoint(chain.value.slice(1), proof, author).ok).toBe(false);
}, 120_000);

test("fleet api: records that no checkpoint covers yet, a proof is not found", async () => {
  const api = await fullWorld();
  api.world.add("chain", 5);
  await api.world.pass(5_000, 1_000);
  expect((await api.json(`${NODE_PATH}/proof?lane=chain&epoch=1&from=1602&to=1605`))["code"]).toBe("notFound");
  const partial = (await api.json(`${NODE_PATH}/proof?lane=chain&epoch=1&from=1590&to=1605`)) as ProofAnswer;
  expect(partial.to).toBe(partial.size);
}, 120_000);

test("fleet api: what a node stores and may, and an admin's change of it: read back, audited, refused to others and beyond bounds", async () => {
  const api = await fullWorld("eye");
  const storageOf = async () => schema.nodeAnswer.parse(await api.json(NODE_PATH)).storage;
  const { events, objects } = await storageOf();
  expect(events).toMatchObject({ quotaBytes: 64 * 1_024 ** 3, hardBytes: 96 * 1_024 ** 3, isSet: false });
  expect(events.bytes).toBe(Object.values(events.lanes).reduce((sum, bytes) => sum + bytes, 0));
  expect(events.bytes).toBeGreaterThan(10_000);
  expect(objects).toEqual({ bytes: 0, quotaBytes: 32 * 1_024 ** 3, isSet: false });
  const change = { method: "PUT", body: { eventBytes: 4_000_000 } };
  expect((await api.json(`${NODE_PATH}/quota`, change))["code"]).toBe("forbidden");
  await api.logIn("root");
  expect(await api.json(`${NODE_PATH}/quota`, change)).toEqual({ eventBytes: 4_000_000 });
  expect((await storageOf()).events).toMatchObject({ quotaBytes: 4_000_000, hardBytes: 6_000_000, isSet: true });
  for (const body of [{ eventBytes: 1 }, { objectBytes: 2 ** 51 }, { eventBytes: 1.5e6 + 0.5 }, { other: 1 }])
    expect([body, (await api.json(`${NODE_PATH}/quota`, { method: "PUT", body }))["code"]]).toEqual([body, "malformed"]);
  expect((await api.json(`${NODE_PATH}x/quota`, change))["code"]).toBe("notFound");
  expect(await api.json(`${NODE_PATH}/quota`, { method: "PUT", body: {} })).toEqual({});
  expect((await storageOf()).events.isSet).toBe(false);
  const { entries } = schema.auditAnswer.parse(await api.json("/audit"));
  expect(entries.filter(({ action }) => action === "node.quota").map(({ actor, outcome }) => `${actor} ${outcome}`)).toContain("root done");
}, 120_000);
