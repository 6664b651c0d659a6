import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { Certificates } from "../integration/telemetry/certificates.ts";
import { BINARY, bizra, bizraJson, cleanEnvironment, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { addressOf, newKeys, readKeys, transferBody } from "./support/independent-client.ts";
import { findMosquitto } from "./support/mosquitto.ts";
import { doorsOf, MqttDevice, Signer } from "./support/mqtt-device.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

/** Installing packages where there are none takes minutes. */
const SETUP_LIMIT_MS = 300_000;

const place = new Workplace();
const certificates = Certificates.make();
const mosquitto = await findMosquitto();
let net: Testnet;
let node: NodeProcess;
let network: string;
let signer: Signer;
let doors: { tcp: string; tls: string; webSocket: string };

beforeAll(async () => {
  net = await makeTestnet(place.at("net"), 1, ["--mqtt"]);
  network = net.hash.toString("hex").slice(0, 8);
  const tls = certificates?.issue("localhost");
  const words = tls
    ? ["--mqtt-tls-listen", "127.0.0.1:0", "--mqtt-certificate", tls.certificate, "--mqtt-key", tls.key, "--mqtt-client-ca", tls.ca]
    : [];
  node = await place.start(homeOf(net), { words: [...words, "--mqtt-web-socket-listen", "127.0.0.1:0"] });
  doors = await doorsOf(node);
  signer = await Signer.of(readKeys(net.accounts["alice"] ?? ""), net.hash, node);
}, SETUP_LIMIT_MS);

afterAll(async () => {
  await place.end();
  certificates?.end();
});

const submitTopic = (name: string): string => `bizra/v1/${network}/tx/${name}/submit`;

/** Proves a receipt's bundle by the command that shares no process with the node, against the genesis file alone. */
async function expectProven(id: string, proof: string | undefined): Promise<void> {
  const file = place.at(`${id}.proof`);
  writeFileSync(file, Buffer.from(proof ?? "", "base64"));
  expect((await bizra("proof", "verify", file, "--genesis", net.genesis, "--id", id)).out).toContain("applied");
}

async function connect(name: string, options: Parameters<typeof MqttDevice.connect>[3] = {}, url = doors.tcp): Promise<MqttDevice> {
  const device = await MqttDevice.connect(url, network, name, options);
  place.keep(device);
  return device;
}

describe("a device by mqtt.js", () => {
  for (const protocolVersion of [5, 4] as const) {
    test(`e2e mqtt: an anchor over protocol ${protocolVersion}, acknowledged, accepted, final with a proof; again, the same`, async () => {
      const device = await connect(`pump-${protocolVersion}`, { protocolVersion });
      await device.listen();
      const { encoded, id } = signer.sign();
      expect(await device.submit(encoded)).toMatchObject({ reason: 0 });
      const status = await node.get(`/api/v2/transactions/${id}`);
      expect(["accepted", "final"]).toContain(String(status["status"]));
      const final = await device.receipt((receipt) => receipt.id === id && receipt.status === "final");
      expect(final).toMatchObject({ code: "applied", topic: device.receiptTopic });
      await expectProven(id, final.proof);
      device.receipts.length = 0;
      expect(await device.submit(encoded)).toMatchObject({ reason: 0 });
      expect(await device.receipt(({ status: told }) => told === "final")).toMatchObject({ id, height: final.height, index: final.index });
      expect(device.receipts.map(({ status: told }) => told)).toEqual(["final"]);
      await device.end();
    }, 240_000);
  }

  test("e2e mqtt: Response Topic, Correlation Data and CBOR, honoured; another's topic refused", async () => {
    const device = await connect("valve");
    await device.listen(`${device.receiptTopic}/#`);
    const properties = { responseTopic: `${device.receiptTopic}/mine`, correlationData: Buffer.from("no. 7") };
    const { encoded, id } = signer.sign();
    await device.submit(encoded, { properties });
    const final = await device.receipt((receipt) => receipt.status === "final");
    expect(final).toMatchObject({ id, topic: properties.responseTopic, correlation: "no. 7", contentType: "application/json" });
    await device.submit(signer.sign().encoded, { properties: { contentType: "application/cbor" } });
    expect(await device.receipt(({ status }) => status === "cbor")).toMatchObject({ contentType: "application/cbor" });
    const stolen = signer.sign();
    for (const responseTopic of [`bizra/v1/${network}/tx/pump-5/receipt`, `bizra/v1/${network}/node/x/status`, "homeassistant/status"]) {
      expect(await device.submit(stolen.encoded, { properties: { responseTopic } })).toMatchObject({ reason: 0x87, text: "notAuthorized" });
    }
    expect(await device.submit(stolen.encoded)).toMatchObject({ reason: 0 });
    await device.end();
  }, 240_000);

  test("e2e mqtt: a sequence at QoS 2 and one at QoS 0, a receipt for each transaction", async () => {
    const device = await connect("meter");
    await device.listen();
    const batch = Array.from({ length: 5 }, () => signer.sign());
    expect(await device.submit(Buffer.concat(batch.map(({ encoded }) => encoded)), { qos: 2 })).toMatchObject({ reason: 0 });
    for (const [position, { id }] of batch.entries()) {
      expect(await device.receipt((receipt) => receipt.id === id && receipt.status === "final")).toMatchObject({ position });
    }
    const { encoded, id } = signer.sign();
    await device.client.publishAsync(submitTopic("meter"), encoded, { qos: 0 });
    await device.receipt((receipt) => receipt.id === id && receipt.status === "final");
    await device.client.publishAsync(submitTopic("meter"), Buffer.from("none"), { qos: 0 });
    expect(await device.receipt(({ status }) => status === "rejected")).toMatchObject({ code: "malformed" });
    await device.end();
  }, 240_000);

  test("e2e mqtt: refusals, each with its reason code and a receipt; 3.1.1 is acknowledged and reads the receipt", async () => {
    const alice = readKeys(net.accounts["alice"] ?? "");
    const stranger = await Signer.of(newKeys(), net.hash, node);
    const good = signer.sign();
    const [device, old] = [await connect("refused-5"), await connect("refused-4", { protocolVersion: 4 })];
    await device.submit(good.encoded);
    const account = await node.get(`/api/v2/accounts/${addressOf(alice.publicKey)}`);
    const nonce = BigInt(String(account["pendingNonce"])) + 5n; // free, and within the gap
    const forged = Buffer.from(signer.sign({ nonce }).encoded);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const refused: readonly (readonly [string, number, Buffer])[] = [
      ["malformed", 0x99, Buffer.from("d284", "hex")],
      ["malformed", 0x99, Buffer.alloc(0)],
      ["badSignature", 0x83, forged],
      ["unknownSender", 0x83, stranger.sign().encoded],
      ["insufficientFunds", 0x83, signer.sign({ nonce, type: 1, body: transferBody(alice.publicKey, 2n ** 62n) }).encoded],
      ["feeTooLow", 0x83, signer.sign({ nonce, fee: 1n }).encoded],
      ["expired", 0x83, signer.sign({ nonce, validUntil: 0n }).encoded],
      ["validityTooLong", 0x83, signer.sign({ nonce, validUntil: 2n ** 60n }).encoded],
      ["nonceTooLow", 0x83, signer.sign({ nonce: 0n }).encoded],
      ["nonceTooHigh", 0x83, signer.sign({ nonce: 2n ** 40n }).encoded],
      ["tooLarge", 0x83, Buffer.concat([Buffer.from("5a00020000", "hex"), Buffer.alloc(0x20000)])],
    ];
    await device.listen();
    await old.listen();
    for (const [code, reason, payload] of refused) {
      device.receipts.length = 0;
      old.receipts.length = 0;
      expect([code, await device.submit(payload)]).toEqual([code, { reason, text: code, retryAfter: undefined }]);
      expect(await device.receipt(({ status }) => status === "rejected")).toMatchObject({ code });
      expect([code, (await old.submit(payload))?.reason]).toEqual([code, 0]);
      expect(await old.receipt(({ status }) => status === "rejected")).toMatchObject({ code });
    }
    expect(
      await device.client.publishAsync(submitTopic("pump-5"), good.encoded, { qos: 1 }).catch((error: Error) => error.message),
    ).toContain("Not authorized");
    await expect(device.listen(`bizra/v1/${network}/tx/pump-5/receipt`)).rejects.toThrow();
    await device.end();
    await old.end();
  }, 240_000);

  test("e2e mqtt: no room for more receipts, MQTT 5 told when to come again, 3.1.1 cut off unanswered", async () => {
    const small = await makeTestnet(place.at("small"), 1, ["--mqtt"]);
    const full = await place.start(homeOf(small), { words: ["--mqtt-receipts-max", "1"] });
    const tcp = (await doorsOf(full)).tcp;
    const name = small.hash.toString("hex").slice(0, 8);
    const own = await Signer.of(readKeys(small.accounts["alice"] ?? ""), small.hash, full);
    const two = Buffer.concat([own.sign().encoded, own.sign().encoded]);
    const device = place.keep(await MqttDevice.connect(tcp, name, "crowded"));
    expect(await device.submit(two)).toEqual({ reason: 0x97, text: "quotaExceeded", retryAfter: "1" });
    const old = place.keep(await MqttDevice.connect(tcp, name, "crowded-4", { protocolVersion: 4 }));
    expect(await old.submit(two)).toBeUndefined();
    await device.end();
    expect(await full.stop()).toBe(0);
  }, 240_000);

  test("e2e mqtt: a device away when its transaction becomes final, handed the receipt when it returns", async () => {
    const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } };
    let id = "";
    for (let tries = 0; id === ""; tries++) {
      expect(tries).toBeLessThan(50);
      const device = await connect("sleeper", lasting);
      await device.listen();
      const signed = signer.sign();
      await device.submit(signed.encoded);
      await device.end();
      // Whoever is slow to leave has its last receipt already: it comes back and submits another one.
      if (!device.receipts.some((receipt) => receipt.id === signed.id && receipt.status === "final")) id = signed.id;
    }
    expect((await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=20000`))["status"]).toBe("final");
    const again = await connect("sleeper", lasting);
    const final = await again.receipt((receipt) => receipt.id === id && receipt.status === "final");
    await expectProven(id, final.proof);
    await again.end();
  }, 240_000);

  test("e2e mqtt: over WebSocket, as over TCP; a page from elsewhere turned away", async () => {
    const trust = certificates ? { ca: readFileSync(certificates.issue("trusted").ca) } : {};
    const device = await connect("browser", trust, doors.webSocket);
    await device.listen();
    const { encoded, id } = signer.sign();
    expect(await device.submit(encoded)).toMatchObject({ reason: 0 });
    await device.receipt((receipt) => receipt.id === id && receipt.status === "final");
    await device.end();
    const headers = { origin: "https://evil.example" };
    await expect(connect("evil", { ...trust, wsOptions: { ...trust, headers } }, doors.webSocket)).rejects.toThrow();
  }, 240_000);
});

describe("who may come in", () => {
  test("e2e mqtt: users by password and token, listed while the node runs; removed ones are cut off", async () => {
    const home = homeOf(net);
    const child = Bun.spawn([BINARY, "mqtt", "user", "add", "keeper", "--home", home], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: cleanEnvironment(),
    });
    child.stdin.write("correct horse\n");
    child.stdin.end();
    expect(await child.exited).toBe(0);
    const { token } = await bizraJson("mqtt", "user", "add", "reader", "--role", "reader", "--token", "--home", home);
    expect(readFileSync(`${home}/mqtt-access.json`, "utf8")).not.toContain(String(token));
    const login = async (username: string, password: string): Promise<MqttDevice> => {
      const deadline = performance.now() + 60_000;
      for (;;) {
        try {
          return await connect(`any-${username}`, { username, password });
        } catch (error) {
          if (performance.now() > deadline) throw error;
          await Bun.sleep(600); // the node looks at the file once a second, and slows failures
        }
      }
    };
    const keeper = await login("keeper", "correct horse");
    const own = await connect("keeper-2", { username: "keeper", password: "correct horse" });
    await own.client.subscribeAsync(`bizra/v1/${network}/tx/keeper/receipt`);
    expect(await own.client.publishAsync(submitTopic("keeper"), signer.sign().encoded, { qos: 1 })).toBeDefined();
    await expect(connect("wrong", { username: "keeper", password: "wrong horse" })).rejects.toThrow(/Not authorized|Bad/i);
    await expect(connect("keeper")).rejects.toThrow(); // the name of a user, claimed without its login
    const reader = await login("reader", String(token));
    await reader.client.subscribeAsync(`bizra/v1/${network}/node/+/status`);
    await expect(reader.client.publishAsync(submitTopic("reader"), Buffer.from("x"), { qos: 1 })).rejects.toThrow("Not authorized");
    const gone = new Promise((resolve) => keeper.client.once("close", () => resolve(undefined)));
    expect((await bizra("mqtt", "user", "remove", "keeper", "--home", home)).code).toBe(0);
    await gone;
    expect((await bizraJson("mqtt", "user", "list", "--home", home))["users"]).toEqual([{ name: "reader", role: "reader", by: "token" }]);
  }, 240_000);

  test.skipIf(certificates === undefined)(
    "e2e mqtt: a client certificate names the device; one of another authority is cut off",
    async () => {
      const [mine, other] = [certificates?.issue("boiler"), Certificates.make()];
      if (!mine || !other) throw new Error("there was openssl a moment ago");
      const tlsOf = (files: { ca: string; certificate: string; key: string }, ca = mine.ca) => ({
        ca: readFileSync(ca),
        cert: readFileSync(files.certificate),
        key: readFileSync(files.key),
      });
      const device = await MqttDevice.connect(doors.tls, network, "boiler", { ...tlsOf(mine), clientId: "some-client" });
      await device.listen();
      const { encoded, id } = signer.sign();
      expect(await device.submit(encoded)).toMatchObject({ reason: 0 });
      await expectProven(id, (await device.receipt((receipt) => receipt.id === id && receipt.status === "final")).proof);
      await device.end();
      await expect(MqttDevice.connect(doors.tls, network, "thief", tlsOf(other.issue("boiler")))).rejects.toThrow();
      other.end();
    },
    30_000,
  );
  if (certificates === undefined) console.warn("SKIPPED mqtt.test.ts, TLS: no openssl here to make certificates with");
});

describe.skipIf("reason" in mosquitto)("mosquitto's clients", () => {
  for (const version of ["mqttv311", "mqttv5"]) {
    test(`e2e mqtt: an anchor by mosquitto_pub in ${version}, its receipts by mosquitto_sub`, async () => {
      if ("reason" in mosquitto) return;
      const name = `mosquitto-${version}`;
      const { token } = await bizraJson("mqtt", "user", "add", name, "--token", "--home", homeOf(net));
      await accessTakenUp();
      const at = ["-h", "127.0.0.1", "-p", new URL(doors.tcp).port, "-V", version, "-u", name, "-P", String(token), "-q", "1"];
      const topic = `bizra/v1/${network}/tx/${name}/receipt`;
      // A session that lasts is made first, so that nothing is missed between publishing and subscribing.
      const session = ["-i", `${name}-reader`, "-c", ...(version === "mqttv5" ? ["-x", "600"] : [])];
      await finish([mosquitto.subscribe, ...at, ...session, "-t", topic, "-E"]);
      const { encoded, id } = signer.sign();
      writeFileSync(place.at(name), encoded);
      await finish([mosquitto.publish, ...at, "-i", `${name}-writer`, "-t", submitTopic(name), "-f", place.at(name)]);
      const said = await finish([mosquitto.subscribe, ...at, ...session, "-t", topic, "-C", "2", "-W", "15"]);
      const receipts = said
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { id: string; status: string; proof?: string });
      expect(receipts.map((receipt) => [receipt.id, receipt.status])).toEqual([
        [id, "accepted"],
        [id, "final"],
      ]);
      await expectProven(id, receipts[1]?.proof);
    }, 240_000);
  }
});
if ("reason" in mosquitto) console.warn(`SKIPPED mqtt.test.ts, mosquitto's clients: ${mosquitto.reason}`);

/** Resolves when the running node has taken up the access file as it is now: it says so in its log. */
async function accessTakenUp(): Promise<void> {
  const users = ((await bizraJson("mqtt", "user", "list", "--home", homeOf(net)))["users"] as unknown[]).length;
  const isTaken = (): boolean =>
    node.output
      .split("\n")
      .findLast((line) => line.includes('"mqtt.accessChanged"'))
      ?.includes(`"users":${users},`) ?? false;
  for (const deadline = performance.now() + 60_000; !isTaken() && performance.now() < deadline; ) await Bun.sleep(50);
}

async function finish(words: readonly string[]): Promise<string> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 120_000 });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} failed: ${err}${out}`);
  return out;
}
