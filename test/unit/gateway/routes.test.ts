import { afterAll, beforeAll, expect, test } from "bun:test";
import { nativeSuite, nobleSuite } from "../../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../../src/kernel/index.ts";
import { decodeProofBundle, formatAddress, verifyProofBundle } from "../../../src/protocol/index.ts";
import { signerOf } from "./memory-node.ts";
import { checkAnswer, findOperation, type OpenApi } from "./openapi-answers.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "./test-gateway.ts";

const alice = formatAddress(signerOf("alice").publicKey);
const bob = formatAddress(signerOf("bob").publicKey);
const nobody = formatAddress(signerOf("nobody").publicKey);
let gateway: TestGateway;
let document: OpenApi;
let finalId = "";

beforeAll(async () => {
  gateway = startTestGateway();
  const { node, get } = gateway;
  const first = node.transfer(0n);
  await gateway.post(concatBytes(first, node.transfer(1n), node.transfer(2n)), "application/cbor-seq");
  node.finalize();
  node.finalize();
  await gateway.post(node.transfer(3n), "application/cose");
  finalId = toHex(node.idOf(first));
  document = await (await get("/openapi.json")).json();
});
afterAll(() => stopTestGateway(gateway));

test("routes: every operation of the document but the socket, answers as documented", async () => {
  const validatorId = toHex(signerOf("validator").publicKey);
  const values: Record<string, string[]> = {
    id: [finalId, validatorId, "0".repeat(64), "x"],
    address: [alice, bob, nobody, "bz1x"],
    height: ["latest", "1", "0", "99", "x"],
  };
  const findings: string[] = [];
  let answers = 0;
  for (const [template, operations] of Object.entries(document.paths)) {
    if (!operations["get"] || template.endsWith("/stream")) continue;
    const name = /\{(\w+)\}/.exec(template)?.[1];
    for (const value of name === undefined ? [""] : (values[name] ?? [])) {
      const path = template.replace(/\{\w+\}/, value);
      findings.push(...(await checkAnswer(document, "GET", path, await gateway.get(path))));
      answers++;
    }
  }
  expect(findings).toEqual([]);
  expect(answers).toBeGreaterThan(80);
});

test("routes: the document lists every route of the contract, each with a name of its own", () => {
  const paths = Object.keys(document.paths);
  for (const version of ["v1", "v2", "v3"]) {
    const reads = [
      "transactions/{id}",
      "transactions/{id}/proof",
      "accounts/{address}",
      "accounts/{address}/proof",
      "blocks/{height}",
      "blocks",
      "validators",
      "validators/{id}",
      "validators/{id}/proof",
      "parameters",
      "supply",
      "status",
      "events",
      "events/stream",
      "stream",
      "genesis",
    ];
    for (const read of reads) expect(paths).toContain(`/api/${version}/${read}`);
    expect(paths.includes(`/api/${version}/transactions`)).toBe(version !== "v1");
  }
  for (const path of ["/livez", "/readyz", "/startupz", "/metrics", "/version"]) expect(paths).toContain(path);
  const ids = Object.values(document.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
  expect(new Set(ids).size).toBe(ids.length);
  expect(document.openapi).toBe("3.1.0");
});

test("routes: v1 and v3, marked on every answer; v2 is not", async () => {
  const old = await gateway.get("/api/v1/blocks/1");
  expect(old.headers.get("deprecation")).toMatch(/^@\d{10}$/);
  expect(Date.parse(old.headers.get("sunset") ?? "")).toBeGreaterThan(Number(old.headers.get("deprecation")?.slice(1)) * 1_000);
  expect(old.headers.get("link")).toContain('</api/v2/blocks/1>; rel="successor-version"');
  expect((await gateway.get("/api/v1/nothing")).headers.has("sunset")).toBe(true);
  expect((await gateway.get("/api/v3/status")).headers.get("x-api-stability")).toBe("beta");
  const current = await gateway.get("/api/v2/status");
  expect(["deprecation", "sunset", "link", "x-api-stability"].filter((name) => current.headers.has(name))).toEqual([]);
  expect(findOperation(document, "GET", "/api/v1/status")?.operation.deprecated).toBe(true);
});

test("routes: v1, takes no submissions", async () => {
  const refused = await fetch(`${gateway.url}/api/v1/transactions`, { method: "POST", body: "x" });
  expect(refused.status).toBe(404);
});

test("status: what is true now, u64 as strings and heights as numbers", async () => {
  const chainId = toHex(gateway.node.chainId);
  expect(await (await gateway.get("/api/v2/status")).json()).toEqual({
    chainId,
    genesisHash: chainId,
    chainName: "gateway-test",
    network: chainId.slice(0, 8),
    id: "node-1",
    role: "validator",
    validator: toHex(signerOf("validator").publicKey),
    height: 2,
    blockHash: expect.any(String),
    blockTime: "2026-11-22T00:00:00.200Z",
    epoch: 0,
    view: 3,
    peers: 0,
    syncState: "synced",
    version: "0.1.0",
    uptimeSeconds: 12,
    time: "2026-11-22T00:00:00.000Z",
    minimumFee: "10",
    pending: { transactions: 1, bytes: expect.any(Number) },
    limits: {
      transactionBytesMax: 16_384,
      bodyBytesMax: 65_536,
      transactionsPerRequestMax: 16,
      nonceGapMax: "1024",
      maxValidity: "1000",
      anchorBytesMax: 4_096,
      streamBytesMax: 64,
      memoBytesMax: 64,
      waitMsMax: 60_000,
    },
  });
});

test("accounts: an account with a pending transaction, both nonces and a balance beyond 2^53", async () => {
  expect(await (await gateway.get(`/api/v2/accounts/${alice}`)).json()).toEqual({
    address: alice,
    publicKey: toHex(signerOf("alice").publicKey),
    height: 2,
    exists: true,
    nonce: "3",
    pendingNonce: "4",
    balance: String(2n ** 64n - 1n - 33n),
    stake: "0",
  });
  expect(await (await gateway.get(`/api/v2/accounts/${nobody}`)).json()).toMatchObject({
    exists: false,
    nonce: "0",
    pendingNonce: "0",
    balance: "0",
  });
});

test("accounts: one that bonded, what its bonds are worth and what of them may be withdrawn", async () => {
  const owner = formatAddress(signerOf("owner").publicKey);
  const validator = toHex(signerOf("validator").publicKey);
  const part = { releaseEpoch: 3, releaseTime: "2026-11-22T00:00:00.001Z" };
  const unbonding = [
    { amount: "7", ...part, isReleased: true },
    { amount: "5", ...part, isReleased: false },
  ];
  const bonds = [{ validator, stake: "5000000000000", unbonding, withdrawable: "7" }];
  expect(await (await gateway.get(`/api/v2/accounts/${owner}`)).json()).toMatchObject({ stake: "5000000000000", bonds });
});

test("validators: the set, one of it by its key, and none by another", async () => {
  const id = toHex(signerOf("validator").publicKey);
  const { validators, ...set } = await (await gateway.get("/api/v2/validators")).json();
  expect(set).toMatchObject({ height: 2, epoch: 0, totalWeight: "5000000000000" });
  const expected = {
    id,
    index: 0,
    publicKey: id,
    term: 0,
    next: { publicKey: toHex(signerOf("next box").publicKey), term: 1, effectiveEpoch: 4 },
    owner: formatAddress(signerOf("owner").publicKey),
    name: "one",
    status: "active",
    weight: "5000000000000",
    stake: "5000000000000",
    unbonding: "12",
    commission: 500,
    endpoint: "one.example:4600",
    metadata: "one",
    reputation: 10_000,
    duties: ["vote", "propose"],
  };
  expect(validators).toEqual([expected]);
  expect(await (await gateway.get(`/api/v2/validators/${id}`)).json()).toEqual({ ...expected, height: 2, epoch: 0 });
  expect((await gateway.get(`/api/v2/validators/${"0".repeat(64)}`)).status).toBe(404);
});

test("supply: units issued and destroyed, and the pot of fees", async () => {
  expect(await (await gateway.get("/api/v2/supply")).json()).toEqual({
    height: 2,
    issued: "10000000000000000000",
    burned: "33",
    feePot: "12",
  });
});

test("parameters: those in force with their values at genesis, flags, approved changes and open proposals", async () => {
  expect(await (await gateway.get("/api/v2/parameters")).json()).toMatchObject({
    feePolicy: "burn",
    parameters: [{ name: "minimumFee", value: "10", genesis: "10" }],
    features: ["flag"],
    approved: [{ name: "epochBlocks", value: "1000", activationEpoch: 4 }],
    proposals: [{ id: toHex(gateway.node.chainId), name: "feature.fast-sync", value: "1", activationEpoch: 9, rejections: [] }],
  });
});

test("proofs: a receipt, accounts and a validator, verified offline from the genesis set in both forms", async () => {
  const trusted = { chainId: gateway.node.chainId, epoch: 0, set: gateway.node.set };
  const validatorId = toHex(signerOf("validator").publicKey);
  const accounts = [`accounts/${bob}/proof`, `accounts/${nobody}/proof`];
  for (const path of [`transactions/${finalId}/proof`, ...accounts, `validators/${validatorId}/proof`]) {
    const binary = await gateway.get(`/api/v2/${path}`, { accept: "application/cbor" });
    expect(binary.headers.get("content-type")).toBe("application/cbor");
    const bytes = await binary.bytes();
    const json: { bundle: string } = await (await gateway.get(`/api/v2/${path}`)).json();
    expect(json.bundle).toBe(toHex(bytes));
    const bundle = decodeProofBundle(bytes);
    if (!bundle.ok) throw new Error(bundle.error);
    const fact = verifyProofBundle(path.includes(bob) ? nobleSuite : nativeSuite, trusted, bundle.value);
    if (!fact.ok) throw new Error(`${path}: ${fact.error.detail}`);
    if (fact.value.kind === "state") expect(fact.value.value !== undefined).toBe(path.includes(bob));
    else expect(toHex(fact.value.receipt.transactionId)).toBe(finalId);
  }
});

test("proofs: neither form accepted, 406", async () => {
  const refused = await gateway.get(`/api/v2/transactions/${finalId}/proof`, { accept: "image/png, application/cbor;q=0" });
  expect(refused.status).toBe(406);
});

test("blocks: by height, tagged and answered with 304 to who knows the tag; latest, never cached", async () => {
  const first = await gateway.get("/api/v2/blocks/1");
  const tag = first.headers.get("etag") ?? "";
  expect(tag).toMatch(/^W\/"[0-9a-f]{64}"$/);
  expect(first.headers.get("cache-control")).toBe("public, no-cache");
  const again = await gateway.get("/api/v2/blocks/1", { "if-none-match": `"other", ${tag}` });
  expect([again.status, await again.text()]).toEqual([304, ""]);
  expect((await gateway.get("/api/v2/blocks/2", { "if-none-match": tag })).status).toBe(200);
  const latest = await gateway.get("/api/v2/blocks/latest", { "if-none-match": tag });
  expect([latest.status, latest.headers.get("cache-control"), latest.headers.get("etag")]).toEqual([200, "no-store", null]);
});

test("blocks: the page without from, the newest; with from and limit, that range with the way on", async () => {
  const heights = async (query: string): Promise<unknown> => {
    const page: { blocks: { height: number }[]; latestHeight: number; next?: number } = await (
      await gateway.get(`/api/v2/blocks${query}`)
    ).json();
    return [page.blocks.map(({ height }) => height), page.latestHeight, page.next];
  };
  expect(await heights("")).toEqual([[1, 2], 2, undefined]);
  expect(await heights("?limit=1")).toEqual([[2], 2, undefined]);
  expect(await heights("?from=0&limit=1")).toEqual([[1], 2, 2]);
  expect(await heights("?from=3")).toEqual([[], 2, undefined]);
});

test("genesis: the document as it is, whose hash is the chain id", async () => {
  const text = await (await gateway.get("/api/v2/genesis")).text();
  expect(JSON.parse(text)).toMatchObject({ format: "bizra-genesis/1", chainName: "gateway-test" });
});

test("operations: a closed gate, 503 with each reason and Retry-After; open gates, 200", async () => {
  gateway.node.health.ready = "12 blocks behind";
  const closed = await gateway.get("/readyz");
  expect([closed.status, closed.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await closed.json()).toMatchObject({
    code: "notReady",
    detail: "storage: 12 blocks behind",
    checks: [{ name: "storage", isOk: false }],
  });
  gateway.node.health.ready = undefined;
  expect((await gateway.get("/readyz")).status).toBe(200);
  expect(await (await gateway.get("/livez")).json()).toEqual({ status: "ok", checks: [{ name: "storage", isOk: true }] });
});

test("operations: metrics, in the format asked for, with routes as templates", async () => {
  const prometheus = await gateway.get("/metrics");
  expect(prometheus.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await prometheus.text();
  expect(text).toContain('bizra_http_requests_total{route="/api/v2/blocks/{height}",method="GET",status="304"} 1');
  expect(text).toContain('bizra_http_transactions_total{outcome="accepted"} 4');
  expect(text).not.toContain(finalId);
  const open = await gateway.get("/metrics", { accept: "application/openmetrics-text" });
  expect(open.headers.get("content-type")).toStartWith("application/openmetrics-text");
  expect(await open.text()).toEndWith("# EOF\n");
});

test("operations: version, name and runtime of the build", async () => {
  expect(await (await gateway.get("/version")).json()).toEqual({ name: "bizra", version: "0.1.0", runtime: "bun" });
});
