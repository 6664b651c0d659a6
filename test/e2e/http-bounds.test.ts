import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { homeOf, makeTestnet } from "./support/bizra.ts";
import { Client, findProblemFaults } from "./support/client.ts";
import { anchorBody, type Keys, readKeys } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { postBytes, RawConnection } from "./support/raw-connection.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let node: NodeProcess;
let client: Client;
let alice: Keys;

beforeAll(async () => {
  const net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net), { words: ["--http-request-deadline-ms", "1000", "--http-body-bytes-max", "65536"] });
  client = new Client(node, net.hash);
  alice = readKeys(net.accounts["alice"] ?? "");
}, 240_000);

afterAll(() => place.end());

/** Sends a request and requires a problem of this status and code. */
async function refuses(path: string, init: RequestInit, status: number, code: string): Promise<Headers> {
  const answer = await node.request(path, init);
  expect([path, ...findProblemFaults(answer, status, code)]).toEqual([path]);
  return answer.headers;
}

const post = (body: string | Uint8Array<ArrayBuffer>, contentType?: string): RequestInit => ({
  method: "POST",
  body,
  headers: contentType === undefined ? {} : { "content-type": contentType },
});

/** A good transaction still gets through. */
async function isWell(): Promise<boolean> {
  const { encoded } = client.sign(alice, await client.order(alice, 2, anchorBody("barn", Buffer.from("1"))));
  return (await node.submit(encoded)).status === 202;
}

describe("requests that are not in order", () => {
  test("e2e: media types, sizes, routes and methods that are not taken, each its status", async () => {
    const before = await client.account(alice.publicKey);
    const type = await refuses("/api/v2/transactions", post("{}", "application/json"), 415, "unsupportedMediaType");
    expect(type.get("accept-post")).toContain("application/cose");
    await refuses("/api/v2/transactions", post("x", "text/plain"), 415, "unsupportedMediaType");
    await refuses("/api/v2/transactions", post(new Uint8Array([1])), 415, "unsupportedMediaType");
    await refuses("/api/v2/transactions", post(new Uint8Array(65_537), "application/cose"), 413, "tooLarge");
    await refuses("/api/v2/transactions", post(new Uint8Array(65_537), "application/cbor-seq"), 413, "tooLarge");
    await refuses("/api/v2/nothing", {}, 404, "notFound");
    await refuses("/api/v4/status", {}, 404, "notFound");
    await refuses("/", {}, 404, "notFound");
    await refuses("/api/v1/transactions", post(new Uint8Array([1]), "application/cose"), 404, "notFound");
    expect((await refuses("/api/v2/transactions", {}, 405, "methodNotAllowed")).get("allow")).toBe("POST");
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      expect((await refuses("/api/v2/status", { method }, 405, "methodNotAllowed")).get("allow")).toContain("GET");
    }
    expect(await client.account(alice.publicKey)).toEqual(before);
  });

  test("e2e: names and numbers that are none, malformed; what is not there, notFound", async () => {
    const malformed = [
      "/api/v2/transactions/xyz",
      `/api/v2/transactions/${"0".repeat(63)}`,
      "/api/v2/accounts/bz1qqqq",
      "/api/v2/accounts/alice",
      "/api/v2/blocks/-1",
      "/api/v2/blocks/1e3",
      "/api/v2/blocks?from=0x10",
      "/api/v2/blocks?limit=1000000",
      "/api/v2/events?lane=secret",
      "/api/v2/events?after=1.2.3",
      "/api/v2/events?limit=0",
      "/api/v2/events/stream?after=-5",
      `/api/v2/transactions/${"0".repeat(64)}?wait=never`,
      `/api/v2/transactions/${"0".repeat(64)}?wait=final&timeoutMs=-1`,
    ];
    for (const path of malformed) await refuses(path, {}, 400, "malformed");
    await refuses("/api/v2/blocks/999999999", {}, 404, "notFound");
    await refuses(`/api/v2/validators/${"0".repeat(64)}`, {}, 404, "notFound");
    await refuses(`/api/v2/transactions/${"0".repeat(64)}/proof`, {}, 404, "notFound");
    await refuses("/api/v2/stream", {}, 426, "upgradeRequired");
    await refuses(`/api/v2/status?x=${"y".repeat(5_000)}`, {}, 414, "uriTooLong");
    const unknown = await node.request(`/api/v2/transactions/${"0".repeat(64)}`);
    expect([unknown.status, unknown.json["status"]]).toEqual([200, "unknown"]);
  });

  test("e2e: a body that never comes whole, answered in time or cut; the node goes on", async () => {
    const half = await RawConnection.open(node.http);
    half.send(postBytes(Buffer.alloc(10, 0xd2), 1_000));
    await half.answered(1, 60_000);
    expect(half.statuses).toEqual([408]);
    const gone = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(node.http)));
    for (const connection of gone) connection.send(postBytes(Buffer.alloc(100, 0xd2), 60_000));
    await Bun.sleep(20);
    for (const connection of gone) connection.cut();
    const greedy = await RawConnection.open(node.http);
    greedy.send(postBytes(Buffer.alloc(10), 10_000_000_000));
    await greedy.answered(1, 60_000);
    expect(greedy.statuses).toEqual([413]);
    for (const connection of [half, greedy]) connection.cut();
    expect(await isWell()).toBe(true);
  });

  test("e2e: a body in chunks beyond the bound, tooLarge before it is all sent", async () => {
    const connection = await RawConnection.open(node.http);
    const lines = [
      "POST /api/v2/transactions HTTP/1.1",
      "Host: node",
      "Content-Type: application/cose",
      "Transfer-Encoding: chunked",
      "",
      "",
    ];
    connection.send(lines.join("\r\n"));
    for (let sent = 0; sent < 12 && connection.statuses.length === 0; sent++) {
      connection.send(Buffer.concat([Buffer.from("2000\r\n"), Buffer.alloc(8_192, 0xd2), Buffer.from("\r\n")]));
      await Bun.sleep(5);
    }
    await connection.answered(1, 60_000);
    expect(connection.statuses).toEqual([413]);
    connection.cut();
    expect(await isWell()).toBe(true);
  });

  test("e2e: what is no HTTP at all, refused or cut; the node goes on", async () => {
    const nonsense = [
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "GET\r\n\r\n",
      "GET /api/v2/status HTTP/9.9\r\n\r\n",
      `GET /api/v2/status HTTP/1.1\r\nHost: node\r\n${"x: y\r\n".repeat(20_000)}\r\n`,
      "POST /api/v2/transactions HTTP/1.1\r\nHost: node\r\nContent-Length: -1\r\n\r\n",
      "POST /api/v2/transactions HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET /api/v2/status HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    ];
    for (const text of nonsense) {
      const connection = await RawConnection.open(node.http);
      connection.send(Buffer.from(text, "latin1"));
      await Promise.race([connection.answered(1, 60_000), connection.closed(60_000)]);
      expect([text.slice(0, 60), connection.statuses.filter((code) => (code < 400 || code >= 500) && code !== 505)]).toEqual([
        text.slice(0, 60),
        [],
      ]);
      connection.cut();
    }
    expect(await isWell()).toBe(true);
  }, 240_000);
});
