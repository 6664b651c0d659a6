/** Thousands of idle MQTT connections to one node, while a device submits and others are rude. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CrowdJob, CrowdResult } from "../../bench/mqtt-crowd-process.ts";
import { BINARY, homeOf, makeTestnet } from "./bizra.ts";
import { readKeys } from "./independent-client.ts";
import { doorsOf, MqttDevice, Signer } from "./mqtt-device.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial is told. */
export type CrowdPlan = {
  readonly connections: number;
  /** Processes that the clients live in. */
  readonly processes: number;
  /** How long is measured with and without the crowd, in ms. */
  readonly measureMs: number;
  readonly onProgress?: (line: string) => void;
};

/** How submissions of one device fared for a while. */
export type Pace = {
  readonly submissions: number;
  readonly acknowledgedP50Ms: number;
  readonly acknowledgedP99Ms: number;
  /** From the submission to the last receipt: what agreement takes, with the way there and back. */
  readonly finalP50Ms: number;
  readonly finalP99Ms: number;
  /** Between two blocks, by the time in their headers. */
  readonly blockIntervalP50Ms: number;
};

/** What a trial found. */
export type CrowdReport = {
  readonly connected: number;
  readonly before: Pace;
  readonly arriving: Pace;
  readonly during: Pace;
  readonly residentBeforeMib: number;
  readonly residentMib: number;
  readonly bytesPerConnection: number;
  /** Connections that the node counts at the end of the measurement. */
  readonly counted: number;
};

/** The shell words that run a program with as many open files as this machine allows. */
export const MANY_FILES = ["bash", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"'] as const;
const SUBMIT_EVERY_MS = 40;
const CROWD_PROCESS = join(import.meta.dir, "../../bench/mqtt-crowd-process.ts");

/** Memory of a process that is in RAM, in bytes. */
export function residentBytesOf({ child: { pid } }: NodeProcess): number {
  return 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Starts a node whose broker takes as many connections as are asked for, and a device that may submit. */
export async function startCrowdedNode(
  place: Workplace,
  connections: number,
): Promise<{
  readonly node: NodeProcess;
  readonly url: string;
  readonly network: string;
  readonly device: MqttDevice;
  readonly signer: Signer;
}> {
  const net = await makeTestnet(place.at(`crowd-${connections}`), 1, ["--mqtt"]);
  const environment = {
    BIZRA_MQTT_CONNECTIONS_MAX: String(connections + 100),
    BIZRA_MQTT_CONNECTIONS_PER_ADDRESS_MAX: String(connections + 100),
    BIZRA_MQTT_CONNECTS_PER_SECOND: "100000",
  };
  const node = await place.start(homeOf(net), { command: [...MANY_FILES, BINARY], environment });
  const network = net.hash.toString("hex").slice(0, 8);
  const { tcp: url } = await doorsOf(node);
  const device = place.keep(await MqttDevice.connect(url, network, "steady"));
  await device.listen();
  const signer = await Signer.of(readKeys(net.accounts["alice"] ?? ""), net.hash, node);
  return { node, url, network, device, signer };
}

/** Connects a crowd and leaves it idle, and measures a device's submissions before, while it comes and while it is there. */
export async function runCrowdTrial(place: Workplace, plan: CrowdPlan): Promise<CrowdReport> {
  const { connections, processes, measureMs, onProgress } = plan;
  const { node, url, device, signer } = await startCrowdedNode(place, connections);
  await pace(node, device, signer, Date.now() + 1_000); // warm
  const before = await pace(node, device, signer, Date.now() + measureMs);
  const residentBefore = residentBytesOf(node);
  onProgress?.(`without: ${describePace(before)}`);
  const share = Math.ceil(connections / processes);
  const crowds = Array.from({ length: processes }, (_, i) =>
    startCrowd(place, Number(new URL(url).port), i * share, Math.min(share, connections - i * share)),
  );
  const isHere = Promise.all(crowds.map(({ result }) => result));
  const stop = new AbortController();
  void isHere.finally(() => stop.abort()).catch(() => {});
  const arriving = await pace(node, device, signer, Date.now() + 120_000, stop.signal);
  const connected = (await isHere).reduce((sum, crowd) => sum + crowd.connected, 0);
  onProgress?.(`${connected} connections came: ${describePace(arriving)}`);
  const during = await pace(node, device, signer, Date.now() + measureMs);
  const resident = residentBytesOf(node);
  const counted = await countConnections(node);
  await Promise.all(crowds.map(({ end }) => end()));
  await device.end();
  const code = await node.stop();
  if (code !== 0) throw new Error(`the node's stop ended with ${code}`);
  return {
    connected,
    before,
    arriving,
    during,
    residentBeforeMib: Math.round(residentBefore / 2 ** 20),
    residentMib: Math.round(resident / 2 ** 20),
    bytesPerConnection: Math.round((resident - residentBefore) / connected),
    counted,
  };
}

/** A pace as a line for people. */
export function describePace({
  submissions,
  acknowledgedP50Ms,
  acknowledgedP99Ms,
  finalP50Ms,
  finalP99Ms,
  blockIntervalP50Ms,
}: Pace): string {
  const round = (ms: number): string => ms.toFixed(1);
  return `${submissions} submissions, PUBACK p50 ${round(acknowledgedP50Ms)} p99 ${round(acknowledgedP99Ms)} ms, final p50 ${round(finalP50Ms)} p99 ${round(finalP99Ms)} ms, a block each ${round(blockIntervalP50Ms)} ms`;
}

/** The report as lines for people. */
export function describeCrowdReport({ connected, counted, before, arriving, during, ...memory }: CrowdReport): string {
  return [
    `${connected} idle connections (${counted} counted by the node): ${memory.residentBeforeMib} -> ${memory.residentMib} MiB resident, ${memory.bytesPerConnection} bytes each`,
    `without them: ${describePace(before)}`,
    `while they come: ${describePace(arriving)}`,
    `while they are there: ${describePace(during)}`,
  ].join("\n");
}

async function countConnections(node: NodeProcess): Promise<number> {
  await Bun.sleep(2_100); // the figures are at most so old
  const text = await (await fetch(`${node.http}/metrics`)).text();
  return Number(/^bizra_broker_connections (\d+)$/m.exec(text)?.[1]);
}

/** One submission after another until the time is over, each followed to its last receipt. */
async function pace(node: NodeProcess, device: MqttDevice, signer: Signer, untilMs: number, stop?: AbortSignal): Promise<Pace> {
  const [acknowledged, final]: [number[], number[]] = [[], []];
  const heights: number[] = [];
  while (Date.now() < untilMs && stop?.aborted !== true) {
    const { encoded, id } = signer.sign();
    const began = performance.now();
    const answer = await device.submit(encoded);
    if (answer?.reason !== 0) throw new Error(`the steady device was refused: ${JSON.stringify(answer)}`);
    acknowledged.push(performance.now() - began);
    const { height = 0 } = await device.receipt((receipt) => receipt.id === id && receipt.status === "final", 90_000);
    final.push(performance.now() - began);
    heights.push(height);
    device.receipts.length = 0;
    device.acknowledgements.length = 0;
    await Bun.sleep(SUBMIT_EVERY_MS);
  }
  return {
    submissions: acknowledged.length,
    acknowledgedP50Ms: at(acknowledged, 0.5),
    acknowledgedP99Ms: at(acknowledged, 0.99),
    finalP50Ms: at(final, 0.5),
    finalP99Ms: at(final, 0.99),
    blockIntervalP50Ms: await blockInterval(node, heights),
  };
}

/** The median time between the blocks of these heights and those before them. */
async function blockInterval(node: NodeProcess, heights: readonly number[]): Promise<number> {
  const [from = 1, to = 1] = [Math.min(...heights), Math.max(...heights)];
  const times: number[] = [];
  for (let next = from; next <= to; next += 100) {
    const { blocks } = (await node.get(`/api/v2/blocks?from=${next}&limit=${Math.min(100, to - next + 1)}`)) as {
      blocks: { header: { time: string } }[];
    };
    for (const { header } of blocks) times.push(Date.parse(header.time));
  }
  return at(
    times.slice(1).map((time, i) => time - (times[i] ?? time)),
    0.5,
  );
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

/** Idle clients in a process of their own; `end` lets them go. */
export function startCrowd(
  place: Workplace,
  port: number,
  first: number,
  connections: number,
): { readonly result: Promise<CrowdResult>; readonly end: () => Promise<unknown> } {
  const job: CrowdJob = { port, connections, first, mode: "idle", topic: ["", ""], payloads: "", window: 1, ratePerSecond: 0 };
  const words = [...MANY_FILES, process.execPath, CROWD_PROCESS];
  const child = place.keep(Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit" }));
  child.stdin.write(`${JSON.stringify(job)}\n`);
  void child.stdin.flush();
  const read = async (): Promise<CrowdResult> => {
    let said = "";
    for await (const chunk of child.stdout) {
      said += new TextDecoder().decode(chunk);
      if (said.includes("\n")) return JSON.parse(said) as CrowdResult;
    }
    throw new Error(`a crowd ended without a result: ${said}`);
  };
  return {
    result: read(),
    end: async () => {
      void child.stdin.end();
      await child.exited;
    },
  };
}
