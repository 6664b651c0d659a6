/**
 * The device broker: QoS 1 submissions a second whose PUBACK says that the transaction is durable, against mosquitto's QoS 1,
 * which promises nothing of the kind; the main thread's lag meanwhile; and the memory of many idle connections.
 *
 * `npm run bench -- broker [--transactions N] [--idle N]`
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BINARY, homeOf, makeTestnet } from "../e2e/support/bizra.ts";
import { findMosquitto, startMosquitto } from "../e2e/support/mosquitto.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import { makeCrowd, untilFinal } from "./crowd.ts";
import { BenchReport } from "./harness.ts";
import type { CrowdJob, CrowdResult } from "./mqtt-crowd-process.ts";

const { values } = parseArgs({ options: { transactions: { type: "string" }, idle: { type: "string" } }, strict: true });
const COUNT = Number(values.transactions ?? 40_000);
const IDLE = Number(values.idle ?? 10_000);
const CONNECTIONS = 2_000;
const GENTLE_PER_SECOND = 5_000;

const place = new Workplace(join(import.meta.dir, "../../dist"));
const report = new BenchReport("broker");

/** A crowd of clients in a process of its own; `end` lets an idle one go. */
function startCrowd(job: CrowdJob): { readonly result: Promise<CrowdResult>; readonly end: () => Promise<unknown> } {
  const words = [
    "bash",
    "-c",
    'ulimit -n "$(ulimit -Hn)"; exec "$0" "$1"',
    process.execPath,
    join(import.meta.dir, "mqtt-crowd-process.ts"),
  ];
  const child = place.keep(Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit" }));
  child.stdin.write(`${JSON.stringify(job)}\n`);
  child.stdin.flush();
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
      child.stdin.end();
      await child.exited;
    },
  };
}

function writePayloads(name: string, payloads: readonly Uint8Array[]): string {
  const path = place.at(name);
  writeFileSync(
    path,
    Buffer.concat(
      payloads.flatMap((payload) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(payload.length);
        return [length, payload];
      }),
    ),
  );
  return path;
}

const memoryOf = (node: NodeProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** Samples of the main thread's lag by upper bound in seconds, cumulative, since the node started. */
async function lagOf(node: NodeProcess): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  return new Map(
    [...text.matchAll(/^bizra_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)/gm)].map(([, bound = "", count]) => [
      bound,
      Number(count),
    ]),
  );
}

/** Smallest bound, in ms, that this share of the samples between two readings does not exceed. */
function quantileBetween(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>, share: number): number {
  const grown = (bound: string): number => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  const bound = [...after.keys()].find((candidate) => grown(candidate) >= share * grown("+Inf")) ?? "+Inf";
  return bound === "+Inf" ? Number.POSITIVE_INFINITY : 1_000 * Number(bound);
}

async function portOf(node: NodeProcess): Promise<number> {
  const { tcp } = (await node.get("/api/v2/status"))["mqtt"] as { tcp: string };
  return Number(new URL(tcp).port);
}

try {
  const net = await makeTestnet(place.at("net"), 1, ["--mqtt"]);
  const home = homeOf(net);
  const words = ["--mqtt-connections-max", "20000", "--mqtt-connections-per-address-max", "20000", "--mqtt-connects-per-second", "20000"];
  const sources = ["--mempool-source-transactions-max", "100000"];
  const command = ["bash", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "bash", BINARY];
  const node = await place.start(home, {
    command: process.env["E2E_BINARY"] ? [...command.slice(0, -1), process.env["E2E_BINARY"]] : command,
    words: [...words, ...sources],
  });
  const port = await portOf(node);
  const crowd = await makeCrowd({ net, nodes: [node] });
  const network = net.hash.toString("hex").slice(0, 8);
  const topic = [`bizra/v1/${network}/tx/d`, "/submit"] as const;
  const restMiB = memoryOf(node);
  report.add({ name: "RSS before", value: restMiB, unit: "MiB" });

  const gentle = crowd.sign(Math.min(COUNT, 4 * GENTLE_PER_SECOND));
  const lagBefore = await lagOf(node);
  const plan = { port, first: 0, mode: "publish", topic, window: 4 } as const;
  const atRate = await startCrowd({
    ...plan,
    connections: CONNECTIONS,
    payloads: writePayloads(
      "gentle",
      gentle.map(({ encoded }) => encoded),
    ),
    ratePerSecond: GENTLE_PER_SECOND,
  }).result;
  await untilFinal(node, gentle.at(-1)?.id ?? "");
  const rateNote = `${CONNECTIONS} connections, ${GENTLE_PER_SECOND}/s offered, ${Math.round(atRate.acknowledged / atRate.seconds)}/s acknowledged, refused ${JSON.stringify(atRate.refused)}`;
  report.add({ name: "PUBACK after commit, p50", value: atRate.p50Ms, unit: "ms", note: rateNote });
  report.add({ name: "PUBACK after commit, p99", value: atRate.p99Ms, unit: "ms" });
  const lagAfter = await lagOf(node);
  for (const share of [0.5, 0.99]) {
    const name = `lag of the main thread meanwhile, p${100 * share} at most`;
    const goal = { of: "value", is: "at most", bound: 20 } as const;
    report.add({ name, value: quantileBetween(lagBefore, lagAfter, share), unit: "ms", ...(share === 0.99 ? { goal } : {}) });
  }

  const full = crowd.sign(COUNT);
  const fullPath = writePayloads(
    "full",
    full.map(({ encoded }) => encoded),
  );
  const flatOut = await startCrowd({ ...plan, connections: 64, payloads: fullPath, ratePerSecond: 0, window: 32 }).result;
  await untilFinal(node, full.at(-1)?.id ?? "");
  const ownRate = flatOut.acknowledged / flatOut.seconds;

  const mosquitto = await findMosquitto();
  if ("reason" in mosquitto) console.warn(`  SKIPPED the comparison with mosquitto: ${mosquitto.reason}`);
  const broker = "reason" in mosquitto ? undefined : await startMosquitto(place, mosquitto);
  const theirs =
    broker &&
    (await startCrowd({
      ...plan,
      port: broker.port,
      topic: ["bench/d", ""],
      connections: 64,
      payloads: fullPath,
      ratePerSecond: 0,
      window: 20,
    }).result);
  const baseline = theirs ? { baseline: { name: "mosquitto, QoS 1, not durable", value: theirs.acknowledged / theirs.seconds } } : {};
  report.add({
    name: "QoS 1 submissions, durable PUBACK",
    value: ownRate,
    unit: "/s",
    ...baseline,
    goal: { of: "value", is: "at least", bound: 5_000 },
    note: `64 connections, window 32, p50 ${flatOut.p50Ms.toFixed(1)} ms, p99 ${flatOut.p99Ms.toFixed(1)} ms, refused ${JSON.stringify(flatOut.refused)}`,
  });

  const peakMiB = memoryOf(node);
  const idle = Array.from({ length: 4 }, (_, i) =>
    startCrowd({ ...plan, mode: "idle", payloads: "", connections: IDLE / 4, first: 1_000_000 + i * IDLE, ratePerSecond: 0 }),
  );
  const joined = await Promise.all(idle.map(({ result }) => result));
  const connected = joined.reduce((sum, { connected: count }) => sum + count, 0);
  report.add({
    name: `RSS with ${connected} idle connections`,
    value: memoryOf(node),
    unit: "MiB",
    note: `${peakMiB.toFixed(0)} MiB just before`,
  });
  report.add({ name: "memory of one idle connection", value: ((memoryOf(node) - peakMiB) * 1024) / connected, unit: "KiB" });
  await Promise.all(idle.map(({ end }) => end()));
  report.finish();
} finally {
  await place.end();
}
