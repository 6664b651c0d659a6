import { expect, test } from "bun:test";
import { sha256 } from "../../../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../../../src/kernel/index.ts";
import * as schema from "../../../../../sync/aggregator/fleet/enrolment-schemas.ts";
import { auditAnswer } from "../../../../../sync/aggregator/fleet/schemas.ts";
import { REF } from "../ingest-world.ts";
import { ApiWorld, NODE_PATH } from "./api-world.ts";

const CLAIM = { network: REF.network, site: "mill" };

async function worldOf(user: "root" | "eye"): Promise<ApiWorld> {
  const api = await ApiWorld.open();
  await api.logIn(user);
  return api;
}

/** What the audit has of enrolment, the newest first. */
async function auditOf(api: ApiWorld): Promise<readonly string[]> {
  const { entries } = auditAnswer.parse(await api.json("/audit"));
  return entries.filter(({ action }) => action !== "login").map(({ actor, action, outcome }) => `${actor} ${action} ${outcome}`);
}

/** A request that waits, as the door lays it down. */
async function askedFor(api: ApiWorld, node: string): Promise<string> {
  const { id } = schema.claimAnswer.parse(await api.json("/claims", { method: "POST", body: CLAIM }));
  const request = toHex(sha256(utf8(node)));
  const whom = { network: REF.network, node, identityKey: sha256(utf8(node)), csr: new Uint8Array(1), site: "", address: "10.1.1.1" };
  const stored = { ...whom, id: request, claimId: id, requestedAtMs: 1, status: "pending", decidedBy: "" } as const;
  expect(await api.aggregator.store.enrolment.openRequest(stored)).toBe("stored");
  return request;
}

test("fleet enrolment: an admin makes a claim, sees it without its token, and ends it once; the audit has each", async () => {
  const api = await worldOf("root");
  const made = schema.claimAnswer.parse(await api.json("/claims", { method: "POST", body: { ...CLAIM, node: "box-9", approval: "auto" } }));
  expect(made).toMatchObject({ node: "box-9", site: "mill", approval: "auto", madeBy: "root", status: "open" });
  expect(made.token).toStartWith("bizra-claim-");
  expect(Date.parse(made.expiresAt) - Date.parse(made.madeAt)).toBe(86_400_000);
  const listed = await api.ask("/claims");
  expect(await listed.clone().text()).not.toContain(made.token);
  expect(schema.claimsAnswer.parse(await listed.json()).claims).toHaveLength(1);
  const end = () => api.ask(`/claims/${made.id}`, { method: "PUT", body: { status: "revoked" } });
  expect([(await end()).status, (await end()).status]).toEqual([200, 404]);
  expect(await auditOf(api)).toEqual(["root claim.revoked notOpen", "root claim.revoked ok", "root claim.made ok"]);
});

test("fleet enrolment: an admin approves one request and refuses another; neither is decided twice", async () => {
  const api = await worldOf("root");
  const [first, second] = [await askedFor(api, "box-8"), await askedFor(api, "box-9")];
  const decide = async (id: string, status: string) => (await api.ask(`/requests/${id}`, { method: "PUT", body: { status } })).status;
  expect([await decide(first, "approved"), await decide(second, "refused"), await decide(second, "approved")]).toEqual([200, 200, 404]);
  const { requests } = schema.requestsAnswer.parse(await api.json("/requests"));
  expect(Object.fromEntries(requests.map(({ node, status, decidedBy }) => [node, `${status} by ${decidedBy}`]))).toEqual({
    "box-8": "approved by root",
    "box-9": "refused by root",
  });
  expect((await auditOf(api)).slice(0, 3)).toEqual([
    "root enrolment.approved notPending",
    "root enrolment.refused ok",
    "root enrolment.approved ok",
  ]);
});

test("fleet enrolment: an admin revokes a node, whose session ends; one that nobody knows is not found", async () => {
  const api = await worldOf("root");
  api.world.start();
  api.world.add("ops", 3);
  await api.world.pass(5_000, 500);
  const revoke = async (path: string) => (await api.ask(`${path}/enrolment`, { method: "PUT", body: { status: "revoked" } })).status;
  expect(await revoke(NODE_PATH)).toBe(200);
  expect(api.revoked).toEqual([REF]);
  expect(await revoke(`/nodes/${REF.network}/nobody`)).toBe(404);
  expect(await api.json(NODE_PATH)).toMatchObject({ enrolment: "revoked" });
  expect(await auditOf(api)).toEqual(["root node.revoked unknown", "root node.revoked ok"]);
});

test("fleet enrolment: a viewer reads and decides nothing, and without the login's token nothing happens; refusals are audited", async () => {
  const api = await worldOf("eye");
  for (const path of ["/claims", "/requests"]) expect((await api.ask(path)).status).toBe(403);
  expect((await api.ask("/claims", { method: "POST", body: CLAIM })).status).toBe(403);
  expect((await api.ask(`${NODE_PATH}/enrolment`, { method: "PUT", body: { status: "revoked" } })).status).toBe(403);
  await api.logIn("root");
  expect((await api.ask("/claims", { method: "POST", body: CLAIM, headers: { "x-csrf-token": "" } })).status).toBe(403);
  expect((await api.ask("/claims", { method: "POST", body: { ...CLAIM, network: "all" } })).status).toBe(400);
  expect(await auditOf(api)).toEqual([
    "root claim.made refused",
    "root claim.made refused",
    "eye node.revoked refused",
    "eye claim.made refused",
  ]);
  expect(schema.claimsAnswer.parse(await api.json("/claims")).claims).toEqual([]);
});
