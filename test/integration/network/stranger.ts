import { connect, type Socket } from "node:net";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { publicKeyOf } from "../../../src/crypto/index.ts";
import { BodyReader, encodeFrame, type Frame, frameOf } from "../../../src/network/frames.ts";
import { encodeHello, type Hello } from "../../../src/network/hello.ts";
import { FRAME, LANE_TRAITS, type Lane } from "../../../src/network/lanes.ts";
import { bindNodeKey } from "../../../src/network/node-key.ts";
import { noiseCrypto } from "../../../src/network/noise-crypto.ts";
import { systemEntropy } from "../../../src/node/ports.ts";
import { CHAIN_ID, signerOf } from "./world.ts";

/** A libp2p node that is not ours and says whatever a test makes it say. */
export type Stranger = { readonly node: Libp2p; readonly nodeKey: Uint8Array; readonly connection: Connection };

/** Connects a stranger to a member. */
export async function connectStranger(address: string, seed = systemEntropy.bytes(32)): Promise<Stranger> {
  const node = await createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", seed),
    transports: [tcp()],
    connectionEncrypters: [noise({ crypto: await noiseCrypto(systemEntropy) })],
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionMonitor: { enabled: false },
  });
  const [host, port] = address.split(":");
  return { node, nodeKey: publicKeyOf(seed), connection: await node.dial(multiaddr(`/ip4/${host}/tcp/${port}`)) };
}

/** Opens a lane as a dialling node does. */
export function openLane({ connection }: Stranger, lane: Lane): Promise<Stream> {
  return connection.newStream(LANE_TRAITS[lane].protocol);
}

/** The hello of a numbered validator, bound to the stranger's node key. */
export function helloOf({ nodeKey }: Stranger, seed: number, version = 1, chainId: Uint8Array = CHAIN_ID): Hello {
  return {
    versions: { min: version, max: version },
    chainId,
    instance: new Uint8Array(8).fill(seed),
    binding: bindNodeKey(signerOf(seed), chainId, nodeKey),
    software: "stranger",
  };
}

/** Greets as a numbered validator; resolves with the stream when the member has welcomed it. */
export async function greet(
  stranger: Stranger,
  seed: number,
  version = 1,
  chainId: Uint8Array = CHAIN_ID,
): Promise<{ stream: Stream; frames: Frame[] }> {
  const stream = await openLane(stranger, "consensus");
  const frames: Frame[] = [];
  const reader = new BodyReader(2 ** 22);
  const welcomed = Promise.withResolvers<void>();
  stream.addEventListener("message", ({ data }) => {
    const bodies = reader.push(data.subarray());
    if (!bodies.ok) throw new Error(bodies.error);
    frames.push(...bodies.value.map(frameOf));
    if (frames.some(({ kind }) => kind === FRAME.welcome)) welcomed.resolve();
  });
  stream.addEventListener("close", () => welcomed.reject(new Error("closed")));
  stream.send(encodeFrame(FRAME.hello, encodeHello(helloOf(stranger, seed, version, chainId))));
  await welcomed.promise;
  stream.send(encodeFrame(FRAME.welcome, new Uint8Array(0)));
  return { stream, frames };
}

/** A TCP connection on which nothing is said. */
export function connectSilently(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host ?? "", () => resolve(socket));
    socket.once("error", reject);
  });
}
