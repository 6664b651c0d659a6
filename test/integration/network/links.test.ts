import { afterEach, expect, test } from "bun:test";
import type { Message } from "../../../src/consensus/index.ts";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { type Clock, toHex } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy } from "../../../src/node/ports.ts";
import { certify, headerAt, TIP_SET } from "../../unit/network/tip-fixture.ts";
import { SlowLink } from "./slow-link.ts";
import { addressOf, CHAIN_ID, type Member, signerOf, startMember, until, validatorsOf } from "./world.ts";

const running: Member[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ network }) => network.stop()));
});

async function start(...[options]: Parameters<typeof startMember>): Promise<Member> {
  const member = await startMember(options);
  running.push(member);
  return member;
}

/** Ends one member only. */
async function stop(member: Member): Promise<void> {
  running.splice(running.indexOf(member), 1);
  await member.network.stop();
}

function broadcast({ network }: Member, message: Message): void {
  network.consensusPort(() => {}).broadcast(message);
}

const ask = (token: number): Message => ({ kind: "recoveryRequest", token });

test("network: two validators, each is told of the other's proven key and hears its messages", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("both up", () => a.up.length === 1 && b.up.length === 1);
  expect(a.up).toEqual([b.id]);
  expect(b.up).toEqual([a.id]);
  broadcast(b, ask(9));
  a.network.consensusPort(() => {}).send(b.id, ask(9));
  await until("both heard", () => a.messages.length === 1 && b.messages.length === 1);
  expect(a.messages).toEqual([{ from: b.id, message: ask(9) }]);
  expect(b.messages).toEqual([{ from: a.id, message: ask(9) }]);
  const [status] = b.network.peers();
  expect(status).toMatchObject({ peer: a.id, isValidator: true, direction: "outbound", version: 2, software: "bizra/test" });
  expect(b.network.absentPeers()).toEqual([]);
});

test("network: a mesh whose members all dial each other at once, one connection a pair stays and carries each message once", async () => {
  const seeds = [1, 2, 3, 4];
  const validators = validatorsOf(...seeds);
  const members: Member[] = [];
  const times = { pingMs: 60_000, helloMs: 60_000 }; // a busy machine ends no connection: what ends is replaced
  for (const seed of seeds) members.push(await start({ seed, validators, options: { times } }));
  for (const member of members) {
    const others = members.filter((other) => other !== member);
    member.network.setAddresses(others.map((other) => addressOf(other.address())));
  }
  await until("a full mesh", () => members.every(({ up }) => up.length === 3));
  await until("no address left to dial", () => members.every(({ network }) => network.absentPeers().length === 0));
  const downs = members.map((member) => member.downs.length);
  // Each of the six pairs replaces one connection at most, as either end sees it.
  expect(downs.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(12);
  for (const [index, member] of members.entries()) broadcast(member, ask(index));
  await until("all heard all", () => members.every(({ messages }) => messages.length >= 3));
  for (const [index, { messages }] of members.entries()) {
    expect(messages.map(({ message }) => (message.kind === "recoveryRequest" ? message.token : -1)).sort()).toEqual(
      [0, 1, 2, 3].filter((token) => token !== index),
    );
  }
  expect(members.map((member) => member.downs.length)).toEqual(downs);
});

test("network: another chain, both ends are told why and no peer is announced", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()], options: { chainId: new Uint8Array(32).fill(8) } });
  await until("a reason", () => b.network.absentPeers()[0]?.reason !== undefined);
  expect(b.network.absentPeers()[0]).toMatchObject({ failures: 1, reason: "otherChain" });
  expect([a.up, b.up]).toEqual([[], []]);
});

test("network: versions that overlap, the newest in common; none in common, refused", async () => {
  const validators = validatorsOf(1, 2, 3);
  const a = await start({ seed: 1, validators, options: { versions: { min: 1, max: 2 } } });
  const b = await start({ seed: 2, validators, peers: [a.address()], options: { versions: { min: 2, max: 3 } } });
  const c = await start({ seed: 3, validators, peers: [a.address()], options: { versions: { min: 3, max: 4 } } });
  await until("b up, c refused", () => a.up.length === 1 && c.network.absentPeers()[0]?.reason !== undefined);
  expect(a.network.peers()[0]).toMatchObject({ peer: b.id, version: 2 });
  expect(c.network.absentPeers()[0]?.reason).toContain("noCommonVersion");
});

test("network: a validator key claimed without its signature, refused and banned", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const liar = { publicKey: signerOf(2).publicKey, sign: (message: Uint8Array) => signerOf(3).sign(message) };
  const b = await start({ seed: 3, validators, peers: [a.address()], options: { identity: { kind: "validator", signer: liar } } });
  await until("a reason", () => b.network.absentPeers()[0]?.reason !== undefined);
  expect(b.network.absentPeers()[0]?.reason).toContain("badBinding");
  await until("turned away at the door", () => (b.network.absentPeers()[0]?.failures ?? 0) > 2);
  expect(b.network.absentPeers()[0]?.reason).not.toContain("badBinding");
  expect(a.up).toEqual([]);
});

test("network: another key than the configuration names at an address, refused by who dialled", async () => {
  const validators = validatorsOf(1, 2, 3);
  const a = await start({ seed: 1, validators });
  const wanted = toHex(signerOf(3).publicKey);
  const b = await start({ seed: 2, validators, peers: [`${wanted}@${a.address()}`] });
  await until("a reason", () => b.network.absentPeers()[0]?.reason !== undefined);
  expect(b.network.absentPeers()[0]).toMatchObject({ peer: wanted, reason: "unexpectedKey" });
});

test("network: observers, let in up to their places, those on the allow-list beyond", async () => {
  const validators = validatorsOf(1);
  const a = await start({ seed: 1, validators, options: { observersMax: 1, allow: [toHex(signerOf(4).publicKey)] } });
  const observer = (seed: number) =>
    start({ seed, validators, peers: [a.address()], options: { identity: { kind: "observer", nodeSeed: new Uint8Array(32).fill(seed) } } });
  const first = await observer(2);
  await until("first up", () => first.up.length === 1);
  const second = await observer(3);
  await until("second refused", () => second.network.absentPeers()[0]?.reason !== undefined);
  expect(second.network.absentPeers()[0]?.reason).toContain("notAllowed");
  await observer(4);
  await until("the listed one up", () => a.up.length === 2);
  broadcast(first, ask(1));
  first.network.consensusPort(() => {}).send(a.id, ask(2));
  first.network.consensusPort(() => {}).send(a.id, { kind: "fetch", target: { kind: "finalBlocks", fromHeight: 1 } });
  await until("the fetch heard", () => a.messages.length > 0);
  expect(a.messages.map(({ message }) => message.kind)).toEqual(["fetch"]);
  broadcast(a, ask(3));
  expect(first.messages).toEqual([]);
});

test("network: a node that knows no validator of today, hears in full whom its operator named", async () => {
  const behind = await start({ seed: 1, validators: validatorsOf(1) });
  const ahead = await start({ seed: 2, validators: validatorsOf(1, 2) });
  const stranger = await start({ seed: 3, validators: validatorsOf(1, 3), peers: [behind.address()] });
  behind.network.setAddresses([addressOf(ahead.address())]);
  await until("both up", () => behind.up.length === 2 && ahead.up.length === 1);
  broadcast(stranger, ask(3));
  broadcast(ahead, ask(2));
  await until("heard", () => behind.messages.length > 0);
  expect(behind.messages).toEqual([{ from: ahead.id, message: ask(2) }]);
});

test("network: tips, the height that is proven is known to peers, also as it grows; a false one ends the link and bans", async () => {
  const validators = validatorsOf(1, 2, 3);
  let height = 5;
  const tips = { chainId: CHAIN_ID, findEpochSet: () => TIP_SET, isFinalHere: () => false, verify: verifyEd25519 };
  const ownTip = () => ({ header: headerAt(height), finalization: certify(headerAt(height), [0, 1, 2]) });
  const a = await start({ seed: 1, validators, ports: { tips } });
  const b = await start({ seed: 2, validators, peers: [a.address()], ports: { tips, ownTip } });
  await until("known", () => a.network.peers()[0]?.provenHeight === 5);
  height = 9;
  await new Promise((resolve) => setTimeout(resolve, 1_050)); // tips are judged once a second
  b.network.onTipChanged();
  await until("known as it grows", () => a.network.peers()[0]?.provenHeight === 9);
  const liar = await start({
    seed: 3,
    validators,
    peers: [a.address()],
    ports: { ownTip: () => ({ header: headerAt(99), finalization: certify(headerAt(99), [0, 1]) }) },
  });
  await until("banned", () => liar.downs.length === 1);
  expect(a.network.peers().map(({ peer }) => peer)).toEqual([b.id]);
});

test("network: a peer that restarts on its address, down and up again under the same key", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("up", () => b.up.length === 1);
  const port = Number(a.address().split(":")[1]);
  await stop(a);
  await until("down", () => b.downs.length === 1);
  await until("a reason", () => (b.network.absentPeers()[0]?.failures ?? 0) > 1);
  const again = await start({ seed: 1, validators, port });
  await until("up again", () => b.up.length === 1 && again.up.length === 1);
  expect(b.up).toEqual([a.id]);
});

test("network: a peer whose misconduct is reported, banned, and let in again when the ban is over", async () => {
  const validators = validatorsOf(1, 2);
  let ahead = 0;
  const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + ahead };
  const a = await start({ seed: 1, validators, ports: { clock } });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("up", () => a.up.length === 1);
  a.network.report(b.id, "garbage");
  expect(a.up.length).toBe(1);
  a.network.report(b.id, "garbage");
  await until("down", () => a.up.length === 0 && b.up.length === 0);
  await until("tried again in vain", () => (b.network.absentPeers()[0]?.failures ?? 0) > 2);
  expect(a.up).toEqual([]);
  ahead = 31_000;
  await until("up again", () => a.up.length === 1 && b.up.length === 1);
});

test("network: the same key on two running boxes, each replaces the other and neither is heard as someone else", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("up", () => a.up.length === 1);
  const clone = await start({ seed: 2, validators, peers: [a.address()] });
  await until("replaced", () => a.downs.length > 0);
  expect(new Set([...a.up, ...a.downs])).toEqual(new Set([b.id]));
  expect(clone.id).toBe(b.id);
  expect(a.network.peers().length).toBeLessThanOrEqual(1);
});

test("network: our own address among the peers, refused as our own key", async () => {
  const validators = validatorsOf(1);
  const a = await start({ seed: 1, validators });
  a.network.setAddresses([addressOf(a.address())]);
  await until("a reason", () => a.network.absentPeers()[0]?.reason !== undefined);
  expect(a.up).toEqual([]);
});

test("network: a port that is taken, the start fails by its own error and opens nothing", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const port = Number(a.address().split(":")[1]);
  expect(startMember({ seed: 2, validators, port })).rejects.toThrow(`127.0.0.1:${port}`);
});

test("network: a slow link full of batches, a vote and its answer pass them by", async () => {
  const validators = validatorsOf(1, 2);
  const far = await start({
    seed: 1,
    validators,
    ports: {
      onMessage: (from, message) => {
        if (message.kind !== "recoveryRequest") return;
        const answer: Message = { kind: "recoveryAnswer", token: message.token, isRecovering: false };
        far.network.consensusPort(() => {}).send(from, answer);
      },
    },
  });
  const link = await SlowLink.open(far.address(), 500_000);
  try {
    const answered = new Set<number>();
    const onMessage = (_from: string, message: Message): void => {
      if (message.kind === "recoveryAnswer") answered.add(message.token);
    };
    const times = { pingMs: 20_000, helloMs: 5_000 };
    const near = await start({ seed: 2, validators, peers: [link.address], ports: { onMessage }, options: { times } });
    await until("up", () => near.up.length === 1);
    await until("bulk lanes", () => near.network.sendBatchMessage(far.id, systemEntropy.bytes(1_000), "bulk"));
    for (let i = 0; i < 24; i++) near.network.sendBatchMessage(far.id, systemEntropy.bytes(128 * 1024), "bulk");
    const tookMs: number[] = [];
    for (let token = 0; token < 10; token++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      const startMs = systemClock.monotonicMs();
      broadcast(near, ask(token));
      await until("the answer", () => answered.has(token));
      tookMs.push(systemClock.monotonicMs() - startMs);
    }
    expect(near.network.peers()[0]?.queuedBytes).toBeGreaterThan(1_000_000);
    expect(tookMs.sort((a, b) => a - b)[5]).toBeLessThan(1_000); // behind the batches it would be two seconds and more
  } finally {
    link.close();
  }
}, 240_000);

test("network: dissemination's messages, urgent ones and batches arrive whole and from the proven key", async () => {
  const validators = validatorsOf(1, 2);
  const a = await start({ seed: 1, validators });
  const b = await start({ seed: 2, validators, peers: [a.address()] });
  await until("up", () => b.up.length === 1 && a.up.length === 1);
  const batch = systemEntropy.bytes(256 * 1024 - 64);
  expect(b.network.sendBatchMessage(a.id, batch, "bulk")).toBe(true);
  b.network.broadcastBatchMessage(Uint8Array.of(1, 2, 3));
  await until("both heard", () => a.batches.length === 2);
  expect(a.batches.find(({ payload }) => payload.length > 3)).toEqual({ from: b.id, payload: batch });
  expect(b.network.sendBatchMessage("00".repeat(32), batch, "bulk")).toBe(false);
  expect(b.network.traffic.sent.get("batches/batch")?.messages).toBe(1);
});
