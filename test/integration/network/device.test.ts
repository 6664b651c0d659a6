import { afterEach, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { multiaddr } from "@multiformats/multiaddr";
import { createNetwork } from "../../../src/cli/network-files.ts";
import { localSigner, nobleSuite, parsePkcs8Pem } from "../../../src/crypto/index.ts";
import { present, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { encodeProofRequest, OUTSIDE_PROTOCOLS } from "../../../src/network/index.ts";
import { askOnStream } from "../../../src/network/requests.ts";
import { makeTransport } from "../../../src/network/transport.ts";
import { openSetup, startNode } from "../../../src/node/index.ts";
import { systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import {
  decodeProofBundle,
  genesisValidatorSet,
  parseGenesis,
  signTransaction,
  transactionAad,
  verifyProofBundle,
} from "../../../src/protocol/index.ts";

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A UDP port that was free a moment ago; the library cannot be asked which one it took. */
function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

test("network: a device with nothing but WebRTC and the genesis document, submits to a node and verifies the receipt's proof", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bizra-device-"));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const webRtcPort = String(await freeUdpPort());
  const settings = {
    "http.listen": "127.0.0.1:0",
    "network.listen": "127.0.0.1:0",
    "network.webRtcPort": webRtcPort,
    "network.peers": "127.0.0.1:9",
  };
  const plan = {
    directory: join(folder, "net"),
    chainName: "device",
    validators: 1,
    timeMs: 1_790_000_000_000,
    settingsOf: () => settings,
  };
  const files = await createNetwork(plan, systemEntropy);
  const node = await startNode(await openSetup(present(files.homes[0], "one home"), {}, () => Promise.resolve(undefined)), silentLog);
  ends.push(() => node.stop());
  const { addresses } = (await (await fetch(`${node.http}/api/v2/peers`)).json()) as { addresses: string[] };
  const address = present(
    addresses.find((text) => text.includes("/webrtc-direct/")),
    "it listens for devices",
  );

  const device = await makeTransport({
    nodeSeed: systemEntropy.bytes(32),
    listen: [],
    announce: [],
    software: "device",
    gater: {},
    entropy: systemEntropy,
    isWebRtcWanted: true,
  });
  await device.start();
  ends.push(() => device.stop());
  const connection = await device.dial(multiaddr(address));
  const ask = async (protocol: string, request: Uint8Array) => askOnStream(await connection.newStream(protocol), systemTimers, request);

  const seed = parsePkcs8Pem(readFileSync(present(files.accounts[0], "a demo account").key, "utf8"));
  if (!seed.ok) throw new Error("the demo key parses");
  const signer = localSigner(seed.value);
  const order = (nonce: bigint) =>
    signTransaction(signer, transactionAad(files.genesisHash), {
      sender: signer.publicKey,
      nonce,
      fee: 1_000n,
      validUntil: 1_000n,
      body: { type: 2, stream: "s", content: { data: utf8("21.5") } },
    });
  expect(await ask(OUTSIDE_PROTOCOLS.submit, utf8("no transaction"))).toEqual({ ok: false, error: { refused: "malformed" } });
  const accepted = await ask(OUTSIDE_PROTOCOLS.submit, order(0n));
  if (!accepted.ok) throw new Error(JSON.stringify(accepted.error));
  let proof = await ask(OUTSIDE_PROTOCOLS.proof, encodeProofRequest(accepted.value));
  for (let attempt = 0; !proof.ok && attempt < 20; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 150)); // a peer may ask ten times a second
    proof = await ask(OUTSIDE_PROTOCOLS.proof, encodeProofRequest(accepted.value));
  }
  const bundle = proof.ok ? decodeProofBundle(proof.value) : proof;
  const genesis = parseGenesis(readFileSync(files.genesisPath, "utf8"));
  const set = genesis.ok ? genesisValidatorSet(genesis.value) : genesis;
  if (!bundle.ok || !set.ok) throw new Error("there is a proof and a genesis");
  const fact = verifyProofBundle(nobleSuite, { chainId: files.genesisHash, epoch: 0, set: set.value }, bundle.value);
  expect(fact).toMatchObject({ ok: true, value: { kind: "receipt" } });
  expect(fact.ok && fact.value.kind === "receipt" && toHex(fact.value.receipt.transactionId)).toBe(toHex(accepted.value));
}, 240_000);
