import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../../src/cli/network-files.ts";
import type { Message } from "../../../src/consensus/index.ts";
import { localSigner, parsePkcs8Pem, type Signer, verifyEd25519 } from "../../../src/crypto/index.ts";
import { CborReader, Prng, present, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { encodeFrame } from "../../../src/network/frames.ts";
import { encodeFinalRequest, OUTSIDE_PROTOCOLS } from "../../../src/network/index.ts";
import { FRAME } from "../../../src/network/lanes.ts";
import { signPresence } from "../../../src/network/presence.ts";
import { encodeReach } from "../../../src/network/reach.ts";
import { HOME } from "../../../src/node/home.ts";
import { openSetup, type RunningNode, startNode } from "../../../src/node/index.ts";
import {
  type Block,
  type Certificate,
  decodeBlock,
  LIMITS,
  readBlockHeader,
  readCertificate,
  signTransaction,
  transactionAad,
} from "../../../src/protocol/index.ts";
import { connectStranger, greet, type Stranger } from "./stranger.ts";
import { addressOf, type Member, type MemberOptions, startMember } from "./world.ts";

/** Blocks of the chain that is caught up with. */
const BLOCKS = 12;
/** Fake archives that answer, of each kind; and those that never do. More than are dialled at a time. */
const LIARS = 18;
const MUTES = 2;

const folder = mkdtempSync(join(tmpdir(), "bizra-archives-"));
const running: RunningNode[] = [];
const members: Member[] = [];
const strangers: Stranger[] = [];
let net: Awaited<ReturnType<typeof createNetwork>>;
let ports: readonly number[];
let archivePort: number;
let archive: RunningNode;
let signers: readonly Signer[];
let chain: readonly Uint8Array[];

/** Ports of loopback that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }));
  const found = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return found;
}

async function start(home: string): Promise<RunningNode> {
  const node = await startNode(await openSetup(home, {}, () => Promise.resolve(undefined)), silentLog);
  running.push(node);
  return node;
}

async function member(options: MemberOptions): Promise<Member> {
  const one = await startMember(options);
  members.push(one);
  return one;
}

const status = async (node: RunningNode): Promise<Record<string, unknown>> =>
  (await (await fetch(`${node.http}/api/v2/status`)).json()) as Record<string, unknown>;
const heightOf = async (node: RunningNode): Promise<number> => Number((await status(node))["height"]);

/** Resolves when something holds; the test's own limit ends what never does. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A block and its finalization out of an answer for it. */
function partsOf(answer: Uint8Array): { readonly block: Block; readonly finalization: Certificate } {
  const r = new CborReader(answer);
  r.array(2);
  const from = r.offset;
  const fields = r.array(4);
  readBlockHeader(r);
  for (let left = r.array(LIMITS.blockBatchesMax); left > 0; left--) r.bytes(32);
  for (let left = r.array(LIMITS.blockEvidenceMax); left > 0; left--) r.bytes(1, LIMITS.evidenceBytesMax);
  if (fields === 4) readCertificate(r);
  const block = decodeBlock(answer.subarray(from, r.offset));
  const finalization = readCertificate(r);
  if (!block.ok || !r.isComplete) throw new Error("an answer of ours decodes");
  return { block: block.value, finalization };
}

/** The place of a validator, as anybody dials it. */
const placeOf = (index: number): string => `${toHex(present(signers[index], "it has a key").publicKey)}@127.0.0.1:${ports[index]}`;

const isMember = (key: Uint8Array): boolean => signers.some(({ publicKey }) => toHex(publicKey) === toHex(key));

/** They hold nothing of the chain, so they judge no height. */
const tips = {
  get chainId() {
    return net.genesisHash;
  },
  findEpochSet: () => undefined,
  isFinalHere: () => false,
  verify: verifyEd25519,
};

/** What a node of this chain that is none of ours is made of. */
const world = (options: MemberOptions["options"], more: MemberOptions["ports"]): Pick<MemberOptions, "options" | "ports"> => ({
  options: { chainId: net.genesisHash, observersMax: 64, times: {}, ...options },
  ports: { isValidator: isMember, tips, ...more },
});

/** A validator that pruned everything but the last block: it shows what is final, and serves no more of it. */
async function prunedValidator(index: number): Promise<void> {
  const { block, finalization } = partsOf(present(chain.at(-1), "there are blocks"));
  const tip: Message = { kind: "certificates", certificates: [finalization] };
  const one: { member?: Member } = {};
  const identity = { kind: "validator", signer: present(signers[index], "it has a key") } as const;
  const onPeerUp = (peer: string): void => one.member?.network.consensusPort(() => {}).send(peer, tip);
  const onMessage = (from: string, message: Message): void => {
    if (message.kind === "fetch" && message.target.kind === "block")
      one.member?.network.consensusPort(() => {}).send(from, { kind: "block", block });
  };
  one.member = await member({
    seed: 100 + index,
    validators: new Set(),
    peers: [0, 1, 2].filter((other) => other !== index).map(placeOf),
    port: present(ports[index], "it has a port"),
    ...world({ identity }, { onPeerUp, onMessage, lowestHeight: () => 10_000 }),
  });
}

/** An observer that calls itself an archive of everything; what it shows of the block that is asked for, and what it sends then, it chooses. */
async function fakeArchive(seed: number, shown: (height: number) => Uint8Array | undefined, answer?: Message): Promise<void> {
  const one: { member?: Member } = {};
  const [port = 0] = freePorts(1);
  const onMessage = (from: string, message: Message): void => {
    if (message.kind === "fetch" && answer) one.member?.network.consensusPort(() => {}).send(from, answer);
  };
  const identity = { kind: "observer", nodeSeed: new Uint8Array(32).fill(seed) } as const;
  const answers = { findProof: () => undefined, findFinalBlock: shown };
  one.member = await member({
    seed,
    validators: new Set(),
    peers: [0, 1, 2].map(placeOf),
    port,
    ...world({ identity, isArchive: true, announce: [addressOf(`127.0.0.1:${port}`)] }, { onMessage, answers, lowestHeight: () => 1 }),
  });
}

/** A stranger that calls itself an archive to a node it dials, and never answers what it is asked. */
async function muteArchive(at: string, n: number): Promise<void> {
  const seed = new Uint8Array(32).fill(200 + n);
  const one = await connectStranger(at, seed);
  strangers.push(one);
  await one.node.handle(OUTSIDE_PROTOCOLS.final, () => {});
  const { stream } = await greet(one, 200 + n, 2, net.genesisHash);
  const services = { isRelay: false, isArchive: true };
  const presence = { nodeKey: one.nodeKey, instance: new Uint8Array(8), sequence: 1, services, addresses: [] };
  stream.send(encodeFrame(FRAME.presence, signPresence(presence, net.genesisHash, seed)));
  stream.send(encodeFrame(FRAME.reach, encodeReach(1)));
}

beforeAll(async () => {
  [archivePort = 0, ...ports] = freePorts(5);
  const random = new Prng(11);
  const entropy = { bytes: (count: number) => random.bytes(count) };
  const settings = (index: number, peers: readonly number[]) => ({
    "http.listen": "127.0.0.1:0",
    "network.listen": `127.0.0.1:${ports[index] ?? archivePort}`,
    "network.peers": peers.map((other) => `127.0.0.1:${ports[other]}`).join(","),
    "storage.snapshotBlocks": "0",
  });
  const settingsOf = (index: number) =>
    settings(
      index,
      [0, 1, 2].filter((other) => other !== index),
    );
  net = await createNetwork(
    { directory: join(folder, "net"), chainName: "unit", validators: 4, timeMs: Date.now() - 1_000, settingsOf },
    entropy,
  );
  const spare = await createNetwork(
    {
      directory: join(folder, "spare"),
      chainName: "unit",
      validators: 1,
      timeMs: Date.now() - 1_000,
      settingsOf: () => ({ ...settings(4, [0, 1, 2]), "storage.archive": "true", "network.announce": `127.0.0.1:${archivePort}` }),
    },
    entropy,
  );
  cpSync(join(net.homes[0] ?? "", HOME.genesis), join(spare.homes[0] ?? "", HOME.genesis));
  const setups = await Promise.all(net.homes.map((home) => openSetup(home, {}, () => Promise.resolve(undefined))));
  signers = setups.map(({ validator }) => validator);
  const validators = await Promise.all([0, 1, 2].map((index) => start(net.homes[index] ?? "")));
  archive = await start(spare.homes[0] ?? "");
  await makeBlocks(present(validators[0], "it runs"));
  await until(async () => (await heightOf(archive)) >= BLOCKS);
  await Promise.all(validators.map((node) => node.stop()));
  for (const node of validators) running.splice(running.indexOf(node), 1);
  chain = await readChain();
}, 60_000);

/** Anchors, one block each. */
async function makeBlocks(node: RunningNode): Promise<void> {
  const seed = parsePkcs8Pem(readFileSync(net.accounts[0]?.key as string, "utf8"));
  if (!seed.ok) throw new Error("the demo key parses");
  const rich = localSigner(seed.value);
  const aad = transactionAad(net.genesisHash);
  for (let nonce = 0n; (await heightOf(node)) < BLOCKS; nonce++) {
    const body = { type: 2, stream: "s", content: { data: utf8("1") } } as const;
    const encoded = signTransaction(rich, aad, { sender: rich.publicKey, nonce, fee: 1000n, validUntil: 100_000n, body });
    const init = { method: "POST", headers: { "content-type": "application/cose" }, body: Uint8Array.from(encoded) };
    let id: string | undefined;
    await until(async () => {
      const { transactions } = (await (await fetch(`${node.http}/api/v2/transactions`, init)).json()) as {
        transactions?: { id: string }[];
      };
      id = transactions?.[0]?.id;
      return id !== undefined;
    });
    await (await fetch(`${node.http}/api/v2/transactions/${id}?wait=final&timeoutMs=5000`)).text();
  }
}

/** Every block of the archive with its finalization, by height from 1 on. */
async function readChain(): Promise<Uint8Array[]> {
  const asker = await member({
    seed: 99,
    validators: new Set(),
    ...world({ identity: { kind: "observer", nodeSeed: new Uint8Array(32).fill(99) } }, {}),
  });
  const found: Uint8Array[] = [];
  for (let height = 1; height <= (await heightOf(archive)); height++) {
    const answer = await asker.network.request(addressOf(`127.0.0.1:${archivePort}`), OUTSIDE_PROTOCOLS.final, encodeFinalRequest(height));
    if (!answer.ok) throw new Error(String(answer.error));
    found.push(answer.value);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return found;
}

afterAll(async () => {
  await Promise.all(strangers.map(({ node }) => node.stop()));
  await Promise.all(members.map(({ network }) => network.stop()));
  await Promise.all(running.map((node) => node.stop()));
  rmSync(folder, { recursive: true, force: true });
});

describe("a node behind validators that pruned, among fake archives", () => {
  test("catching up: eighteen that lie and two that never answer were there first, it reaches the one honest archive all the same", async () => {
    await Promise.all([0, 1, 2].map(prunedValidator));
    const garbled = Uint8Array.from([...(chain[0] ?? []), 0]);
    const late = partsOf(present(chain.at(-1), "there are blocks"));
    const useless: Message = { kind: "finalBlocks", blocks: [late.block], finalization: late.finalization };
    for (let n = 0; n < LIARS; n++) {
      const shown = [() => undefined, () => chain.at(-1), () => garbled][n % 3];
      await fakeArchive(20 + n, n < 2 ? (height) => chain[height - 1] : (shown ?? (() => undefined)), n === 0 ? undefined : useless);
    }
    const began = performance.now();
    const node = await start(net.homes[3] ?? "");
    for (let n = 0; n < MUTES; n++) await muteArchive(`127.0.0.1:${ports[3]}`, n);
    await until(async () => (await heightOf(node)) >= BLOCKS);
    console.log(`network: level among ${LIARS + MUTES} fake archives after ${Math.round(performance.now() - began)} ms`);
    const { connected } = (await (await fetch(`${node.http}/api/v2/peers`)).json()) as { connected: { isArchive: boolean }[] };
    expect(connected.some(({ isArchive }) => isArchive)).toBe(true);
  }, 120_000);
});
