/** The network between validators as processes on this machine: a round of votes, bytes a second and what they cost, against plain TCP. */
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { ChildMembers } from "../integration/network/child-members.ts";
import { type Member, startMember, until, validatorsOf } from "../integration/network/world.ts";
import { BenchReport, quantile } from "./harness.ts";

const ROUNDS = 1_000;
const WARM_UP_ROUNDS = 100;
/** 30 MiB, which the budget of a peer lets through at once. */
const BULK_BATCHES = 120;
/** Plain TCP needs many more for its CPU time to show. */
const PLAIN_BATCHES = 8_000;
const BATCH = new Uint8Array(256 * 1024 - 64);
const IDLE_MS = 12_000;
/** As `sysconf(_SC_CLK_TCK)` is on every Linux. */
const TICKS_PER_SECOND = 100;

const report = new BenchReport("network");
const children = new ChildMembers();
const ECHO = [process.execPath, join(import.meta.dir, "tcp-echo-process.ts")];

/** CPU milliseconds that a process has used, from /proc. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

function dial(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host ?? "", port: Number(port), noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

async function tcpRounds(): Promise<number[]> {
  const peers = await Promise.all([1, 2, 3].map((seed) => children.spawn(seed, 1, [], ECHO)));
  const sockets = await Promise.all(peers.map(({ address }) => dial(address)));
  let heard = 0;
  let round = Promise.withResolvers<void>();
  for (const socket of sockets) socket.on("data", () => (++heard % sockets.length === 0 ? round.resolve() : undefined));
  const tookMs: number[] = [];
  for (let i = 0; i < ROUNDS + WARM_UP_ROUNDS; i++) {
    round = Promise.withResolvers<void>();
    const startMs = performance.now();
    for (const socket of sockets) socket.write(new Uint8Array(14));
    await round.promise;
    if (i >= WARM_UP_ROUNDS) tookMs.push(performance.now() - startMs);
  }
  for (const socket of sockets) socket.destroy();
  await children.killAll();
  return tookMs;
}

async function voteRounds(): Promise<number[]> {
  let heard = 0;
  let round = Promise.withResolvers<void>();
  const a = await startMember({
    seed: 1,
    validators: validatorsOf(1, 2, 3, 4),
    ports: { onMessage: () => (++heard % 3 === 0 ? round.resolve() : undefined) },
  });
  for (const seed of [2, 3, 4]) await children.spawn(seed, 4, [a.address()]);
  await until("all up", () => a.up.length === 3);
  const port = a.network.consensusPort(() => {});
  const tookMs: number[] = [];
  for (let token = 0; token < ROUNDS + WARM_UP_ROUNDS; token++) {
    round = Promise.withResolvers<void>();
    const startMs = performance.now();
    port.broadcast({ kind: "recoveryRequest", token });
    await round.promise;
    if (token >= WARM_UP_ROUNDS) tookMs.push(performance.now() - startMs);
  }
  await a.network.stop();
  await children.killAll();
  return tookMs;
}

/** Megabytes a second to one peer, and CPU milliseconds of both ends for each. */
async function tcpBulk(): Promise<{ rate: number; cpuMs: number }> {
  const { child, address } = await children.spawn(1, 1, [], ECHO);
  const socket = await dial(address);
  const before = cpuMsOf(process.pid) + cpuMsOf(child.pid);
  const startMs = performance.now();
  for (let i = 0; i < PLAIN_BATCHES; i++) {
    if (!socket.write(BATCH)) await new Promise<void>((resolve) => socket.once("drain", () => resolve()));
  }
  await new Promise<void>((resolve) => socket.end(() => resolve()));
  return figuresOf(PLAIN_BATCHES, startMs, cpuMsOf(process.pid) + cpuMsOf(child.pid) - before);
}

async function batchBulk(): Promise<{ rate: number; cpuMs: number }> {
  let room = Promise.withResolvers<void>();
  const a = await startMember({ seed: 1, validators: validatorsOf(1, 2), ports: { onBatchRoom: () => room.resolve() } });
  const { child } = await children.spawn(2, 2, [a.address()]);
  await until("up", () => a.up.length === 1);
  const [peer = ""] = a.up;
  const before = cpuMsOf(process.pid) + cpuMsOf(child.pid);
  const startMs = performance.now();
  for (let i = 0; i < BULK_BATCHES; i++) {
    room = Promise.withResolvers<void>();
    if (a.network.sendBatchMessage(peer, BATCH, "bulk")) continue;
    await room.promise;
    i--;
  }
  await until("all sent", () => a.network.peers()[0]?.queuedBytes === 0);
  const figures = figuresOf(BULK_BATCHES, startMs, cpuMsOf(process.pid) + cpuMsOf(child.pid) - before);
  await a.network.stop();
  await children.killAll();
  return figures;
}

function figuresOf(batches: number, startMs: number, cpuMs: number): { rate: number; cpuMs: number } {
  const megabytes = (batches * BATCH.length) / 1e6;
  return { rate: (megabytes * 1_000) / (performance.now() - startMs), cpuMs: cpuMs / megabytes };
}

/** Bytes an hour that two validators with nothing to say send each other, both ways, above TCP. */
async function idleBytesPerHour(): Promise<number> {
  const times = { pingMs: 5_000 };
  const a = await startMember({ seed: 1, validators: validatorsOf(1, 2), options: { times } });
  let bytes = 0;
  const proxy = await countingProxy(a, (count) => {
    bytes += count;
  });
  const b = await startMember({ seed: 2, validators: validatorsOf(1, 2), peers: [proxy.address], options: { times } });
  await until("up", () => b.up.length === 1 && a.up.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  bytes = 0;
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const perHour = (bytes * 3_600_000) / IDLE_MS;
  await Promise.all([a.network.stop(), b.network.stop()]);
  proxy.server.close();
  return perHour;
}

function countingProxy(to: Member, onBytes: (count: number) => void): Promise<{ server: Server; address: string }> {
  const server = createServer({ noDelay: true }, async (near) => {
    const far = await dial(to.address());
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk) => {
        onBytes(chunk.length);
        into.write(chunk);
      });
      from.on("close", () => into.destroy());
      from.on("error", () => into.destroy());
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address && typeof address === "object") resolve({ server, address: `127.0.0.1:${address.port}` });
    });
  });
}

const tcp = await tcpRounds();
const votes = await voteRounds();
for (const [name, share] of [
  ["p50", 0.5],
  ["p99", 0.99],
] as const) {
  const value = quantile(tcp, share);
  report.add({ name: `round to 3 processes and back, plain TCP, ${name}`, value, unit: "ms" });
  report.add({
    name: `vote round, n = 4 as processes, ${name}`,
    value: quantile(votes, share),
    unit: "ms",
    baseline: { name: "plain TCP", value },
    ...(name === "p50" ? { goal: { of: "value", is: "at most", bound: 1 } as const } : {}),
  });
}
const plain = await tcpBulk();
const bulk = await batchBulk();
report.add({ name: "bytes to one process, plain TCP", value: plain.rate, unit: "MB/s" });
report.add({
  name: "batches of 256 KiB to one validator",
  value: bulk.rate,
  unit: "MB/s",
  baseline: { name: "plain TCP", value: plain.rate },
});
report.add({ name: "CPU of both ends, plain TCP", value: plain.cpuMs, unit: "ms/MB" });
report.add({
  name: "CPU of both ends, batches",
  value: bulk.cpuMs,
  unit: "ms/MB",
  baseline: { name: "plain TCP", value: plain.cpuMs },
  goal: { of: "value", is: "at most", bound: 6 },
});
report.add({
  name: "idle pair of validators, both ways, above TCP",
  value: await idleBytesPerHour(),
  unit: "bytes/h",
  note: "a sign of life each 5 s, no blocks",
});
report.finish();
await children.killAll();
process.exit(0);
