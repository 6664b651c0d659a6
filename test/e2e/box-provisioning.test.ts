import { afterAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AggregatorProcess } from "./support/aggregator-process.ts";
import { BINARY, bizra, bizraJson, cleanEnvironment, homeOf, makeTestnet } from "./support/bizra.ts";
import { BoxConsoleProcess } from "./support/box-console-process.ts";
import { freePort } from "./support/node-network.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

/** `bizra box run` on a home that has no node yet. */
class BoxRunProcess {
  readonly child: Bun.Subprocess;

  constructor(home: string) {
    const words = [
      "box",
      "run",
      "--home",
      home,
      "--node-flag",
      "http-listen=127.0.0.1:0",
      "--node-flag",
      `network-listen=127.0.0.1:${freePort()}`,
    ];
    this.child = Bun.spawn([BINARY, ...words], { stdin: "ignore", stdout: "ignore", stderr: "ignore", env: cleanEnvironment() });
  }

  /** Asks it to end its node and itself; at once when that takes too long. */
  async kill(): Promise<void> {
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), 20_000);
    await this.child.exited;
    clearTimeout(late);
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined, limitMs = 60_000): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`${what} did not come within ${limitMs} ms`);
    await Bun.sleep(100);
  }
}

test("box: an empty home and a plan with a mistake, then corrected, a node that follows the chain and brings its events to the aggregator", async () => {
  const port = freePort();
  const net = await makeTestnet(place.at("net"), 1, ["--port", String(port)]);
  const other = homeOf(net);
  // The chain's one validator, open for others.
  const validator = await place.start(other, { words: ["--network-discovery", "lan", "--network-listen", `127.0.0.1:${port}`] });
  const cloud = place.at("aggregator");
  const aggregator = place.keep(await AggregatorProcess.start(cloud, ["--listen", `127.0.0.1:${freePort()}`, "--tls"]));
  const [, caPin = ""] = /pin the authority ([0-9a-f]{64})/.exec(aggregator.output) ?? [];
  const claim = await bizraJson("aggregator", "claim", "--network-home", other, "--approve", "auto", "--home", cloud);

  const home = place.at("box/home");
  mkdirSync(home, { recursive: true });
  place.keep(new BoxRunProcess(home));
  const box = place.keep(await BoxConsoleProcess.start(home, place.at("box")));
  copyFileSync(net.genesis, join(box.medium, "genesis.json"));
  const key = String((JSON.parse(readFileSync(join(other, "keys/validator.json"), "utf8")) as { publicKey: string }).publicKey);
  const plan = {
    schema: 1,
    hostname: "mill-7",
    aggregator: { url: aggregator.http, caPin },
    token: claim["token"],
    chain: { genesis: net.hash.toString("hex"), role: "observer", peers: [`${key}@127.0.0.1:${port}`] },
  };
  const file = join(box.medium, "provision.json");
  const wrong = JSON.stringify({ ...plan, hostname: "Mill 7" });
  writeFileSync(file, wrong);
  await until("the sentence", () => (box.status.includes("  - hostname: expected a host name") ? true : undefined));
  expect(existsSync(join(home, "genesis.json"))).toBe(false);
  const checked = await bizra("provision", "check", file);
  expect([checked.code, checked.out]).toEqual([1, expect.stringContaining("hostname: expected a host name")]);

  writeFileSync(file, JSON.stringify(plan));
  await until("state ready", () => (box.status.includes("State: ready") ? true : undefined));
  expect(existsSync(file)).toBe(false);
  expect((await bizraJson("provision", "status", "--home", home, "--medium", box.medium))["state"]).toBe("ready");
  const http = await until("a node", async () => {
    const status = (await bizraJson("box", "status", "--home", home)) as { node?: { http?: string; phase?: string } };
    return status.node?.phase === "running" ? status.node.http : undefined;
  });
  await until("the aggregator's word", async () => (/bizra_sync_up\{[^}]*\} 1\n/.test(await metricsOf(http)) ? true : undefined));
  const [own, theirs] = await Promise.all(
    [http, validator.http].map(async (url) => (await (await fetch(`${url}/api/v2/status`)).json()) as { genesisHash: string }),
  );
  expect(own?.genesisHash).toBe(theirs?.genesisHash ?? "none");
  const peers = await until("a peer", async () => {
    const answer = (await (await fetch(`${http}/api/v2/peers`)).json()) as { connected: unknown[] };
    return answer.connected.length > 0 ? answer.connected : undefined;
  });
  expect(peers).toHaveLength(1);
  expect(await box.stop()).toBe(0);
}, 240_000);

async function metricsOf(http: string): Promise<string> {
  try {
    return await (await fetch(`${http}/metrics`)).text();
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the node is between two processes
    return "";
  }
}
