import { afterEach, expect, test } from "bun:test";
import type { Socket } from "node:net";
import type { Logger, Upgrader } from "@libp2p/interface";
import type { Message } from "../../../src/consensus/index.ts";
import { Prng, utf8 } from "../../../src/kernel/index.ts";
import { encodeFrame } from "../../../src/network/frames.ts";
import { encodeFinalRequest, encodeProofRequest, OUTSIDE_PROTOCOLS } from "../../../src/network/index.ts";
import { FRAME } from "../../../src/network/lanes.ts";
import { encodeReach } from "../../../src/network/reach.ts";
import { askOnStream } from "../../../src/network/requests.ts";
import { abortableTcp } from "../../../src/network/tcp.ts";
import { systemClock, systemTimers } from "../../../src/node/ports.ts";
import { VOTE_KIND, type Vote } from "../../../src/protocol/index.ts";
import { connectSilently, connectStranger, greet, openLane, type Stranger } from "./stranger.ts";
import { addressOf, type Member, type MemberOptions, startMember, until, validatorsOf } from "./world.ts";

const running: Member[] = [];
const strangers: Stranger[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(strangers.splice(0).map(({ node }) => node.stop()));
  await Promise.all(running.splice(0).map(({ network }) => network.stop()));
});

async function start(options: MemberOptions): Promise<Member> {
  const member = await startMember(options);
  running.push(member);
  return member;
}

async function stranger(member: Member, seed?: Uint8Array): Promise<Stranger> {
  const one = await connectStranger(member.address(), seed);
  strangers.push(one);
  return one;
}

/** What makes a message of a few kilobytes. */
const VOTES: Vote[] = Array.from({ length: 32 }, (_, view) => ({
  kind: VOTE_KIND.nullify,
  epoch: 0,
  view: view + 1,
  signer: 0,
  signature: new Uint8Array(64),
}));

const ask = (token: number): Message => ({ kind: "recoveryRequest", token });

test("network: a stream of garbage instead of a hello, cut, and the key not let in again", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1) });
  const prng = new Prng(5);
  const seed = prng.bytes(32);
  const one = await stranger(a, seed);
  const stream = await openLane(one, "consensus");
  stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, ...prng.bytes(4_096)));
  await until("cut", () => one.connection.status !== "open");
  await one.node.stop();
  const again = await connectStranger(a.address(), seed).catch((error: unknown) => error);
  if (!(again instanceof Error)) {
    const second = again as Stranger;
    strangers.push(second);
    await until("cut at the door", () => second.connection.status !== "open");
  }
  expect(a.up).toEqual([]);
  expect([...a.network.traffic.received.keys()]).toEqual([]);
});

test("network: a frame that claims 200 MB, cut at once and no memory given for it", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1, 2) });
  const one = await stranger(a);
  const { stream } = await greet(one, 2);
  await until("up", () => a.up.length === 1);
  const before = process.memoryUsage().rss;
  stream.send(Uint8Array.of(0x80, 0x80, 0xb0, 0x5f));
  await until("down", () => a.downs.length === 1);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
});

test("network: a consensus message that does not decode, the link ends and the peer loses standing", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1, 2) });
  const one = await stranger(a);
  const { stream } = await greet(one, 2);
  await until("up", () => a.up.length === 1);
  stream.send(encodeFrame(FRAME.message, Uint8Array.of(1, 2, 3)));
  await until("down", () => a.downs.length === 1);
  expect(a.messages).toEqual([]);
});

test("network: frames out of turn, a second hello, a message before the hello, a lane before the hello, each ends the link", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1, 2) });
  const early = await stranger(a);
  const stream = await openLane(early, "consensus");
  stream.send(encodeFrame(FRAME.message, Uint8Array.of(0x82, 9, 1)));
  await until("cut", () => early.connection.status !== "open");
  const eager = await stranger(a);
  const lane = await openLane(eager, "batches").then(
    (opened) => opened,
    () => undefined,
  );
  await until("aborted", () => lane === undefined || lane.status !== "open");
  const twice = await stranger(a);
  const greeted = await greet(twice, 2);
  await until("up", () => a.up.length === 1);
  greeted.stream.send(encodeFrame(FRAME.hello, new Uint8Array(0)));
  await until("down", () => a.downs.length === 1);
  expect(a.messages).toEqual([]);
});

test("network: a flood of the smallest frames, taken at the rate of its lane while others are heard at once", async () => {
  const validators = validatorsOf(1, 2, 3);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  const one = await stranger(a);
  const { stream } = await greet(one, 3);
  await until("both up", () => a.up.length === 2);
  const frame = encodeFrame(FRAME.pong, new Uint8Array(0));
  const count = 120_000;
  const flood = new Uint8Array(count * frame.length);
  const startMs = systemClock.monotonicMs();
  for (let i = 0; i < count; i++) flood.set(frame, i * frame.length);
  stream.send(flood);
  const pongs = () => a.network.traffic.received.get("consensus/link-pong")?.messages ?? 0;
  await until("the burst is used up", () => pongs() >= 10_000);
  b.network.consensusPort(() => {}).broadcast(ask(1));
  await until("b is heard", () => a.messages.length === 1);
  // A burst of 10,000 and 5,000 a second, with some room; all at once would be 120,000 within a second.
  expect(pongs()).toBeLessThan(20_000 + 10 * (systemClock.monotonicMs() - startMs));
  expect(a.up).toHaveLength(2);
}, 240_000);

test("network: connections that say nothing, at TCP, after Noise and in the hello, cost nobody else and are cut", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  for (let i = 0; i < 20; i++) sockets.push(await connectSilently(a.address()));
  const mute = await stranger(a);
  const halfway = await stranger(a);
  const stream = await openLane(halfway, "consensus");
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("b up", () => b.up.length === 1);
  await until("the mute is cut", () => mute.connection.status !== "open");
  await until("the half greeted is cut", () => halfway.connection.status !== "open");
  expect(stream.status).not.toBe("open");
  expect(a.up).toEqual([b.id]);
});

test("network: a dial aborted while the socket connects, an error to its caller and to nobody else", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1) });
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", onUncaught);
  try {
    const log: Logger = Object.assign(() => {}, { error() {}, trace() {}, enabled: false, newScope: () => log });
    const transport = abortableTcp({})({ logger: { forComponent: () => log } });
    const patience = new AbortController();
    const upgrader = { upgradeOutbound: () => Promise.reject(new Error("connected")) } as unknown as Upgrader;
    const dialling = transport.dial(addressOf(a.address()).multiaddr, { signal: patience.signal, upgrader });
    patience.abort();
    expect(await dialling.catch((error: unknown) => error)).toMatchObject({ name: "AbortError" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(uncaught).toEqual([]);
  } finally {
    process.off("uncaughtException", onUncaught);
  }
});

test("network: a validator that reads nothing, what waits for it is bounded by its lane's policy and another gets everything", async () => {
  const validators = validatorsOf(1, 2, 3);
  const a = await start({ seed: 1, validators, options: { times: { pingMs: 60_000 } } });
  const b = await start({ seed: 2, validators, peers: [a.address()], options: { times: { pingMs: 60_000 } } });
  const one = await stranger(a);
  const { stream } = await greet(one, 3);
  await until("both up", () => a.up.length === 2);
  stream.pause();
  const slow = a.up.find((id) => id !== b.id) ?? "";
  const port = a.network.consensusPort(() => {});
  const count = 3_000;
  for (let token = 0; token < count; token++) {
    port.broadcast({ kind: "helloAnswer", token, votesOfYours: VOTES });
    if (token % 100 === 99) await until("b follows", () => b.messages.length === token + 1);
  }
  expect(b.messages.length).toBe(count);
  const dropped = a.network.traffic.dropped.get("consensus/helloAnswer");
  expect(dropped?.messages).toBeGreaterThan(0);
  const status = a.network.peers().find(({ peer }) => peer === slow);
  expect(status?.queuedBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(a.network.peers().find(({ peer }) => peer === b.id)?.queuedBytes).toBe(0);
});

test("network: batches to who does not take them, refused when its outbox is full, and room is told when it reads again", async () => {
  const validators = validatorsOf(1, 2);
  const room: string[] = [];
  const gate = Promise.withResolvers<void>();
  let taken = 0;
  const a = await start({ seed: 1, validators, ports: { onBatchRoom: (peer) => void room.push(peer) } });
  const b = await start({
    seed: 2,
    validators,
    peers: [a.address()],
    ports: {
      onBatchMessage: () => {
        taken++;
        return gate.promise;
      },
    },
  });
  await until("up", () => a.up.length === 1);
  const batch = new Uint8Array(256 * 1024);
  let sent = 0;
  while (a.network.sendBatchMessage(b.id, batch, "bulk")) sent++;
  expect(sent).toBeGreaterThan(8);
  expect(sent).toBeLessThan(64);
  expect(a.network.sendBatchMessage(b.id, Uint8Array.of(1), "urgent")).toBe(true);
  a.network.consensusPort(() => {}).send(b.id, ask(1));
  await until("a vote passes by", () => b.messages.length === 1);
  await until("the first is being taken", () => taken > 0);
  expect(taken).toBe(1);
  gate.resolve();
  await until("all taken", () => taken === sent + 1);
  await until("room", () => room.length > 0);
  expect(room).toEqual([b.id]);
});

test("network: an outside libp2p peer, gets a proof and a final block without a hello, and a code where there is none", async () => {
  const id = new Uint8Array(32).fill(9);
  const answers = {
    findProof: (asked: Uint8Array) => (asked[0] === 9 ? utf8("the proof") : undefined),
    findFinalBlock: (height: number) => (height === 3 ? utf8("block 3") : undefined),
  };
  const a = await start({ seed: 1, validators: validatorsOf(1), ports: { answers } });
  const b = await start({ seed: 2, validators: validatorsOf(1) });
  const at = addressOf(a.address());
  expect(await b.network.request(at, OUTSIDE_PROTOCOLS.proof, encodeProofRequest(id))).toEqual({ ok: true, value: utf8("the proof") });
  expect(await b.network.request(at, OUTSIDE_PROTOCOLS.final, encodeFinalRequest(3))).toEqual({ ok: true, value: utf8("block 3") });
  expect(await b.network.request(at, OUTSIDE_PROTOCOLS.final, encodeFinalRequest(4))).toEqual({ ok: false, error: "notFound" });
  expect(await b.network.request(at, OUTSIDE_PROTOCOLS.proof, utf8("what?"))).toEqual({ ok: false, error: "malformed" });
  const { connection } = await stranger(a);
  let isBusy = false;
  for (let i = 0; i < 500 && !isBusy; i++) {
    const answer = await askOnStream(await connection.newStream(OUTSIDE_PROTOCOLS.final), systemTimers, encodeFinalRequest(3));
    isBusy = !answer.ok && answer.error === "busy";
  }
  expect(isBusy).toBe(true);
});

test("network: a stranger that says another box has our key, as a peer and when it leaves, is not believed; a validator is", async () => {
  const a = await start({ seed: 1, validators: validatorsOf(1, 2) });
  const one = await stranger(a);
  const { stream } = await greet(one, 9, 2);
  await until("it is a peer", () => a.up.length === 1);
  stream.send(encodeFrame(FRAME.twin, utf8("/ip4/192.0.2.1/tcp/1")));
  stream.send(encodeFrame(FRAME.goodbye, Uint8Array.of(10, ...utf8("/ip4/192.0.2.1/tcp/1"))));
  await until("it is gone", () => a.up.length === 0);
  expect(a.network.sharedKey).toBeUndefined();
  const member = await greet(await stranger(a), 2, 2);
  await until("the validator is a peer", () => a.up.length === 1);
  member.stream.send(encodeFrame(FRAME.twin, utf8("/ip4/192.0.2.1/tcp/1")));
  await until("it is believed", () => a.network.sharedKey !== undefined);
});

test("network: a validator that says another lowest block all the time, consensus hears it in measure, and the same one once", async () => {
  const reaches: number[] = [];
  const onPeerReach = (_peer: string, height: number): void => void reaches.push(height);
  const a = await start({ seed: 1, validators: validatorsOf(1, 2), ports: { onPeerReach } });
  const { stream, frames } = await greet(await stranger(a), 2, 2);
  await until("it is a peer", () => a.up.length === 1);
  for (let n = 0; n < 10; n++) stream.send(encodeFrame(FRAME.reach, encodeReach(7)));
  for (let height = 100; height < 250; height++) stream.send(encodeFrame(FRAME.reach, encodeReach(height)));
  stream.send(encodeFrame(FRAME.ping, new Uint8Array(0)));
  await until("all of it is read", () => frames.some(({ kind }) => kind === FRAME.pong));
  expect(reaches.slice(0, 2)).toEqual([7, 100]);
  expect(reaches.length).toBeLessThan(60);
});

test("network: a stranger that says it serves every block, consensus hears that it has none, for its answers would not be heard", async () => {
  const reaches: number[] = [];
  const onPeerReach = (_peer: string, height: number): void => void reaches.push(height);
  const a = await start({ seed: 1, validators: validatorsOf(1), ports: { onPeerReach } });
  const { stream, frames } = await greet(await stranger(a), 9, 2);
  await until("it is a peer", () => a.up.length === 1);
  for (let height = 1; height < 9; height++) stream.send(encodeFrame(FRAME.reach, encodeReach(height)));
  stream.send(encodeFrame(FRAME.ping, new Uint8Array(0)));
  await until("all of it is read", () => frames.some(({ kind }) => kind === FRAME.pong));
  expect(reaches).toEqual([Number.MAX_SAFE_INTEGER]);
  expect(a.network.peers()[0]?.lowestHeight).toBe(8); // what it says is told to people as it says it
});
