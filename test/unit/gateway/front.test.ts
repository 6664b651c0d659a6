import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { pathOf } from "../../../src/gateway/application.ts";
import { startGateway } from "../../../src/gateway/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { MetricRegistry } from "../../../src/monitoring/index.ts";
import { ManualTime } from "./manual-time.ts";
import { startTestGateway, stopTestGateway, TEST_LIMITS, type TestGateway } from "./test-gateway.ts";

const COSE = "application/cose";
const open: TestGateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await stopTestGateway(gateway);
});

function start(limits: Parameters<typeof startTestGateway>[0] = {}): TestGateway {
  const gateway = startTestGateway(limits);
  open.push(gateway);
  return gateway;
}

/** Sends bytes over a bare connection and reads until the server closes it or `until` is seen. */
function exchange(gateway: TestGateway, text: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(gateway.gateway.port, "127.0.0.1", () => socket.write(text));
    const finish = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("data", (data) => {
      answer += data.toString();
      if (until !== undefined && answer.includes(until)) finish();
    });
    socket.on("close", finish);
    socket.on("error", reject);
  });
}

test("front: a request without a Host header, answered; so is one whose Host is nonsense", async () => {
  const gateway = start();
  expect(await exchange(gateway, "GET /api/v2/blocks?limit=1 HTTP/1.0\r\n\r\n")).toStartWith("HTTP/1.1 200");
  expect(await exchange(gateway, "GET /api/v2/blocks?limit=x HTTP/1.0\r\n\r\n")).toStartWith("HTTP/1.1 400");
  expect(await exchange(gateway, "GET /livez?x HTTP/1.1\r\nHost: a b{}\r\nConnection: close\r\n\r\n")).toStartWith("HTTP/1.1 200");
  expect(await exchange(gateway, "GET //livez HTTP/1.0\r\n\r\n")).toStartWith("HTTP/1.1 404");
});

test("front: the path of any URL that the runtime may give, without query or fragment", () => {
  const paths = {
    "http://a/b/c?d=/e": "/b/c",
    "http://a": "/",
    "/b?x": "/b",
    "/b#x": "/b",
    "//b": "//b",
    "http://a/?/": "/",
    "http://[::1]:1/b": "/b",
  };
  for (const [url, path] of Object.entries(paths)) expect([url, pathOf(url)]).toEqual([url, path]);
});

test("front: a path that is no route, 404 as a problem with every security header", async () => {
  const { get } = start();
  const response = await get("/nothing/here?x=1");
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
  expect(response.headers.get("referrer-policy")).toBe("no-referrer");
  expect(await response.json()).toEqual({
    type: "urn:bizra:problem:notFound",
    title: "There is nothing here",
    status: 404,
    detail: "no route has this path; /openapi.json lists them",
    instance: "/nothing/here",
    code: "notFound",
  });
});

test("front: another method than the route's, 405 that says which; HEAD, as GET without a body", async () => {
  const { url } = start();
  const refused = async (method: string, path: string): Promise<unknown> => {
    const response = await fetch(url + path, { method });
    return [response.status, response.headers.get("allow"), (await response.json()).code];
  };
  expect(await refused("DELETE", "/api/v2/transactions")).toEqual([405, "POST", "methodNotAllowed"]);
  expect(await refused("GET", "/api/v2/transactions")).toEqual([405, "POST", "methodNotAllowed"]);
  expect(await refused("POST", "/api/v2/blocks/latest")).toEqual([405, "GET, HEAD", "methodNotAllowed"]);
  expect(await refused("PUT", "/livez")).toEqual([405, "GET, HEAD", "methodNotAllowed"]);
  expect(await refused("OPTIONS", "/openapi.json")).toEqual([405, "GET, HEAD", "methodNotAllowed"]);
  const head = await fetch(`${url}/api/v2/status`, { method: "HEAD" });
  expect([head.status, await head.text(), head.headers.get("cache-control")]).toEqual([200, "", "no-store"]);
});

test("front: an address beyond the bound, 414", async () => {
  const { get } = start();
  const response = await get(`/api/v2/blocks?from=${"1".repeat(5_000)}`);
  expect([response.status, (await response.json()).code]).toEqual([414, "uriTooLong"]);
});

test("front: headers beyond the runtime's bound, 431 and the connection closed", async () => {
  expect(await exchange(start(), `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(20_000)}\r\n\r\n`)).toStartWith("HTTP/1.1 431");
});

test("front: a declared length far beyond the bound, 413 at once and the connection closed", async () => {
  const head = `POST /api/v2/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: ${COSE}\r\nContent-Length: 1000000000\r\n\r\n`;
  const answer = await exchange(start(), head);
  expect(answer).toStartWith("HTTP/1.1 413");
  expect(answer).toContain('"code":"tooLarge"');
});

test("front: a body that stops arriving, 408 when the time is up", async () => {
  const gateway = start();
  const head = `POST /api/v2/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: ${COSE}\r\nContent-Length: 100\r\n\r\nabc`;
  const answer = exchange(gateway, head);
  while (gateway.time.pending === 0) await gateway.get("/livez");
  gateway.time.advance(10_000);
  expect(await answer).toStartWith("HTTP/1.1 408");
  expect(await answer).toContain('"code":"requestTimeout"');
});

test("front: bodies that fill the memory set aside, the next one 503 and room again when they are done", async () => {
  const gateway = start({ requestsInFlightMax: 100 });
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const full = new Uint8Array(64 * 1024);
  const held = Array.from({ length: 16 }, () => gateway.post(full, COSE));
  while (gateway.node.submitted.length < 16) await gateway.get("/livez");
  const refused = await gateway.post(gateway.node.transfer(0n), COSE);
  expect([refused.status, (await refused.json()).code]).toEqual([503, "overloaded"]);
  gate.resolve();
  for (const answer of held) expect((await answer).status).toBe(413);
  gateway.node.gate = undefined;
  expect((await gateway.post(gateway.node.transfer(0n), COSE)).status).toBe(202);
});

test("front: an answer that takes too long, 503 that does not deny what may have happened", async () => {
  const gateway = start();
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const answer = gateway.post(gateway.node.transfer(0n), COSE);
  while (gateway.node.submitted.length === 0) await gateway.get("/livez");
  gateway.time.advance(10_000);
  const response = await answer;
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await response.json()).toMatchObject({ code: "deadlineExceeded", detail: expect.stringContaining("may have been accepted") });
  gate.resolve();
});

test("front: more requests than may be answered at once, 503; health and metrics are answered all the same", async () => {
  const gateway = start({ requestsInFlightMax: 1 });
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const held = gateway.post(gateway.node.transfer(0n), COSE);
  while (gateway.node.submitted.length === 0) await gateway.get("/livez");
  const refused = await gateway.get("/api/v2/status");
  expect([refused.status, (await refused.json()).code]).toEqual([503, "overloaded"]);
  expect((await gateway.get("/livez")).status).toBe(200);
  expect(await (await gateway.get("/metrics")).text()).toContain("bizra_http_requests_in_flight 2\n");
  gate.resolve();
  expect((await held).status).toBe(202);
  expect((await gateway.get("/api/v2/status")).status).toBe(200);
});

test("front: an address that asks too often, 429 with the time to wait; then answered again", async () => {
  const gateway = start({ rateLoopbackPerSecond: 2, rateBurst: 3 });
  const statuses = async (count: number): Promise<number[]> => {
    const answers: number[] = [];
    for (let i = 0; i < count; i++) answers.push((await gateway.get("/version")).status);
    return answers;
  };
  expect(await statuses(4)).toEqual([200, 200, 200, 429]);
  const refused = await gateway.get("/version");
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ code: "rateLimited", detail: "expected at most 2 requests a second from one address" });
  expect((await gateway.get("/readyz")).status).toBe(200);
  gateway.time.advance(1_000);
  expect(await statuses(3)).toEqual([200, 200, 429]);
});

test("front: a port that fails, 500 that tells the log and the node but not the client", async () => {
  const gateway = start();
  gateway.node.nextFailure = new Error("secret path /var/x");
  const response = await gateway.get("/api/v2/status");
  const text = await response.text();
  expect([response.status, text.includes("secret")]).toEqual([500, false]);
  expect(text).toContain('"code":"internal"');
  expect(gateway.defects.splice(0)).toMatchObject([{ message: "secret path /var/x" }]);
  expect(gateway.lines.find(({ level }) => level === "error")).toMatchObject({ event: "http.failed", fields: { route: "/api/v2/status" } });
  expect((await gateway.get("/api/v2/status")).status).toBe(200);
});

test("front: a route that fails after its request was answered as late, reported all the same", async () => {
  const gateway = start();
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const late = gateway.post(gateway.node.transfer(0n), COSE);
  while (gateway.node.submitted.length === 0) await gateway.get("/livez");
  gateway.time.advance(10_000);
  expect((await late).status).toBe(503);
  gate.reject(new Error("the disk went away"));
  while (gateway.defects.length === 0) await gateway.get("/livez");
  expect(gateway.defects.splice(0)).toMatchObject([{ message: "the disk went away" }]);
});

test("front: the access log, one line a request with the route's template and never a body", async () => {
  const gateway = start();
  await gateway.post(gateway.node.transfer(0n), COSE);
  await gateway.get("/api/v2/blocks/7?x=y");
  await gateway.get("/no/such");
  const lines = gateway.lines.filter(({ event }) => event === "http.request");
  expect(lines.map(({ level, fields }) => [level, fields["method"], fields["route"], fields["status"], fields["source"]])).toEqual([
    ["debug", "POST", "/api/v2/transactions", 202, "127.0.0.1"],
    ["debug", "GET", "/api/v2/blocks/{height}", 404, "127.0.0.1"],
    ["debug", "GET", "unmatched", 404, "127.0.0.1"],
  ]);
  for (const { fields } of lines) expect(Object.keys(fields).sort()).toEqual(["method", "ms", "route", "source", "status"]);
});

test("shutdown: what is being answered, is finished; waits are answered with what is known; new connections, refused", async () => {
  const gateway = start();
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const held = gateway.post(gateway.node.transfer(0n), COSE);
  const id = "0".repeat(64);
  const waiting = gateway.get(`/api/v2/transactions/${id}?wait=final`);
  while (gateway.node.submitted.length === 0 || !(await gateway.registry.render("prometheus")).body.includes("waits 1\n"))
    await gateway.get("/livez");
  const stopped = gateway.gateway.stop();
  expect(await (await waiting).json()).toEqual({ id, status: "unknown" });
  expect(await fetch(`${gateway.url}/livez`).catch((error: Error) => error.message)).toBeString();
  gate.resolve();
  expect((await held).status).toBe(202);
  await stopped;
});

test("shutdown: what is not finished in time, cut off", async () => {
  const gateway = start();
  const gate = Promise.withResolvers<void>();
  gateway.node.gate = gate.promise;
  const held = gateway.post(gateway.node.transfer(0n), COSE).catch((error: unknown) => error);
  while (gateway.node.submitted.length === 0) await gateway.get("/livez");
  const stopped = gateway.gateway.stop();
  gateway.time.advance(5_000);
  expect(await held).toBeInstanceOf(Error);
  await stopped;
  expect(gateway.lines.find(({ event }) => event === "http.stopped")?.fields).toEqual({ unfinished: 1 });
  gate.resolve();
});

test("listening: an address that is taken or not ours, a fault that says how to mend it and nothing left behind", async () => {
  const gateway = start();
  const time = new ManualTime();
  const attempt = (host: string, port: number) => {
    const started = startGateway({
      ports: gateway.node.ports,
      limits: TEST_LIMITS,
      listen: { host, port },
      build: { name: "bizra", version: "0", runtime: "bun" },
      clock: time,
      timers: time,
      log: silentLog,
      registry: new MetricRegistry(),
      onDefect: () => {},
    });
    return started.ok ? "listening" : started.error;
  };
  const before = gateway.node.subscriptions;
  const port = gateway.gateway.port;
  expect(attempt("127.0.0.1", port)).toEqual({
    code: "addressInUse",
    detail: `127.0.0.1:${port} is taken by another program; set http.listen to another port, or to port 0 for any free one`,
  });
  expect(attempt("192.0.2.1", 0)).toMatchObject({ code: "addressNotAvailable" });
  expect(gateway.node.subscriptions).toBe(before);
});
