import { expect, test } from "bun:test";
import { systemEntropy } from "../../../../src/node/ports.ts";
import { deskRoutes, EnrolmentDesk } from "../../../../sync/aggregator/index.ts";
import { nodeOf, refOf } from "../../../contract/aggregator-store.ts";
import { memoryStore } from "./ingest-world.ts";

const GIB = 1_024 ** 3;

/** The desk over a store with nodes of two networks. */
async function openDesk() {
  const store = memoryStore();
  const other = { ...nodeOf("a"), network: "cd".repeat(32) };
  for (const node of [nodeOf("a"), nodeOf("b"), other]) await store.putNode(node);
  const clock = { nowMs: () => 7, monotonicMs: () => 7 };
  const routes = deskRoutes(new EnrolmentDesk({ store, clock, entropy: systemEntropy, onRevoked: () => {} }), () => "alice");
  const ask = async (body: unknown): Promise<[number, unknown]> => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": String(text.length) };
    const answer = await routes.request("/quotas", { method: "POST", body: text, headers });
    return [answer.status, await answer.json()];
  };
  const quotaOf = async (ref = refOf("a")) => (await store.findNode(ref))?.quota;
  return { store, other, ask, quotaOf };
}

test("quota desk: what is named changes and the rest stays; null takes it back; each change audited with who did it", async () => {
  const { store, ask, quotaOf } = await openDesk();
  const { network } = refOf("a");
  expect(await ask({ node: "a", network, eventBytes: GIB })).toEqual([200, { nodes: [{ ...refOf("a"), quota: { eventBytes: GIB } }] }]);
  await ask({ node: "a", network, objectBytes: 2 * GIB });
  expect(await quotaOf()).toEqual({ eventBytes: GIB, objectBytes: 2 * GIB });
  await ask({ node: "a", network, eventBytes: null });
  expect(await quotaOf()).toEqual({ objectBytes: 2 * GIB });
  await ask({ node: "a", network, objectBytes: null });
  expect(await quotaOf()).toBeUndefined();
  const audit = await store.listAudit(100, 10);
  expect(audit.map(({ actor, action, target, outcome }) => `${actor} ${action} ${target} ${outcome}`)).toEqual(
    Array.from({ length: 4 }, () => `alice node.quota ${network}/a ok`),
  );
  expect(audit.map(({ detail }) => detail).at(0)).toBe("{}");
});

test("quota desk: a name in two networks means both, unless one is named; other nodes are untouched", async () => {
  const { other, ask, quotaOf } = await openDesk();
  const [status, body] = await ask({ node: "a", eventBytes: GIB });
  expect([status, (body as { nodes: unknown[] }).nodes.length]).toEqual([200, 2]);
  expect([await quotaOf(), await quotaOf(other), await quotaOf(refOf("b"))]).toEqual([{ eventBytes: GIB }, { eventBytes: GIB }, undefined]);
});

test("quota desk: nobody of that name, and sizes out of bounds, refused with nothing changed", async () => {
  const { store, ask, quotaOf } = await openDesk();
  expect((await ask({ node: "nobody", eventBytes: GIB }))[0]).toBe(404);
  expect((await store.listAudit(100, 1))[0]).toMatchObject({ action: "node.quota", target: "*/nobody", outcome: "unknown" });
  for (const body of [
    { node: "a", eventBytes: 5 },
    { node: "a", objectBytes: 2 ** 51 },
    { node: "a", eventBytes: "1GiB" },
    { node: "a", more: 1 },
    {},
  ])
    expect([body, (await ask(body))[0]]).toEqual([body, 400]);
  expect(await quotaOf()).toBeUndefined();
});
