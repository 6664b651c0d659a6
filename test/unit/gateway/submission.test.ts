import { afterEach, beforeEach, expect, test } from "bun:test";
import { concatBytes, toHex } from "../../../src/kernel/index.ts";
import { REJECTION_CODES } from "../../../src/protocol/index.ts";
import { signerOf } from "./memory-node.ts";
import { checkAnswer, type OpenApi } from "./openapi-answers.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "./test-gateway.ts";

const COSE = "application/cose";
const SEQUENCE = "application/cbor-seq";
let gateway: TestGateway;
beforeEach(() => {
  gateway = startTestGateway();
});
afterEach(() => stopTestGateway(gateway));

async function answerOf(response: Response): Promise<{ status: number; body: Record<string, unknown> }> {
  return { status: response.status, body: await response.json() };
}

test("submission: one transaction, 202 with its id, accepted again while pending", async () => {
  const { node, post } = gateway;
  const transaction = node.transfer(0n);
  const accepted = { transactions: [{ id: toHex(node.idOf(transaction)), status: "accepted" }], ack: "local" };
  for (let i = 0; i < 2; i++) expect(await answerOf(await post(transaction, COSE))).toEqual({ status: 202, body: accepted });
});

test("submission: a sequence, one outcome for each in its place and 202 when one is accepted", async () => {
  const { node, post } = gateway;
  const items = [Uint8Array.of(0x00), node.transfer(0n), node.transfer(1n, { fee: 1n }), node.transfer(1n)];
  const { status, body } = await answerOf(await post(concatBytes(...items), `${SEQUENCE}; charset=binary`));
  expect(status).toBe(202);
  expect(body["transactions"]).toMatchObject([
    { status: "rejected", code: "malformed" },
    { status: "accepted" },
    { status: "rejected", code: "feeTooLow", id: expect.stringMatching(/^[0-9a-f]{64}$/), detail: "expected a fee of at least 10, got 1" },
    { status: "accepted" },
  ]);
  expect(node.submitted).toEqual([{ count: 4, source: "127.0.0.1" }]);
});

test("submission: none accepted, the problem of the first with the same list", async () => {
  const { node, post } = gateway;
  const forged = node.transfer(0n);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const response = await post(concatBytes(forged, Uint8Array.of(0x00)), SEQUENCE);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const { status, body } = await answerOf(response);
  expect(status).toBe(422);
  expect(body).toMatchObject({
    type: "urn:bizra:problem:badSignature",
    title: "The signature does not verify",
    status: 422,
    instance: "/api/v2/transactions",
    code: "badSignature",
    transactions: [
      { status: "rejected", code: "badSignature" },
      { status: "rejected", code: "malformed" },
    ],
  });
});

test("submission: one already executed, 409 with where it stands", async () => {
  const { node, post } = gateway;
  const transaction = node.transfer(0n);
  const id = toHex(node.idOf(transaction));
  await post(transaction, COSE);
  node.finalize();
  const { status, body } = await answerOf(await post(transaction, COSE));
  expect([status, body["code"]]).toEqual([409, "duplicate"]);
  expect(body["transaction"]).toMatchObject({ id, status: "final", height: 1, index: 0, receipt: { code: "applied", fee: "10" } });
  expect(body["transactions"]).toMatchObject([{ id, status: "rejected", code: "duplicate", transaction: { id, status: "final" } }]);
});

test("submission: every code, its status by the contract and documented", async () => {
  const { node, post } = gateway;
  const document: OpenApi = await (await gateway.get("/openapi.json")).json();
  const statuses: Record<string, number> = {};
  for (const code of REJECTION_CODES) {
    node.nextRefusal = { code, detail: "because" };
    const response = await post(node.transfer(0n), COSE);
    statuses[code] = response.status;
    const isRetryable = response.status === 429 || response.status === 503;
    expect([code, response.headers.get("retry-after")]).toEqual([code, isRetryable ? "1" : null]);
    expect(await checkAnswer(document, "POST", "/api/v2/transactions", response)).toEqual([]);
  }
  expect(statuses).toEqual({
    malformed: 400,
    tooLarge: 413,
    badSignature: 422,
    unknownSender: 422,
    insufficientFunds: 422,
    feeTooLow: 422,
    expired: 422,
    validityTooLong: 422,
    nonceTooLow: 422,
    nonceTooHigh: 422,
    duplicate: 409,
    notAuthorized: 403,
    quotaExceeded: 429,
    mempoolFull: 503,
    syncing: 503,
  });
});

test("submission: a refusal that says when to come back, Retry-After in whole seconds upward", async () => {
  gateway.node.nextRefusal = { code: "mempoolFull", detail: "full", retryAfterMs: 2_100 };
  const response = await gateway.post(gateway.node.transfer(0n), COSE);
  expect(response.headers.get("retry-after")).toBe("3");
});

test("submission: the level asked for, handed on and told; another word, malformed", async () => {
  const { node, post } = gateway;
  expect(await answerOf(await post(node.transfer(0n), COSE, "?ack=replicated"))).toMatchObject({
    status: 202,
    body: { ack: "replicated" },
  });
  expect(node.submitted[0]).toEqual({ count: 1, acknowledgement: "replicated", source: "127.0.0.1" });
  expect(await answerOf(await post(node.transfer(1n), COSE, "?ack=twice"))).toMatchObject({ status: 400, body: { code: "malformed" } });
  expect(node.submitted).toHaveLength(1);
});

test("submission: a sequence that breaks off, what stands before is taken and the rest is one malformed outcome", async () => {
  const { node, post } = gateway;
  const whole = node.transfer(0n);
  const { status, body } = await answerOf(await post(concatBytes(whole, node.transfer(1n).subarray(0, 40)), SEQUENCE));
  expect(status).toBe(202);
  expect(body["transactions"]).toMatchObject([
    { status: "accepted" },
    { status: "rejected", code: "malformed", detail: `from byte ${whole.length} on the body is no sequence of well-formed CBOR items` },
  ]);
  expect(await answerOf(await post(Uint8Array.of(0xff), SEQUENCE))).toMatchObject({ status: 400, body: { code: "malformed" } });
});

test("submission: an empty body, malformed; more items than allowed, tooLarge; nothing is submitted", async () => {
  const { node, post } = gateway;
  for (const type of [COSE, SEQUENCE])
    expect(await answerOf(await post(new Uint8Array(0), type))).toMatchObject({ status: 400, body: { code: "malformed" } });
  expect(await answerOf(await post(new Uint8Array(17), SEQUENCE))).toMatchObject({ status: 413, body: { code: "tooLarge" } });
  expect(node.submitted).toEqual([]);
});

test("submission: another media type or an encoded body, 415 that says what is taken", async () => {
  for (const type of ["application/json", "application/cosex", "multipart/form-data; boundary=x", ""]) {
    const refused = await gateway.post(gateway.node.transfer(0n), type);
    expect([type, refused.status, refused.headers.get("accept-post")]).toEqual([type, 415, "application/cose, application/cbor-seq"]);
    expect(await refused.json()).toMatchObject({ code: "unsupportedMediaType" });
  }
  const encoded = await fetch(`${gateway.url}/api/v2/transactions`, {
    method: "POST",
    body: "x",
    headers: { "content-type": COSE, "content-encoding": "gzip" },
  });
  expect(encoded.status).toBe(415);
});

test("submission: a body beyond the bound, 413 whether its length is declared or not", async () => {
  const { post, node } = gateway;
  const tooLong = new Uint8Array(64 * 1024 + 1);
  expect(await answerOf(await post(tooLong, COSE))).toMatchObject({
    status: 413,
    body: { code: "tooLarge", detail: "expected a body of at most 65536 bytes" },
  });
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < 5; i++) controller.enqueue(new Uint8Array(16 * 1024));
      controller.close();
    },
  });
  expect(await answerOf(await post(chunks, COSE))).toMatchObject({ status: 413, body: { code: "tooLarge" } });
  expect(node.submitted).toEqual([]);
});

test("submission: a body that arrives in chunks within the bound, taken whole", async () => {
  const { node, post } = gateway;
  const transaction = node.transfer(0n);
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(transaction.slice(0, 7));
      controller.enqueue(transaction.slice(7));
      controller.close();
    },
  });
  expect((await post(chunks, COSE)).status).toBe(202);
});

test("submission: a payload that is no valid sender's, told by the port and nothing is executed", async () => {
  const mallory = signerOf("mallory");
  const unknown = gateway.node.transfer(0n, { sender: mallory.publicKey });
  expect(await answerOf(await gateway.post(unknown, COSE))).toMatchObject({ status: 422, body: { code: "unknownSender" } });
});
