/** A whole node that tells a real mosquitto over TLS with a client certificate, and hears signed commands there. */
import { afterEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { METRICS, sendCommand, signCommand } from "../../../appliance/telemetry/index.ts";
import { createNetwork } from "../../../src/cli/network-files.ts";
import { localSigner, sha256 } from "../../../src/crypto/index.ts";
import { type Log, Prng, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import {
  type NodeControls,
  openSetup,
  type RunningNode,
  StartRefused,
  startNode,
  systemClock,
  systemEntropy,
  systemTimers,
} from "../../../src/node/index.ts";
import { networkIdOf } from "../../../src/protocol/index.ts";
import { faultsOf } from "../../unit/telemetry/cloud-event-rules.ts";
import { discoveryFaultsOf } from "../../unit/telemetry/home-assistant-rules.ts";
import { captureBirth, captureEntities } from "./capture.ts";
import { Certificates } from "./certificates.ts";
import { findMosquitto, Mosquitto, type TlsFiles } from "./mosquitto.ts";
import { jsonSeen, Observer } from "./observer.ts";

const found = await findMosquitto();
const program = "path" in found && Bun.which("openssl") !== null ? found.path : undefined;
if (program === undefined) console.warn(`SKIPPED telemetry of a node: ${"reason" in found ? found.reason : "no openssl here"}`);
const withBroker = test.skipIf(program === undefined);

const admin = localSigner(sha256(utf8("fleet admin")));
const viewer = localSigner(sha256(utf8("fleet viewer")));

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function makeHome(): Promise<{ readonly home: string; readonly chainId: Uint8Array }> {
  const folder = mkdtempSync(join(tmpdir(), "bizra-telemetry-"));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  const random = new Prng(folder.length);
  const plan = {
    directory: join(folder, "net"),
    chainName: "telemetry",
    validators: 1,
    timeMs: Date.now(),
    settingsOf: () => ({ "http.listen": "127.0.0.1:0" }),
  };
  const files = await createNetwork(plan, { bytes: (count) => random.bytes(count) });
  return { home: files.homes[0] ?? "", chainId: files.genesisHash };
}

async function start(
  home: string,
  flags: Readonly<Record<string, string>>,
  controls: NodeControls = {},
  log: Log = silentLog,
): Promise<RunningNode> {
  const node = await startNode(await openSetup(home, { "node-id": "box-1", ...flags }, () => Promise.resolve(undefined)), log, controls);
  endings.push(() => node.stop());
  return node;
}

type World = {
  readonly home: string;
  readonly chainId: Uint8Array;
  readonly observer: Observer;
  readonly flags: Readonly<Record<string, string>>;
  readonly url: string;
  readonly client: TlsFiles;
};

async function makeWorld(): Promise<World> {
  const certificates = Certificates.make();
  if (certificates === undefined) throw new Error("openssl is here");
  endings.push(() => certificates.end());
  const broker = await Mosquitto.start(program ?? "", certificates.issue("broker"));
  endings.push(() => broker.end());
  const { home, chainId } = await makeHome();
  const own = certificates.issue("box-1");
  for (const name of ["ca", "certificate", "key"] as const) cpSync(own[name], join(home, `${name}.pem`));
  const url = `mqtts://127.0.0.1:${broker.port}`;
  const client = certificates.issue("observer");
  const observer = await Observer.connect(url, tlsOf(client));
  endings.push(() => observer.end());
  const flags = {
    "telemetry-url": url,
    "telemetry-ca-file": "ca.pem",
    "telemetry-certificate-file": "certificate.pem",
    "telemetry-key-file": "key.pem",
    "telemetry-fleet-keys": `admin:${toHex(admin.publicKey)},viewer:${toHex(viewer.publicKey)}`,
  };
  return { home, chainId, observer, flags, url, client };
}

function tlsOf({ ca, certificate, key }: TlsFiles) {
  return { ca: readFileSync(ca, "utf8"), cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
}

/** Signs and sends a command as the fleet does; gives the answer's status or code. */
async function command(
  { chainId, url, client }: World,
  signer: typeof admin,
  verb: string,
  args: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { ca, cert, key } = tlsOf(client);
  const signed = signCommand(signer, {
    chainId,
    node: "box-1",
    verb,
    args,
    issuedAtMs: systemClock.nowMs(),
    validityMs: 60_000,
    id: systemEntropy.bytes(16),
  });
  const answer = await sendCommand({
    address: { url, version: "5", clientId: "fleet", ca, certificate: cert, key },
    timers: systemTimers,
    entropy: systemEntropy,
    log: silentLog,
    name: { network: networkIdOf(chainId), node: "box-1" },
    verb,
    signed,
    answersTo: "fleet",
    limitMs: 60_000,
  });
  return answer.ok ? String(answer.value["code"] ?? answer.value.status) : answer.error;
}

describe("telemetry of a node over TLS", () => {
  withBroker(
    "node: one certificate and three settings, every view of it is at the broker as outside tools read it",
    async () => {
      const world = await makeWorld();
      const { observer } = world;
      await start(world.home, world.flags);
      const wanted = [/\/status$/, /\/info$/, /\/head$/, /\/health$/, /\/metrics$/, /\/events\//, /NBIRTH/, /^homeassistant\//];
      await observer.until(() => wanted.every((topic) => observer.on(topic).length > 0), "every view");
      expect(jsonSeen(observer.on(/\/status$/)[0])["status"]).toBe("online");
      expect(jsonSeen(observer.on(/\/info$/)[0])).toMatchObject({ node: "box-1", chainId: toHex(world.chainId), role: "validator" });
      expect(observer.on(/\/events\//).flatMap((message) => faultsOf(jsonSeen(message)))).toEqual([]);
      const [discovery] = observer.on(/^homeassistant\//);
      expect(discoveryFaultsOf(discovery?.topic ?? "", jsonSeen(discovery))).toEqual([]);
      const entities = captureEntities(observer);
      expect(entities.find(({ name }) => name === "Connection")?.state).toBe("online");
      expect(entities.find(({ name }) => name === "Chain Voting")?.state).toBe("voting");
      expect(Number(entities.find(({ name }) => name === "Process Memory")?.state)).toBeGreaterThan(10_000_000);
      const [birth] = observer.on(/NBIRTH/);
      const metrics = birth ? captureBirth(birth) : [];
      expect(metrics.length).toBe(2 + Object.keys(METRICS).length);
      expect(metrics.find(({ name }) => name === "Health/Ready")?.value).toBe("true");
      expect(Number(metrics.find(({ name }) => name === "Storage/Free")?.value)).toBeGreaterThan(0);
    },
    240_000,
  );

  withBroker(
    "command: ping, report, rebirth and logLevel do what they say; a viewer and an unsupervised restart are refused",
    async () => {
      const world = await makeWorld();
      const { observer } = world;
      const levels: string[] = [];
      const node = await start(world.home, world.flags, { setLogLevel: (level) => levels.push(level) });
      await observer.until(() => observer.on(/NBIRTH/).length === 1 && observer.on(/\/status$/).length === 1, "a birth");
      expect(await command(world, viewer, "ping")).toBe("done");
      const reports = observer.on(/\/metrics$/).length;
      expect(await command(world, viewer, "report")).toBe("done");
      await observer.until(() => observer.on(/\/metrics$/).length > reports, "a report");
      expect(jsonSeen(observer.on(/\/metrics$/).at(-1))["isHeartbeat"]).toBe(true);
      expect(await command(world, admin, "rebirth")).toBe("done");
      await observer.until(() => observer.on(/NBIRTH/).length === 2, "another birth");
      expect(await command(world, admin, "logLevel", { level: "debug" })).toBe("done");
      expect(levels).toEqual(["debug"]);
      expect(await command(world, admin, "logLevel", { level: "loud" })).toBe("badArguments");
      expect(await command(world, viewer, "rebirth")).toBe("notAuthorized");
      expect(await command(world, admin, "restart")).toBe("notSupervised");
      const answer = await fetch(`${node.http}/api/v2/events?lane=crit&after=1.0&limit=100`);
      const text = await answer.text();
      expect(text).toContain('"action":"command.ping"');
      expect(text).toContain('"outcome":"refused"');
      const metrics = await (await fetch(`${node.http}/metrics`)).text();
      expect(metrics).toContain('bizra_telemetry_connected{broker="outside"} 1');
    },
    240_000,
  );

  withBroker(
    "command: restart where somebody supervises, answered before the node is asked to end",
    async () => {
      const world = await makeWorld();
      const asked = Promise.withResolvers<string>();
      await start(world.home, world.flags, { end: asked.resolve });
      await world.observer.until(() => world.observer.on(/\/status$/).length === 1, "a connection");
      expect(await command(world, admin, "restart")).toBe("done");
      expect(await asked.promise).toContain("restart");
    },
    240_000,
  );

  withBroker(
    "node: a client certificate of another authority, not let in; the node runs all the same and says why",
    async () => {
      const world = await makeWorld();
      const other = Certificates.make();
      if (other === undefined) throw new Error("openssl is here");
      endings.push(() => other.end());
      const stranger = other.issue("stranger");
      cpSync(stranger.certificate, join(world.home, "certificate.pem"));
      cpSync(stranger.key, join(world.home, "key.pem"));
      const told = Promise.withResolvers<string>();
      const log: Log = {
        ...silentLog,
        warn: (event, fields) => event === "telemetry.disconnected" && told.resolve(String(fields?.["reason"])),
      };
      const node = await start(world.home, world.flags, {}, log);
      expect(await told.promise).not.toBe("");
      expect((await fetch(`${node.http}/readyz`)).status).toBe(200);
      expect(world.observer.seen.filter(({ topic }) => topic.includes("box-1"))).toEqual([]);
    },
    240_000,
  );

  test("node: a telemetry.db that is damaged, set aside and begun anew; the vital lane says so and the node runs", async () => {
    const { home } = await makeHome();
    const flags = { "telemetry-url": "mqtt://127.0.0.1:1" };
    await (await startNode(await openSetup(home, flags, () => Promise.resolve(undefined)), silentLog)).stop();
    const file = join(home, "telemetry.db");
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 1_500, 1_600);
    writeFileSync(file, bytes);
    const node = await start(home, flags);
    const answer = await (await fetch(`${node.http}/api/v2/events?lane=crit&after=1.0&limit=100`)).text();
    expect(answer).toContain("telemetry.db");
    expect(existsSync(join(home, "telemetry.db.damaged", "telemetry.db"))).toBe(true);
    expect((await fetch(`${node.http}/readyz`)).status).toBe(200);
  }, 240_000);

  const refusals: [string, Readonly<Record<string, string>>, RegExp][] = [
    [
      "a certificate file that is not there",
      { "telemetry-ca-file": "ca.pem", "telemetry-certificate-file": "none.pem" },
      /^telemetry\.certificateFile: expected a file at .*none\.pem, which cannot be read \(ENOENT\)/,
    ],
    ["a certificate that is none", { "telemetry-certificate-file": "ca.pem" }, /^telemetry: expected a certificate with its key/],
  ];
  for (const [name, flags, sentence] of refusals) {
    test(`node: ${name}, refused in a sentence that names it`, async () => {
      const { home } = await makeHome();
      writeFileSync(join(home, "ca.pem"), "x");
      let refusal = "";
      try {
        await start(home, { "telemetry-url": "mqtts://127.0.0.1:1", ...flags });
      } catch (error) {
        if (!(error instanceof StartRefused)) throw error;
        refusal = error.message;
      }
      expect(refusal).toMatch(sentence);
    });
  }
});
