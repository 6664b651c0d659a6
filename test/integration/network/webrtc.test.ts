import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { buildBinary } from "../../../.ci/build.ts";
import { ensureWebRtcAddon } from "../../../.ci/native-addons.ts";
import { err, ok, utf8 } from "../../../src/kernel/index.ts";
import { encodeProofRequest, OUTSIDE_PROTOCOLS } from "../../../src/network/index.ts";
import { askOnStream } from "../../../src/network/requests.ts";
import { makeTransport } from "../../../src/network/transport.ts";
import { systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { ChildMembers, MEMBER_PROGRAM } from "./child-members.ts";
import { addressOf, type Member, startMember, until, validatorsOf } from "./world.ts";

const members: Member[] = [];
const children = new ChildMembers();
const ends: (() => unknown)[] = [];

afterEach(async () => {
  await children.killAll();
  for (const end of ends.splice(0)) await end();
  await Promise.all(members.splice(0).map(({ network }) => network.stop()));
});

const LISTEN = { webRtcListen: { host: "127.0.0.1", port: 0 } };

/** A device: a libp2p node that only dials, and speaks WebRTC. */
async function device() {
  const options = { nodeSeed: systemEntropy.bytes(32), listen: [], announce: [], software: "device", gater: {}, entropy: systemEntropy };
  const node = await makeTransport({ ...options, isWebRtcWanted: true });
  await node.start();
  ends.push(() => node.stop());
  return node;
}

function webRtcOf(addresses: readonly string[]): Multiaddr {
  return multiaddr(addresses.find((text) => text.includes("/webrtc-direct/")) ?? "");
}

test("network: a device over WebRTC without a hello, gets its transaction taken, refused with the code, and the proof", async () => {
  const sources = new Set<string>();
  const submit = async (encoded: Uint8Array, source: string) => {
    sources.add(source);
    return encoded[0] === 1 ? ok(new Uint8Array(32).fill(1)) : err({ refused: "feeTooLow" });
  };
  const answers = { findProof: () => utf8("the proof"), findFinalBlock: () => undefined, submit };
  const a = await startMember({ seed: 1, validators: validatorsOf(1), options: LISTEN, ports: { answers } });
  members.push(a);
  const connection = await (await device()).dial(webRtcOf(a.network.addresses));
  const ask = async (protocol: string, request: Uint8Array) => askOnStream(await connection.newStream(protocol), systemTimers, request);
  expect(await ask(OUTSIDE_PROTOCOLS.submit, Uint8Array.of(1, 2, 3))).toEqual(ok(new Uint8Array(32).fill(1)));
  expect(await ask(OUTSIDE_PROTOCOLS.submit, new Uint8Array(16_384).fill(2))).toEqual(err({ refused: "feeTooLow" }));
  expect(await ask(OUTSIDE_PROTOCOLS.submit, new Uint8Array(16_385).fill(1))).toEqual(err("malformed"));
  expect(await ask(OUTSIDE_PROTOCOLS.proof, encodeProofRequest(new Uint8Array(32)))).toEqual(ok(utf8("the proof")));
  expect([...sources]).toEqual(["127.0.0.1"]);
}, 240_000);

test("network: validators over WebRTC, greeted like any other; the address outlives a restart", async () => {
  const validators = validatorsOf(1, 2);
  const first = await startMember({ seed: 1, validators, options: LISTEN });
  const before = webRtcOf(first.network.addresses);
  await first.network.stop();
  const a = await startMember({ seed: 1, validators, options: LISTEN });
  members.push(a);
  const address = webRtcOf(a.network.addresses);
  const lasting = (of: Multiaddr) => of.getComponents().filter(({ name }) => name === "certhash" || name === "p2p");
  expect(lasting(address)).toEqual(lasting(before));
  const b = await startMember({ seed: 2, validators, peers: [address.toString()], options: LISTEN });
  members.push(b);
  await until("up", () => a.up.length === 1 && b.up.length === 1);
  b.network.sendBatchMessage(a.id, new Uint8Array(200_000), "bulk");
  await until("a batch", () => a.batches.length === 1);
  expect(a.batches[0]?.payload.length).toBe(200_000);
}, 240_000);

test("network: WebRTC compiled into the one binary, dialled by a device", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bizra-webrtc-"));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, "member");
  const root = join(dirname(MEMBER_PROGRAM), "..", "..", "..");
  const target = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
  const webRtcAddon = await ensureWebRtcAddon(target);
  await buildBinary({ entryPoints: [MEMBER_PROGRAM], root, outfile, stamp: { version: "0", commit: "test", inputs: "00" }, webRtcAddon });
  const { webRtc } = await children.spawn(1, 1, [], [outfile, "--webrtc"]);
  const connection = await (await device()).dial(multiaddr(webRtc));
  const answer = await askOnStream(
    await connection.newStream(OUTSIDE_PROTOCOLS.proof),
    systemTimers,
    encodeProofRequest(new Uint8Array(32)),
  );
  expect(answer).toEqual(err("notFound"));
  expect(addressOf(webRtc).multiaddr.toString()).toBe(webRtc);
}, 240_000);
