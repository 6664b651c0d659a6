import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AggregatorProcess } from "./support/aggregator-process.ts";
import { bizra, bizraJson, homeOf, makeTestnet } from "./support/bizra.ts";
import { freePort } from "./support/node-network.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

const LIFE_S = 20;

async function until(isDone: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    if (await isDone()) return true;
    await Bun.sleep(200);
  }
  return false;
}

async function isUp(node: NodeProcess): Promise<boolean> {
  return /bizra_sync_up\{[^}]*\} 1\n/.test(await (await fetch(`${node.http}/metrics`)).text());
}

async function hasBroughtAll(node: NodeProcess): Promise<boolean> {
  const metrics = await (await fetch(`${node.http}/metrics`)).text();
  return /bizra_sync_up\{[^}]*\} 1\n/.test(metrics) && /bizra_sync_unacknowledged_seconds\{[^}]*\} 0\n/.test(metrics);
}

test("enrolment: two boxes claimed, enrolled and heard over mutual TLS; one renewed without a restart, one revoked", async () => {
  const cloud = place.at("aggregator");
  const words = ["--listen", `127.0.0.1:${freePort()}`, "--tls", "--certificate-life", `${LIFE_S}s`];
  const aggregator = place.keep(await AggregatorProcess.start(cloud, words));
  expect(aggregator.http).toStartWith("https://");
  const [, pin = ""] = /pin the authority ([0-9a-f]{64})/.exec(aggregator.output) ?? [];
  const homes = [homeOf(await makeTestnet(place.at("net-a"))), homeOf(await makeTestnet(place.at("net-b")))] as const;
  const desk = (...rest: readonly string[]) => bizraJson("aggregator", ...rest, "--home", cloud);
  const enrolWords = (home: string, token: unknown) => [
    "enroll",
    "--home",
    home,
    "--aggregator",
    aggregator.http,
    "--token",
    String(token),
  ];

  const auto = await desk("claim", "--network-home", homes[0], "--approve", "auto", "--site", "mill");
  const wrongPin = await bizra(...enrolWords(homes[0], auto["token"]), "--ca-pin", "ab".repeat(32));
  expect([wrongPin.code, wrongPin.err]).toEqual([1, expect.stringContaining("wrongPin")]);
  const first = await bizraJson(...enrolWords(homes[0], auto["token"]), "--ca-pin", pin);
  expect(first).toMatchObject({ aggregator: aggregator.http, restart: false });
  const used = await bizra(...enrolWords(homes[0], auto["token"]), "--ca-pin", pin);
  expect([used.code, used.err]).toEqual([1, expect.stringContaining("usedToken")]);
  const nodeA = await place.start(homes[0]);
  expect(await until(() => hasBroughtAll(nodeA), 90_000)).toBe(true);
  const bundle = join(homes[0], "sync/node.pem");
  const certificate = readFileSync(bundle, "utf8");
  const expiresAtMs = Date.parse(String(first["notAfter"]));

  const manual = await desk("claim", "--network-home", homes[1]);
  const enrolling = bizraJson(...enrolWords(homes[1], manual["token"]), "--ca-pin", pin);
  const pending = async () => (await desk("requests", "--pending"))["requests"] as { node: string }[];
  expect(await until(async () => (await pending()).length === 1, 90_000)).toBe(true);
  const [request] = await pending();
  await desk("approve", request?.node ?? "");
  const second = await enrolling;
  const nodeB = await place.start(homes[1]);
  expect(await until(() => hasBroughtAll(nodeB), 90_000)).toBe(true);

  await desk("revoke", String(second["node"]));
  expect(await until(async () => !(await isUp(nodeB)), 90_000)).toBe(true);
  const again = await bizra("aggregator", "revoke", "nobody", "--home", cloud);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining("expected an enrolled node")]);

  expect(await until(async () => readFileSync(bundle, "utf8") !== certificate, LIFE_S * 1_000)).toBe(true);
  expect(await until(async () => Date.now() > expiresAtMs + 1_000, LIFE_S * 2_000)).toBe(true);
  expect(await until(() => isUp(nodeA), 90_000)).toBe(true);
  expect(await isUp(nodeB)).toBe(false);
  await nodeA.stop();
  await nodeB.stop();
  expect(await aggregator.stop()).toBe(0);
}, 240_000);

test("enrolment: a node that finds a token in its home enrols while it runs, goes on with its certificate, and leaves no token", async () => {
  const cloud = place.at("aggregator-2");
  const aggregator = place.keep(await AggregatorProcess.start(cloud, ["--listen", `127.0.0.1:${freePort()}`, "--tls"]));
  const [, pin = ""] = /pin the authority ([0-9a-f]{64})/.exec(aggregator.output) ?? [];
  const home = homeOf(await makeTestnet(place.at("net-c")));
  const claim = await bizraJson("aggregator", "claim", "--network-home", home, "--site", "ridge", "--home", cloud);
  const file = join(home, "node.toml");
  writeFileSync(file, readFileSync(file, "utf8").replace("[sync]\n", `[sync]\nenrolAt = "${aggregator.http}"\nenrolPin = "${pin}"\n`));
  const tokenFile = join(home, "sync/enrol-token");
  mkdirSync(join(home, "sync"), { recursive: true });
  writeFileSync(tokenFile, `${claim["token"]}\n`, { mode: 0o600 });
  const node = await place.start(home);
  const process = node.child.pid;
  const pending = async () => (await bizraJson("aggregator", "requests", "--pending", "--home", cloud))["requests"] as { node: string }[];
  expect(await until(async () => (await pending()).length === 1, 90_000)).toBe(true);
  expect(await (await fetch(`${node.http}/metrics`)).text()).toContain('bizra_sync_enrolment{state="pending"} 1');
  await bizraJson("aggregator", "approve", (await pending())[0]?.node ?? "", "--home", cloud);
  expect(await until(() => hasBroughtAll(node).catch(() => false), 120_000)).toBe(true); // it does not answer while it starts anew
  expect([node.child.pid, existsSync(tokenFile)]).toEqual([process, false]);
  expect(await (await fetch(`${node.http}/metrics`)).text()).toContain('bizra_sync_enrolment{state="enrolled"} 1');
  const [enrolled] = (await bizraJson("aggregator", "requests", "--home", cloud))["requests"] as { node: string }[];
  const quota = await bizraJson("aggregator", "quota", enrolled?.node ?? "", "--events", "128GiB", "--home", cloud);
  expect(quota["nodes"]).toMatchObject([{ node: enrolled?.node, quota: { eventBytes: 128 * 1_024 ** 3 } }]);
  const unknown = await bizra("aggregator", "quota", "nobody", "--objects", "default", "--home", cloud);
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("expected a node that is known there")]);
  expect(readFileSync(file, "utf8")).toContain(`\naggregators = "${aggregator.http}"\n`);
  await node.stop();
  expect(await aggregator.stop()).toBe(0);
}, 240_000);
