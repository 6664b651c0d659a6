import { afterEach, beforeEach, expect, test } from "bun:test";
import { toHex } from "../../../src/kernel/index.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
beforeEach(() => {
  gateway = startTestGateway();
});
afterEach(() => stopTestGateway(gateway));

async function submit(nonce: bigint): Promise<string> {
  const transaction = gateway.node.transfer(nonce);
  await gateway.post(transaction, "application/cose");
  return toHex(gateway.node.idOf(transaction));
}

/** Resolves once this many requests wait, as the metrics tell. */
async function untilWaiting(count: number): Promise<void> {
  for (;;) {
    const { body } = await gateway.registry.render("prometheus");
    if (body.includes(`bizra_http_finality_waits ${count}\n`)) return;
    await gateway.get("/livez");
  }
}

test("waiting: without wait, the status as it stands", async () => {
  const id = await submit(0n);
  expect(await (await gateway.get(`/api/v2/transactions/${id}`)).json()).toEqual({ id, status: "accepted" });
  expect(await (await gateway.get(`/api/v2/transactions/${id.toUpperCase()}`)).json()).toEqual({ id, status: "accepted" });
  expect(await (await gateway.get(`/api/v2/transactions/${"0".repeat(64)}`)).json()).toEqual({ id: "0".repeat(64), status: "unknown" });
});

test("waiting: a transaction that becomes final, answered then with its receipt", async () => {
  const ids = [await submit(0n), await submit(1n)];
  const answers = [...ids, ids[0]].map((id) => gateway.get(`/api/v2/transactions/${id}?wait=final`));
  await untilWaiting(3);
  gateway.node.finalize();
  const told: { index: number }[] = await Promise.all(answers.map(async (answer) => (await answer).json()));
  expect(told).toMatchObject([
    { id: ids[0], status: "final", height: 1, index: 0, receipt: { transactionId: ids[0], code: "applied" } },
    { status: "final", index: 1 },
    { status: "final", index: 0 },
  ]);
});

test("waiting: a transaction that expires, answered then", async () => {
  const id = await submit(0n);
  const answer = gateway.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=60000`);
  await untilWaiting(1);
  gateway.node.expire();
  expect(await (await answer).json()).toEqual({ id, status: "expired" });
});

test("waiting: an id not seen yet, waited for across its submission", async () => {
  const transaction = gateway.node.transfer(0n);
  const answer = gateway.get(`/api/v2/transactions/${toHex(gateway.node.idOf(transaction))}?wait=final`);
  await untilWaiting(1);
  await gateway.post(transaction, "application/cose");
  gateway.node.finalize();
  expect(await (await answer).json()).toMatchObject({ status: "final" });
});

test("waiting: the time is up, the status as it stands; the limit caps what was asked", async () => {
  const id = await submit(0n);
  const short = gateway.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=250`);
  const long = gateway.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=9007199254740991`);
  await untilWaiting(2);
  gateway.time.advance(250);
  expect(await (await short).json()).toEqual({ id, status: "accepted" });
  await untilWaiting(1);
  gateway.time.advance(60_000);
  expect(await (await long).json()).toEqual({ id, status: "accepted" });
});

test("waiting: final already or a timeout of zero, answered at once", async () => {
  const id = await submit(0n);
  expect(await (await gateway.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=0`)).json()).toEqual({ id, status: "accepted" });
  gateway.node.finalize();
  expect(await (await gateway.get(`/api/v2/transactions/${id}?wait=final`)).json()).toMatchObject({ status: "final" });
});

test("waiting: more than may wait, 503 and room again when one ends", async () => {
  const id = await submit(0n);
  const waiting = Array.from({ length: 4 }, () => gateway.get(`/api/v2/transactions/${id}?wait=final`));
  await untilWaiting(4);
  const refused = await gateway.get(`/api/v2/transactions/${id}?wait=final`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await refused.json()).toMatchObject({ code: "overloaded" });
  gateway.node.finalize();
  await Promise.all(waiting);
  await untilWaiting(0);
});

test("waiting: a client that goes away, its place is free", async () => {
  const id = await submit(0n);
  const abort = new AbortController();
  const answer = fetch(`${gateway.url}/api/v2/transactions/${id}?wait=final`, { signal: abort.signal });
  const failure = answer.catch((error: unknown) => error);
  await untilWaiting(1);
  abort.abort();
  expect(await failure).toBeInstanceOf(Error);
  await untilWaiting(0);
});

test("waiting: another word than final or a timeout that is no number, malformed", async () => {
  const id = "0".repeat(64);
  for (const query of ["wait=forever", "timeoutMs=-1", "timeoutMs=1e3", "timeoutMs="]) {
    const refused = await gateway.get(`/api/v2/transactions/${id}?${query}`);
    expect([query, refused.status]).toEqual([query, 400]);
    expect(await refused.json()).toMatchObject({ code: "malformed", detail: expect.stringContaining(query.split("=")[0] ?? "") });
  }
});
