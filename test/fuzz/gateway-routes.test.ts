import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import fc from "fast-check";
import { concatBytes, toHex, utf8 } from "../../src/kernel/index.ts";
import { formatAddress } from "../../src/protocol/index.ts";
import { signerOf } from "../unit/gateway/memory-node.ts";
import { checkAnswer, findOperation, type OpenApi } from "../unit/gateway/openapi-answers.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "../unit/gateway/test-gateway.ts";

let gateway: TestGateway;
let document: OpenApi;
beforeAll(async () => {
  gateway = startTestGateway();
  for (let nonce = 0n; nonce < 3n; nonce++) await gateway.post(gateway.node.transfer(nonce), "application/cose");
  gateway.node.finalize();
  document = await (await gateway.get("/openapi.json")).json();
});
afterAll(() => stopTestGateway(gateway));

/** What holds for every answer whatever was asked: no failure of the node, every refusal a problem. */
async function checkInvariants(response: Response): Promise<void> {
  expect(response.status).toBeLessThan(500);
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem: Record<string, unknown> = await response.json();
  expect(problem).toMatchObject({
    status: response.status,
    type: `urn:bizra:problem:${String(problem["code"])}`,
    detail: expect.any(String),
  });
}

const validId = toHex(signerOf("validator").publicKey);
const segment = fc.oneof(
  fc.constantFrom(
    "latest",
    "0",
    "1",
    "999999999999999",
    validId,
    formatAddress(signerOf("alice").publicKey),
    "..",
    ".",
    "%2e%2e",
    "%00",
    "%zz",
    "{id}",
  ),
  fc.string({ minLength: 1, maxLength: 80 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const queryValue = fc.oneof(
  fc.constantFrom("final", "local", "replicated", "crit", "chain", "ops", "0", "1", "1.1", "-1", "1e9", "9007199254740993", "%ff", ""),
  fc.string({ maxLength: 30 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const queryName = fc.oneof(
  fc.constantFrom("wait", "timeoutMs", "ack", "lane", "after", "limit", "from", "__proto__", "constructor"),
  fc.constant("x"),
);
/** Never a wait that holds: the clock of the test stands still. */
const query = fc
  .array(fc.tuple(queryName, queryValue), { maxLength: 4 })
  .map((pairs) => pairs.filter(([name, value]) => !(name === "wait" && value === "final")))
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`));

test("routes: every documented read with any parameters, an answer as documented and never a failure", async () => {
  const templates = Object.entries(document.paths).flatMap(([path, operations]) =>
    operations["get"] && !path.endsWith("/stream") ? [path] : [],
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...templates),
      segment,
      query,
      fc.constantFrom("", "*/*", "application/cbor", "text/plain;q=x"),
      async (template, value, text, accept) => {
        const path = template.replace(/\{\w+\}/, value.replaceAll("/", "%2F"));
        const url = `${path}${text}`;
        const response = await gateway.get(url, accept === "" ? {} : { accept });
        // `..` and `.` are resolved by the client, so the request may be for another route.
        const sent = new URL(response.url).pathname;
        const copy = response.clone();
        if (findOperation(document, "GET", sent)) expect([url, await checkAnswer(document, "GET", sent, copy)]).toEqual([url, []]);
        await checkInvariants(response);
      },
    ),
    { numRuns: 600 },
  );
});

test("routes: streams with any cursor, opened and closed or refused, and none is left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("v1", "v2", "v3"), query, fc.option(queryValue), async (version, text, lastEventId) => {
      const response = await gateway.get(
        `/api/${version}/events/stream${text}`,
        lastEventId === null ? {} : { "last-event-id": lastEventId },
      );
      if (response.status === 200) await response.body?.cancel();
      else await checkInvariants(response);
      while (!(await gateway.registry.render("prometheus")).body.includes("bizra_http_event_streams 0\n")) await gateway.get("/livez");
    }),
    { numRuns: 100 },
  );
});

const body = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.tuple(fc.nat(5), fc.nat(), fc.nat(255)).map(([nonce, at, byte]) => mutate(gateway.node.transfer(BigInt(nonce)), at, byte)),
  fc
    .array(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.nat(5).map((nonce) => gateway.node.transfer(BigInt(nonce))),
      ),
      { maxLength: 6 },
    )
    .map((items) => concatBytes(...items)),
);

test("routes: submissions of any bytes and media type, an answer as documented and never a failure", async () => {
  const mediaType = fc.constantFrom("application/cose", "application/cbor-seq", "application/cbor-seq;x=y", "text/plain");
  await fc.assert(
    fc.asyncProperty(body, mediaType, query, async (bytes, type, text) => {
      const response = await gateway.post(bytes, type, text);
      const copy = response.clone();
      expect(await checkAnswer(document, "POST", "/api/v2/transactions", copy)).toEqual([]);
      await checkInvariants(response);
    }),
    { numRuns: 400 },
  );
  gateway.node.finalize();
});

test("routes: any method on any path, an answer by the invariants", async () => {
  const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
  const path = fc.oneof(
    fc.constantFrom(...Object.keys(document.paths)).map((template) => template.replaceAll("{", "").replaceAll("}", "")),
    fc.array(segment, { maxLength: 6 }).map((segments) => `/${segments.join("/")}`),
  );
  await fc.assert(
    fc.asyncProperty(method, path, query, async (verb, at, text) => {
      if (at.endsWith("/stream")) return;
      const response = await fetch(`${gateway.url}${at}${text}`, { method: verb });
      if (verb === "HEAD") expect(response.status).toBeLessThan(500);
      else await checkInvariants(response);
    }),
    { numRuns: 400 },
  );
});

test("routes: raw request lines and headers, the connection is answered or closed and the node goes on", async () => {
  const line = fc.tuple(
    fc.constantFrom("GET", "POST", "GETT", "", "get"),
    fc.oneof(fc.constantFrom("/livez", "//", "*", "/%", "http://x/livez", "livez", ""), fc.string({ maxLength: 20 })),
    fc.constantFrom("HTTP/1.1", "HTTP/1.0", "HTTP/2", ""),
  );
  const header = fc.oneof(
    fc.constantFrom(
      "Host: a b",
      "Host:",
      "Content-Length: -1",
      "Content-Length: 5",
      "Transfer-Encoding: chunked",
      "Upgrade: websocket",
      "Expect: 100-continue",
    ),
    fc.string({ maxLength: 30 }),
  );
  await fc.assert(
    fc.asyncProperty(line, fc.array(header, { maxLength: 4 }), async ([method, target, version], headers) => {
      const text = `${method} ${target} ${version}\r\n${headers.join("\r\n")}\r\n\r\n`;
      const answer = await sendAndHangUp(utf8(text));
      // 505 is the runtime's word for a version it does not speak.
      if (/^HTTP\/1\.1 5(?!05)/.test(answer)) throw new Error(`${JSON.stringify(text)} gave ${answer.slice(0, 200)}`);
    }),
    { numRuns: 150 },
  );
  expect((await gateway.get("/livez")).status).toBe(200);
});

/** Sends the bytes, ends its side, and gives what came back before the connection closed. */
function sendAndHangUp(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(gateway.gateway.port, "127.0.0.1", () => socket.end(bytes));
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(answer));
  });
}

function mutate(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const changed = bytes.slice();
  changed[at % changed.length] = byte;
  return changed;
}
