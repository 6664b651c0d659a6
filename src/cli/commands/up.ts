import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { localSigner, parsePkcs8Pem } from "../../crypto/index.ts";
import { parseKeyFile } from "../../identity/index.ts";
import { toHex } from "../../kernel/index.ts";
import { HOME, systemClock, systemEntropy, systemTimers } from "../../node/index.ts";
import { formatAddress, LIMITS, networkIdOf } from "../../protocol/index.ts";
import { acquireHomeLock, isStorageError } from "../../storage/index.ts";
import { NodeClient, textOf } from "../client.ts";
import { type Command, CommandFailure, parseCount } from "../command.ts";
import { createNetwork, meshSettings, type NetworkFiles, TRAFFIC_ACCOUNT } from "../network-files.ts";
import { untilSignal } from "../signals.ts";
import type { Terminal } from "../terminal.ts";
import { childAggregator, type ReadyAggregator } from "../up/child-aggregator.ts";
import { childNode, type ReadyNode } from "../up/child-node.ts";
import { runDemoTraffic } from "../up/demo-traffic.ts";
import { freePorts, freeUdpPort, loopbackAddress } from "../up/free-port.ts";
import type { SupervisedChild } from "../up/supervised-child.ts";
import { readGenesis } from "./genesis.ts";

/** Validators of a network when nobody says how many. */
const VALIDATORS = 4;
/** Where the first node answers HTTP, and where its device broker is, when these ports are free. */
const FIRST_PORT = 8645;
const FIRST_MQTT_PORT = 1883;
/** Where the aggregator answers, when that port is free. */
const AGGREGATOR_PORT = 8700;

/** `bizra up`: the whole system on this machine. */
export const up: Command = {
  name: "up",
  summary: "Runs a network on this machine: validators as child processes, restarted when they die, until Ctrl-C.",
  flags: {
    validators: { kind: "text", value: "N", doc: "How many validators (default: as many as the network of an earlier run has, else 4)." },
    dir: { kind: "text", value: "DIR", doc: "Where its data lives (default .bizra)." },
    fresh: { kind: "presence", doc: "Begins anew: removes the network of an earlier run first." },
  },
  async run(input, terminal) {
    const directory = resolve(input.flag("dir") ?? ".bizra", "network");
    const asked = input.flag("validators");
    const validators = asked === undefined ? undefined : parseCount(asked, "--validators", 1, LIMITS.validatorsMax);
    const lock = lockDirectory(dirname(directory));
    if (input.has("fresh")) rmSync(directory, { recursive: true, force: true });
    const files = existsSync(join(directory, HOME.genesis))
      ? findNetwork(directory, validators)
      : await makeNetwork(directory, validators ?? VALIDATORS);
    try {
      return await supervise(files, terminal);
    } finally {
      lock.release();
    }
  },
};

/** One `up` a folder: a second one would fight over the homes, and `--fresh` would take them from under the first. */
function lockDirectory(directory: string): ReturnType<typeof acquireHomeLock> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    return acquireHomeLock(directory);
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new CommandFailure(`${error.message}; stop it first (Ctrl-C where it runs), or give another --dir`);
  }
}

/** Makes the network beside its place and moves it there when it is complete, so that a start cut short leaves none or all of it. */
async function makeNetwork(directory: string, validators: number): Promise<NetworkFiles> {
  const beside = `${directory}.new`;
  rmSync(beside, { recursive: true, force: true });
  const plan = {
    directory: beside,
    chainName: "demo",
    validators,
    timeMs: systemClock.nowMs(),
    settingsOf: () => ({ "http.listen": "127.0.0.1:0" }),
  };
  await createNetwork(plan, systemEntropy);
  renameSync(beside, directory);
  return findNetwork(directory, validators);
}

/** The network of an earlier run. */
function findNetwork(directory: string, validators: number | undefined): NetworkFiles {
  const homes = readdirSync(directory)
    .filter((name) => /^node[0-9]+$/.test(name))
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
  if (validators !== undefined && homes.length !== validators) {
    throw new CommandFailure(
      `expected ${validators} validators, but ${directory} holds a network of ${homes.length}; run with --validators ${homes.length}, or with --fresh to begin anew`,
    );
  }
  const genesisPath = join(directory, HOME.genesis);
  const keys = readdirSync(join(directory, "accounts")).filter((name) => name.endsWith(".pem") && name !== `${TRAFFIC_ACCOUNT}.pem`);
  const accounts = keys.sort().map((file) => {
    const key = join(directory, "accounts", file);
    const seed = parsePkcs8Pem(readFileSync(key, "utf8"));
    if (!seed.ok) throw new CommandFailure(`expected a key at ${key}, got a damaged file; run with --fresh to begin anew`);
    return { name: file.slice(0, -4), address: formatAddress(localSigner(seed.value).publicKey), key };
  });
  return {
    directory,
    genesisPath,
    genesisHash: readGenesis(genesisPath).hash,
    homes: homes.map((name) => join(directory, name)),
    keys: homes.map((name) => keyOf(join(directory, name, HOME.validatorKey))),
    accounts,
  };
}

/** The public key in a home's key file, in hex. */
function keyOf(path: string): string {
  const file = parseKeyFile(readFileSync(path, "utf8"));
  if (!file.ok) throw new CommandFailure(`expected a key file at ${path}, got a damaged one; run with --fresh to begin anew`);
  return toHex(file.value.publicKey);
}

/** Runs the children until a signal; prints where everything answers, again on change. */
async function supervise(files: NetworkFiles, terminal: Terminal): Promise<number> {
  const ready = new Map<string, ReadyNode>();
  let aggregator: ReadyAggregator | undefined;
  let hasTraffic = false;
  const onChange = async (): Promise<void> => {
    const [first] = ready.values();
    if (!first || ready.size < files.homes.length || !aggregator) return;
    if (!hasTraffic) {
      hasTraffic = true;
      await showTraffic(files, first.http, terminal);
    }
    await announce(files, ready, aggregator, terminal);
  };
  const ports = freePorts(files.homes.length);
  // One node for browsers is enough to try it, and WebRTC costs each some 20 MB of memory.
  const webRtc = ["--network-web-rtc-port", String(await freeUdpPort())];
  const children: SupervisedChild<ReadyNode>[] = [];
  const startNode = (home: string, i: number, aggregatorUrl: string): void => {
    const onTrouble = (sentence: string): void => {
      ready.delete(home);
      terminal.note(`bizra up: ${sentence}`);
    };
    const mesh = meshSettings(i, files.keys, ports);
    const flags = Object.entries(mesh).flatMap(([key, value]) => [`--${key.replace(".", "-")}`, value]);
    const listen = { http: loopbackAddress(FIRST_PORT + i), mqtt: loopbackAddress(FIRST_MQTT_PORT + i) };
    const sync = ["--sync-aggregators", aggregatorUrl];
    const child = childNode(home, listen, [...flags, ...sync, ...(i === 0 ? webRtc : [])], {
      timers: systemTimers,
      onReady: (node) => {
        ready.set(home, node);
        void onChange();
      },
      onTrouble,
    });
    children.push(child);
    child.start();
  };
  const cloud = await childAggregator(join(files.directory, "aggregator"), loopbackAddress(AGGREGATOR_PORT), files.genesisHash, {
    timers: systemTimers,
    onReady: (running) => {
      aggregator = running;
      // The nodes are told where it is, so they start once that is known; it keeps its address.
      if (children.length === 0) for (const [i, home] of files.homes.entries()) startNode(home, i, running.http);
      void onChange();
    },
    onTrouble: (sentence) => {
      aggregator = undefined;
      terminal.note(`bizra up: ${sentence}`);
    },
  });
  cloud.start();
  await untilSignal();
  terminal.note("Stopping.");
  await Promise.all([cloud, ...children].map((child) => child.stop()));
  return 0;
}

async function showTraffic(files: NetworkFiles, http: string, terminal: Terminal): Promise<void> {
  try {
    const { ids, height } = await runDemoTraffic(http, join(files.directory, "accounts", `${TRAFFIC_ACCOUNT}.pem`));
    terminal.note(`Submitted ${ids.length} transactions; all are final at height ${height}:`);
    for (const id of ids) terminal.note(`  ${http}/api/v2/transactions/${id}`);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    terminal.note(`bizra up: ${error.message}`);
  }
}

async function announce(
  files: NetworkFiles,
  ready: ReadonlyMap<string, ReadyNode>,
  aggregator: ReadyAggregator,
  terminal: Terminal,
): Promise<void> {
  const nodes: { id: string; http: string; mqtt: string; home: string; pid: number }[] = [];
  for (const home of files.homes) {
    const node = ready.get(home);
    if (!node) return;
    const { http, mqtt, pid } = node;
    nodes.push({ id: textOf(await new NodeClient(http).get("/api/v2/status"), "id"), http, mqtt, home, pid });
  }
  const network = networkIdOf(files.genesisHash);
  terminal.result({ ready: true, network, genesis: files.genesisPath, nodes, aggregator, accounts: files.accounts }, () =>
    [
      `Network ${network} is up. Genesis ${files.genesisPath} (${toHex(files.genesisHash)})`,
      ...nodes.map((n) => `  node ${n.id}  ${n.http}  ${n.mqtt}  (pid ${n.pid}, home ${n.home})`),
      `  aggregator  ${aggregator.http}  (pid ${aggregator.pid})`,
      ...files.accounts.map((a) => `  account ${a.name.padEnd(6)} ${a.address}  ${a.key}`),
      `In a browser on this machine: ${nodes[0]?.http}/try`,
      `The fleet's console: ${aggregator.http}/  (user ${aggregator.console.user}, password in ${aggregator.console.passwordFile})`,
      "Ctrl-C stops it.",
    ].join("\n"),
  );
}
