import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateNameOf } from "../../../../../appliance/broker/doors/certificate-name.ts";
import { isOriginAllowed } from "../../../../../appliance/broker/doors/origin-rules.ts";
import { DoorCounts, type DoorPlan, type OpenDoors, openDoors } from "../../../../../appliance/broker/index.ts";
import { silentLog } from "../../../../../src/kernel/index.ts";
import { systemTimers } from "../../../../../src/node/ports.ts";
import { EchoBroker } from "./echo-broker.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const opened: OpenDoors[] = [];
const folder = mkdtempSync(join(tmpdir(), "bizra-doors-"));
afterAll(() => {
  for (const doors of opened) {
    doors.close();
    doors.closeAll();
  }
  rmSync(folder, { recursive: true, force: true });
});

function open(plan: DoorPlan) {
  const [broker, counts] = [new EchoBroker(), new DoorCounts()];
  const doors = openDoors(plan, { broker, timers: systemTimers, log: silentLog, counts });
  if (!doors.ok) throw new Error(doors.error.detail);
  opened.push(doors.value);
  return { broker, counts, doors: doors.value };
}

const portOf = (url: string | undefined): number => Number(new URL(url ?? "").port);

/** A client that sends bytes and collects what comes back until it has so many, or the connection ends. */
async function converse(port: number, bytes: Uint8Array, tls?: object): Promise<Uint8Array | "closed"> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | "closed">();
  const parts: Uint8Array[] = [];
  let [sent, got] = [0, 0];
  const push = (socket: Bun.Socket): void => {
    sent += Math.max(0, socket.write(bytes.subarray(sent)));
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    ...(tls ? { tls } : {}),
    socket: {
      open: (connected) => void (tls ? undefined : push(connected)),
      handshake: (connected) => push(connected),
      drain: push,
      data(_socket, chunk) {
        parts.push(chunk);
        got += chunk.length;
        if (got >= bytes.length) resolve(Buffer.concat(parts));
      },
      close: () => resolve("closed"),
      error: () => resolve("closed"),
    },
  }).catch(() => undefined);
  if (!socket) return "closed";
  const answer = await promise;
  socket.terminate();
  return answer;
}

const LARGE = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 7) & 0xff);

/** Certificates as an operator makes them; undefined without openssl. */
function makeCertificates() {
  const openssl = Bun.which("openssl");
  if (openssl === null) return undefined;
  const run = (...words: string[]): void => {
    if (!Bun.spawnSync([openssl, ...words], { cwd: folder }).success) throw new Error(`openssl ${words.join(" ")} failed`);
  };
  const key = (name: string) => run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  const self = (name: string) => {
    key(name);
    run("req", "-x509", "-new", "-key", `${name}.key`, "-out", `${name}.crt`, "-days", "30", "-subj", `/CN=${name}`);
  };
  const signed = (name: string, alternative: string) => {
    key(name);
    run("req", "-new", "-key", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternative}\n`);
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    run("x509", "-req", "-in", `${name}.csr`, ...by, "-days", "30", "-out", `${name}.crt`, "-extfile", `${name}.ext`);
  };
  self("ca");
  self("stranger");
  signed("localhost", "DNS:localhost,IP:127.0.0.1");
  signed("pump", "DNS:pump.local");
  return (name: string): string => readFileSync(join(folder, name), "utf8");
}

describe("doors", () => {
  test("doors: bytes over TCP, the same ones back, and the end told once", async () => {
    const { broker, counts, doors } = open({ tcp: LOOPBACK });
    expect(await converse(portOf(doors.urls.tcp), LARGE)).toEqual(Buffer.from(LARGE));
    expect(broker.transports[0]?.remote.address).toBe("127.0.0.1");
    expect(broker.transports[0]?.security).toEqual({ isEncrypted: false });
    while (broker.closed.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect([broker.closed.length, counts.count("tcp", "opened")]).toEqual([1, 1]);
  });

  test("doors: the engine refuses a connection, it is ended", async () => {
    const { broker, counts, doors } = open({ tcp: LOOPBACK });
    broker.refusal = "connectionsFull";
    expect(await converse(portOf(doors.urls.tcp), Uint8Array.of(1))).toBe("closed");
    expect(counts.count("tcp", "refused")).toBe(1);
  });

  test("doors: a port that is taken, said in a sentence and no door left open", () => {
    const { doors } = open({ tcp: LOOPBACK });
    const again = openDoors(
      { tcp: { host: "127.0.0.1", port: portOf(doors.urls.tcp) } },
      { broker: new EchoBroker(), timers: systemTimers, log: silentLog, counts: new DoorCounts() },
    );
    expect(again).toMatchObject({ ok: false, error: { code: "addressInUse", detail: expect.stringContaining("mqtt.listen") } });
  });

  test("doors: TLS, a client certificate names the device, a stranger's ends the connection", async () => {
    const file = makeCertificates();
    if (!file) {
      console.warn("doors: SKIPPED, there is no openssl here to make certificates with");
      return;
    }
    const server = { certificate: file("localhost.crt"), key: file("localhost.key"), clientAuthority: file("ca.crt") };
    const plan = (isClientCertificateRequired: boolean): DoorPlan => ({
      tls: { address: LOOPBACK, identity: { ...server, isClientCertificateRequired } },
    });
    const { broker, counts, doors } = open(plan(false));
    const port = portOf(doors.urls.tls);
    const trust = { ca: file("ca.crt"), serverName: "localhost" };
    expect(await converse(port, LARGE, { ...trust, cert: file("pump.crt"), key: file("pump.key") })).toEqual(Buffer.from(LARGE));
    expect(await converse(port, Uint8Array.of(1), trust)).toEqual(Buffer.of(1));
    expect(broker.transports.map(({ security }) => security)).toEqual([
      { isEncrypted: true, certificateName: "pump" },
      { isEncrypted: true },
    ]);
    expect(await converse(port, Uint8Array.of(1), { ...trust, cert: file("stranger.crt"), key: file("stranger.key") })).toBe("closed");
    expect(counts.count("tls", "certificateRefused")).toBe(1);
    expect(await converse(port, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"))).toBe("closed");
    const strict = open(plan(true));
    expect(await converse(portOf(strict.doors.urls.tls), Uint8Array.of(1), trust)).toBe("closed");
    expect([strict.broker.transports.length, strict.counts.count("tls", "certificateRefused")]).toEqual([0, 1]);
  });

  test("doors: WebSocket, binary messages of the sub-protocol mqtt; anything else refused", async () => {
    const { broker, counts, doors } = open({ webSocket: { address: LOOPBACK, origins: [] } });
    const url = doors.urls.webSocket ?? "";
    const talk = (protocols: string[], message: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      new Promise<string>((resolve) => {
        const socket: WebSocket = Reflect.construct(WebSocket, [url, { protocols, headers }]); // headers are the runtime's own addition
        socket.binaryType = "arraybuffer";
        socket.onopen = () => socket.send(message);
        socket.onmessage = ({ data }) => {
          resolve(`${socket.protocol} ${new Uint8Array(data as ArrayBuffer).join()}`);
          socket.close();
        };
        socket.onclose = ({ code }) => resolve(`closed ${code}`);
      });
    expect(await talk(["mqtt"], Uint8Array.of(1, 2))).toBe("mqtt 1,2");
    expect(broker.transports[0]?.security).toEqual({ isEncrypted: false });
    expect(await talk(["mqtt"], "text")).toBe("closed 1003");
    expect(await talk(["other"], Uint8Array.of(1))).toStartWith("closed");
    expect(await talk(["mqtt"], Uint8Array.of(1), { origin: "https://evil.example" })).toStartWith("closed");
    expect(counts.count("webSocket", "originRefused")).toBe(1);
    const http = url.replace("ws:", "http:");
    expect([(await fetch(http)).status, (await fetch(http.replace("/mqtt", "/x"))).status]).toEqual([426, 404]);
  });
});

describe("doors: clients that read nothing", () => {
  const PIECE = new Uint8Array(256 * 1024);
  const BOUND = 6 * 1024 * 1024;

  /** Bytes that are held, as the metrics have them. */
  const heldBy = (counts: DoorCounts): number => {
    const [sample] = counts.collect().find(({ name }) => name === "bizra_mqtt_door_held_bytes")?.samples ?? [];
    return sample !== undefined && "value" in sample ? Number(sample.value) : Number.NaN;
  };

  /** Writes until so much is held; the kernel takes some megabytes first. */
  async function holdUpTo(broker: EchoBroker, index: number, bytes: number, counts: DoorCounts): Promise<void> {
    for (let pieces = 0; heldBy(counts) < bytes && pieces < 400; pieces++) {
      broker.transports[index]?.write(PIECE);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(heldBy(counts)).toBeGreaterThanOrEqual(bytes);
  }

  /** `dial` opens a connection that says one byte and reads nothing. */
  async function expectOldestEnded(kind: "tcp" | "webSocket", plan: DoorPlan, dial: (urls: OpenDoors["urls"]) => Promise<unknown>) {
    const { broker, counts, doors } = open({ ...plan, outgoingBytesMax: BOUND });
    for (let n = 1; n <= 2; n++) {
      await dial(doors.urls);
      while (broker.transports.length < n) await new Promise((resolve) => setImmediate(resolve));
    }
    await holdUpTo(broker, 0, BOUND / 2, counts);
    expect(counts.count(kind, "outgoingFull")).toBe(0);
    for (let pieces = 0; counts.count(kind, "outgoingFull") === 0 && pieces < 400; pieces++) {
      broker.transports[1]?.write(PIECE);
      expect(heldBy(counts)).toBeLessThanOrEqual(BOUND);
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (broker.closed.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect([broker.closed.map((transport) => broker.transports.indexOf(transport)), counts.count(kind, "outgoingFull")]).toEqual([[0], 1]);
  }

  test("doors: two over TCP, beyond the bound of all the one that is silent for longer is ended, the other stays", async () => {
    await expectOldestEnded("tcp", { tcp: LOOPBACK }, async ({ tcp }) => {
      const silent = await Bun.connect({ hostname: "127.0.0.1", port: portOf(tcp), socket: { data: () => {} } });
      silent.pause();
    });
  });

  test("doors: two over WebSocket, what the runtime holds for them counts too", async () => {
    await expectOldestEnded("webSocket", { webSocket: { address: LOOPBACK, origins: [] } }, async ({ webSocket }) => {
      const { host } = new URL(webSocket ?? "");
      const silent = await Bun.connect({ hostname: "127.0.0.1", port: portOf(webSocket), socket: { data: () => {} } });
      const key = "dGhlIHNhbXBsZSBub25jZQ==";
      const upgrade = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Key: ${key}`, "Sec-WebSocket-Version: 13"];
      silent.write(["GET /mqtt HTTP/1.1", `Host: ${host}`, ...upgrade, "Sec-WebSocket-Protocol: mqtt", "", ""].join("\r\n"));
      silent.pause();
    });
  });
});

test("doors: origins of pages, let in from this machine, the address dialled, or the list", () => {
  const judge = (origin: string | null, host = "192.0.2.9:8080") => isOriginAllowed(origin, host, ["https://plant.example"]);
  expect([null, "http://localhost:3000", "http://127.0.0.1", "http://192.0.2.9", "https://plant.example"].map((o) => judge(o))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(["https://evil.example", "null", "http://192.0.2.8", "https://plant.example.evil"].map((o) => judge(o))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect(judge("http://rebound.example", "rebound.example")).toBe(false);
});

test("doors: names in certificates, the one common name, else the first DNS name", () => {
  const name = (subject: object | undefined, subjectaltname?: string) =>
    certificateNameOf({ ...(subject ? { subject: subject as never } : {}), ...(subjectaltname ? { subjectaltname } : {}) });
  expect(name({ CN: "pump" }, "DNS:other")).toBe("pump");
  expect(name({}, "URI:x:y, DNS:pump-2, DNS:z")).toBe("pump-2");
  expect([name({ CN: ["a", "b"] }), name({}), name(undefined)]).toEqual([undefined, undefined, undefined]);
});
