/** Telemetry of the compiled binary: on the broker of `up`, and a signed command of `bizra cmd` over a broker of another make. */
import { afterAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captureBirth, captureEntities } from "../integration/telemetry/capture.ts";
import { findMosquitto, Mosquitto } from "../integration/telemetry/mosquitto.ts";
import { jsonSeen, Observer } from "../integration/telemetry/observer.ts";
import { faultsOf } from "../unit/telemetry/cloud-event-rules.ts";
import { discoveryFaultsOf } from "../unit/telemetry/home-assistant-rules.ts";
import { bizra, bizraJson, homeOf, makeTestnet } from "./support/bizra.ts";
import { readKeys } from "./support/independent-client.ts";
import { UpProcess } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const endings: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of endings.reverse()) await end();
  await place.end();
});

const found = await findMosquitto();
if ("reason" in found) console.warn(`SKIPPED bizra cmd over mosquitto: ${found.reason}`);

test("e2e: up, its own broker tells every view of the node", async () => {
  const system = place.keep(new UpProcess(["--validators", "1", "--dir", place.at("up")]));
  const line = await system.line(0, 90_000);
  const [node] = line.nodes;
  const observer = await Observer.connect(node?.mqtt ?? "", { clientId: "observer" }, filtersOf(line.network));
  endings.push(() => observer.end());
  const root = `bizra/v1/${line.network}/node/${node?.id}`;
  const retained = ["status", "info", "head", "health"].map((word) => `${root}/${word}`);
  await observer.until(
    () => retained.every((topic) => observer.seen.some((message) => message.topic === topic && message.isRetained)),
    "what is retained",
  );
  await observer.until(() => observer.on(/\/events\/block\//).length > 0 && observer.on(/NDATA/).length > 0, "events and data", 90_000);
  expect(observer.on(/\/events\//).flatMap((message) => faultsOf(jsonSeen(message)))).toEqual([]);
  const [discovery] = observer.on(/^homeassistant\//);
  expect(discoveryFaultsOf(discovery?.topic ?? "", jsonSeen(discovery))).toEqual([]);
  expect(Number(captureEntities(observer).find(({ name }) => name === "Chain Height")?.state)).toBeGreaterThan(0);
}, 240_000);

test("e2e: up, a signed restart over the node's own broker, the process ends and another answers at the same addresses", async () => {
  const system = place.keep(new UpProcess(["--validators", "1", "--dir", place.at("restarted")]));
  const [before, account] = [(await system.line(0, 90_000)).nodes[0], (await system.line(0)).accounts[0]];
  if (before === undefined || account === undefined) throw new Error("up has a node and an account");
  const settings = join(before.home, "node.toml");
  const role = `admin:${readKeys(account.key).publicKey.toString("hex")}`;
  writeFileSync(settings, readFileSync(settings, "utf8").replace(/^# fleetKeys = .*$/m, `fleetKeys = ["${role}"]`));
  const { token } = await bizraJson("mqtt", "user", "add", "ops", "--role", "fleet", "--token", "--home", before.home);
  writeFileSync(place.at("token"), String(token));
  process.kill(before.pid, "SIGTERM");
  const told = (await system.line(1, 90_000)).nodes[0];
  const login = ["--to", before.mqtt, "--user", "ops", "--password-file", place.at("token")];
  const where = ["--key", account.key, "--genesis", system.lines[0]?.genesis ?? "", "--node", before.id, "--json"];
  for (const verb of ["restart", "stop"]) {
    const lines = system.lines.length;
    const asked = await bizra("cmd", verb, ...where, ...login);
    expect({ verb, ...(JSON.parse(asked.out) as object) }).toMatchObject({ verb, status: "done" });
    const after = (await system.line(lines, 90_000)).nodes[0];
    expect(after?.pid).not.toBe(system.lines[lines - 1]?.nodes[0]?.pid);
    expect(after).toMatchObject({ http: told?.http, mqtt: told?.mqtt });
  }
  const answer = await bizra("cmd", "ping", ...where, ...login);
  expect(JSON.parse(answer.out)).toMatchObject({ status: "done", node: before.id });
}, 240_000);

test.skipIf("reason" in found)(
  "e2e: cmd, signed with a PEM key, rebirth is answered and another Sparkplug birth comes; a key that is not of the fleet is refused",
  async () => {
    const broker = await Mosquitto.start("path" in found ? found.path : "");
    endings.push(() => broker.end());
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const observer = await Observer.connect(url);
    endings.push(() => observer.end());
    const net = await makeTestnet(place.at("net"), 1);
    const keys = Object.values(net.accounts);
    const [fleet = "", stranger = ""] = keys;
    const role = `operator:${readKeys(fleet).publicKey.toString("hex")}`;
    await place.start(homeOf(net), {
      words: ["--http-listen", "127.0.0.1:0", "--node-id", "box-1", "--telemetry-url", url, "--telemetry-fleet-keys", role],
    });
    await observer.until(() => observer.on(/NBIRTH/).length === 1 && observer.on(/\/status$/).length > 0, "a birth");
    const to = ["--to", url, "--node", "box-1", "--genesis", net.genesis, "--json"];
    const done = await bizra("cmd", "rebirth", "--key", fleet, ...to);
    expect({ code: done.code, answer: JSON.parse(done.out) as unknown }).toMatchObject({
      code: 0,
      answer: { status: "done", verb: "rebirth", node: "box-1" },
    });
    await observer.until(() => observer.on(/NBIRTH/).length === 2, "another birth");
    const [birth] = observer.on(/NBIRTH/).slice(-1);
    expect(birth && captureBirth(birth).find(({ name }) => name === "bdSeq")?.value).toBe("0");
    const refused = await bizra("cmd", "ping", "--key", stranger, ...to);
    expect({ code: refused.code, answer: JSON.parse(refused.out) as unknown }).toMatchObject({
      code: 1,
      answer: { status: "refused", code: "unknownKey" },
    });
    const wrong = await bizra("cmd", "explode", "--key", fleet, ...to);
    expect(wrong.code).toBe(2);
  },
  240_000,
);

/** What every client of a node's broker may read. */
function filtersOf(network: string): readonly string[] {
  const words = ["status", "info", "head", "health", "metrics"].map((word) => `bizra/v1/${network}/node/+/${word}`);
  return [...words, `bizra/v1/${network}/events/#`, "spBv1.0/#", "homeassistant/#"];
}
