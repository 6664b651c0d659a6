import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { EventSourceReader } from "./event-source.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "./test-gateway.ts";

const HANDSHAKE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
let gateway: TestGateway;
beforeEach(() => {
  gateway = startTestGateway();
});
afterEach(() => stopTestGateway(gateway));

async function openSse(query = "", headers: Record<string, string> = {}): Promise<EventSourceReader> {
  return new EventSourceReader(await gateway.get(`/api/v2/events/stream${query}`, headers));
}

/** Resolves when the gateway tells this many open streams. */
async function untilStreams(count: number): Promise<void> {
  for (;;) {
    const { body } = await gateway.registry.render("prometheus");
    if (body.includes(`bizra_http_event_streams ${count}\n`)) return;
    await gateway.get("/livez");
  }
}

/** Ends of streams that the gateway logged. */
function endsOf(): unknown[] {
  return gateway.lines.filter(({ event }) => event === "http.stream.closed").map(({ fields }) => fields["reason"]);
}

/** A raw connection that reads nothing after its first bytes. */
function openStalled(head: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(gateway.gateway.port, "127.0.0.1", () => socket.write(head));
    socket.once("data", () => {
      socket.pause();
      resolve(socket);
    });
  });
}

test("events: pages after a cursor, in order with the way on", async () => {
  for (let i = 0; i < 5; i++) gateway.node.append("ops", `t${i}`);
  const read = async (query: string): Promise<unknown> => {
    const page: { events: { cursor: string }[]; next: string; head: string } = await (
      await gateway.get(`/api/v2/events?lane=ops${query}`)
    ).json();
    return [page.events.map(({ cursor }) => cursor), page.next, page.head];
  };
  expect(await read("")).toEqual([["1.1", "1.2", "1.3", "1.4", "1.5"], "1.5", "1.5"]);
  expect(await read("&after=1.2&limit=2")).toEqual([["1.3", "1.4"], "1.4", "1.5"]);
  expect(await read("&after=4")).toEqual([["1.5"], "1.5", "1.5"]);
  expect(await read("&after=1.5")).toEqual([[], "1.5", "1.5"]);
  expect(await (await gateway.get("/api/v2/events")).json()).toEqual({ lane: "chain", events: [], next: "1.0", head: "1.0" });
  for (const bad of ["lane=x", "after=x", "after=1.2.3", "limit=0", "limit=1001"]) {
    expect([bad, (await gateway.get(`/api/v2/events?${bad}`)).status]).toEqual([bad, 400]);
  }
});

test("server-sent events: a cursor, replay and then live without a seam, ids that resume", async () => {
  gateway.node.finalize();
  gateway.node.finalize();
  const stream = await openSse("?after=1.1");
  const replayed = await stream.next();
  expect(replayed).toMatchObject({ id: "chain.1.2" });
  expect(JSON.parse(replayed?.data ?? "")).toMatchObject({
    lane: "chain",
    sequence: 2,
    cursor: "1.2",
    type: "block.finalized",
    payload: { height: 2 },
  });
  gateway.node.finalize();
  gateway.node.finalize();
  expect([(await stream.next())?.id, (await stream.next())?.id]).toEqual(["chain.1.3", "chain.1.4"]);
  await stream.cancel();
  await untilStreams(0);
  const resumed = await openSse("?after=1.1", { "last-event-id": "chain.1.3" });
  expect((await resumed.next())?.id).toBe("chain.1.4");
  await resumed.cancel();
  await untilStreams(0);
  expect(endsOf()).toEqual(["client", "client"]);
});

test("server-sent events: no cursor, only what comes from now on", async () => {
  gateway.node.append("crit", "old");
  const stream = await openSse("?lane=crit");
  gateway.node.append("chain", "elsewhere");
  gateway.node.append("crit", "new");
  expect(JSON.parse((await stream.next())?.data ?? "")).toMatchObject({ lane: "crit", type: "new" });
  await stream.cancel();
  await untilStreams(0);
});

test("server-sent events: a long replay read by several at once, each gets every event once and in order", async () => {
  for (let i = 0; i < 1_000; i++) gateway.node.append("ops", `t${i}`);
  const streams = await Promise.all(["1.0", "1.0", "1.400"].map((after) => openSse(`?lane=ops&after=${after}`)));
  gateway.node.append("ops", "last");
  for (const [i, stream] of streams.entries()) {
    for (let sequence = i === 2 ? 401 : 1; sequence <= 1_001; sequence++) expect((await stream.next())?.id).toBe(`ops.1.${sequence}`);
  }
  await Promise.all(streams.map((stream) => stream.cancel()));
  await untilStreams(0);
});

test("server-sent events: nothing happens, heartbeats by the timer", async () => {
  const stream = await openSse();
  await untilStreams(1);
  const beat = async (): Promise<void> => {
    const met = stream.nextHeartbeat();
    gateway.time.advance(15_000);
    await met;
  };
  const opening = stream.next();
  gateway.node.finalize();
  await opening;
  await untilIdle();
  await beat();
  await untilIdle();
  await beat();
  await stream.cancel();
  await untilStreams(0);
});

/** Resolves when the stream's next page has been asked for: stall timer gone, heartbeat armed. */
async function untilIdle(): Promise<void> {
  for (let i = 0; i < 20; i++) await gateway.get("/livez");
}

test("server-sent events: a place whose events are gone, a gap is told before what is left", async () => {
  for (let i = 0; i < 5; i++) gateway.node.append("ops", `t${i}`);
  gateway.node.release("ops", 3);
  const stream = await openSse("?lane=ops&after=1.1");
  expect(await stream.next()).toEqual({ event: "gap", data: JSON.stringify({ lane: "ops", resumedAt: "1.4" }) });
  expect((await stream.next())?.id).toBe("ops.1.4");
  await stream.cancel();
  await untilStreams(0);
});

test("server-sent events: a Last-Event-ID of another lane or of nothing, malformed", async () => {
  for (const id of ["ops.1.3", "3", "chain.x"]) {
    expect([id, (await gateway.get("/api/v2/events/stream", { "last-event-id": id })).status]).toEqual([id, 400]);
  }
});

test("server-sent events: HEAD, the headers without a stream", async () => {
  const response = await fetch(`${gateway.url}/api/v2/events/stream`, { method: "HEAD" });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  await untilStreams(0);
});

test("server-sent events: a client that takes nothing, disconnected with the reason while others go on", async () => {
  const text = "x".repeat(64 * 1024);
  for (let i = 0; i < 200; i++) gateway.node.append("ops", "big", { text });
  const stalled = await openStalled("GET /api/v2/events/stream?lane=ops&after=1.0 HTTP/1.1\r\nHost: x\r\n\r\n");
  const reading = await openSse("?lane=ops&after=1.199");
  expect((await reading.next())?.id).toBe("ops.1.200");
  for (let i = 0; i < 100 && endsOf().length === 0; i++) {
    await gateway.get("/livez");
    gateway.time.advance(1_000);
  }
  expect(endsOf()).toEqual(["slowClient"]);
  gateway.node.append("ops", "after");
  expect((await reading.next())?.id).toBe("ops.1.201");
  stalled.destroy();
  await reading.cancel();
  await untilStreams(0);
});

test("streams: more than may be open, 503 and room again when one closes", async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => openSse()));
  const refused = await gateway.get("/api/v2/events/stream");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await refused.json()).toMatchObject({ code: "overloaded" });
  await open[0]?.cancel();
  await untilStreams(3);
  await (await openSse()).cancel();
  await Promise.all(open.slice(1).map((stream) => stream.cancel()));
  await untilStreams(0);
});

test("streams: reading the log fails, the stream ends with that reason and the defect is told", async () => {
  const stream = await openSse();
  await untilStreams(1);
  gateway.node.nextReadFailure = new Error("disk gone");
  gateway.node.finalize();
  expect(await stream.next()).toEqual({ event: "close", data: '{"reason":"internal"}' });
  expect(await stream.next()).toBeUndefined();
  expect(gateway.defects.splice(0)).toMatchObject([{ message: "disk gone" }]);
});

test("streams: shutdown, each stream ends with its reason and nothing is left", async () => {
  const stream = await openSse();
  const socket = await openSocket("");
  const closed = closeOf(socket);
  const stopped = gateway.gateway.stop();
  expect(await stream.next()).toEqual({ event: "close", data: '{"reason":"shutdown"}' });
  expect(await stream.next()).toBeUndefined();
  expect(await closed).toEqual({ code: 1001, reason: "shutdown" });
  await stopped;
  expect(endsOf()).toEqual(["shutdown", "shutdown"]);
});

async function openSocket(query: string, version = "v2"): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.url.replace("http", "ws")}/api/${version}/stream${query}`);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the socket did not open"));
  });
  return socket;
}

function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
}

/** The next `count` messages, parsed. */
function messagesOf(socket: WebSocket, count: number): Promise<unknown[]> {
  const messages: unknown[] = [];
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      messages.push(JSON.parse(String(data)));
      if (messages.length === count) resolve(messages);
    };
  });
}

test("socket: a cursor, replay and then live, each message an event", async () => {
  gateway.node.finalize();
  gateway.node.finalize();
  const socket = await openSocket("?after=1.0");
  const messages = messagesOf(socket, 3);
  gateway.node.finalize();
  expect(await messages).toMatchObject([
    { cursor: "1.1" },
    { cursor: "1.2" },
    { cursor: "1.3", type: "block.finalized", payload: { height: 3 } },
  ]);
  const closed = closeOf(socket);
  socket.close();
  await closed;
  await untilStreams(0);
  expect(endsOf()).toEqual(["client"]);
});

test("socket: a client that speaks, closed as a violation", async () => {
  const socket = await openSocket("");
  const closed = closeOf(socket);
  socket.send("hello");
  expect(await closed).toEqual({ code: 1008, reason: "this stream takes no messages" });
  await untilStreams(0);
});

test("socket: a request that is no handshake, 426 that says how", async () => {
  const refused = await gateway.get("/api/v2/stream");
  expect([refused.status, refused.headers.get("upgrade")]).toEqual([426, "websocket"]);
  expect(await refused.json()).toMatchObject({ code: "upgradeRequired" });
  const half = await gateway.get("/api/v2/stream", { upgrade: "websocket" });
  expect(half.status).toBe(426);
  await untilStreams(0);
});

test("socket: a page of another origin, refused; one of this origin, let in", async () => {
  expect(await shakeHands("v2", ["Origin: https://evil.example"])).toStartWith("HTTP/1.1 403");
  expect(await shakeHands("v2", ["Origin: http://x"])).toStartWith("HTTP/1.1 101");
  await untilStreams(0);
});

test("socket: more than may be open, the handshake is refused", async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => openSocket("")));
  expect(await openSocket("").catch((error: Error) => error.message)).toBe("the socket did not open");
  for (const socket of open) socket.close();
  await untilStreams(0);
});

test("socket: a client that takes nothing, cut off as slow", async () => {
  const text = "x".repeat(64 * 1024);
  for (let i = 0; i < 300; i++) gateway.node.append("ops", "big", { text });
  const stalled = await openStalled(`GET /api/v1/stream?lane=ops&after=1.0 HTTP/1.1\r\nHost: x\r\n${HANDSHAKE.join("\r\n")}\r\n\r\n`);
  for (let i = 0; i < 100 && endsOf().length === 0; i++) {
    await gateway.get("/livez");
    gateway.time.advance(1_000);
  }
  expect(endsOf()).toEqual(["slowClient"]);
  await untilStreams(0);
  gateway.time.advance(1_000);
  stalled.destroy();
});

test("socket: a client that pauses and takes on in time, gets everything and stays", async () => {
  const text = "x".repeat(64 * 1024);
  for (let i = 0; i < 200; i++) gateway.node.append("ops", "big", { text });
  const paused = await openStalled(`GET /api/v2/stream?lane=ops&after=1.0 HTTP/1.1\r\nHost: x\r\n${HANDSHAKE.join("\r\n")}\r\n\r\n`);
  await untilIdle();
  gateway.time.advance(29_000);
  const received = new Promise<void>((resolve) => {
    let tail = "";
    paused.on("data", (data) => {
      tail = (tail + data.toString("latin1")).slice(-2 * text.length);
      if (tail.includes('"cursor":"1.200"')) resolve();
    });
  });
  paused.resume();
  await received;
  await untilIdle();
  gateway.time.advance(14_000);
  expect(endsOf()).toEqual([]);
  paused.destroy();
  await untilStreams(0);
});

test("socket: v1, the upgrade carries the version's marks", async () => {
  const head = await shakeHands("v1", []);
  expect(head).toStartWith("HTTP/1.1 101");
  expect(head.toLowerCase()).toContain("\r\nsunset: ");
  await untilStreams(0);
});

/** What a bare handshake is answered with. */
function shakeHands(version: string, headers: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const lines = [`GET /api/${version}/stream HTTP/1.1`, "Host: x", ...HANDSHAKE, ...headers];
    const socket = connect(gateway.gateway.port, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
