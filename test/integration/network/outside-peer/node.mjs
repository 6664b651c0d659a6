/**
 * A libp2p peer that is not ours, for Node with stock js-libp2p: `node node.mjs MULTIADDR`. Dials, identifies, pings and
 * fetches a final block and a proof by the documented protocols; prints what it saw as one line of JSON.
 */
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

// Node 20 lacks it and the library uses it.
Promise.withResolvers ??= function withResolvers() {
  let resolve = /** @type {any} */ (undefined);
  let reject = /** @type {any} */ (undefined);
  const promise = /** @type {any} */ (
    new Promise((onFulfilled, onRejected) => {
      resolve = onFulfilled;
      reject = onRejected;
    })
  );
  return { promise, resolve, reject };
};

const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() },
});
const identified = new Promise((resolve) => node.addEventListener("peer:identify", ({ detail }) => resolve(detail), { once: true }));
const address = multiaddr(process.argv[2] ?? "");
const connection = await node.dial(address);
const { agentVersion, protocols } = /** @type {any} */ (await identified);
const pingMs = await node.services.ping.ping(address);

/** @param {string} protocol @param {readonly number[]} request */
async function ask(protocol, request) {
  const stream = await connection.newStream(protocol);
  const chunks = /** @type {Uint8Array[]} */ ([]);
  const ended = new Promise((resolve) => {
    stream.addEventListener("message", ({ data }) => chunks.push(data.subarray()));
    stream.addEventListener("remoteCloseWrite", resolve);
    stream.addEventListener("close", resolve);
  });
  stream.send(Uint8Array.of(request.length, ...request));
  await ended;
  return Buffer.concat(chunks).toString("hex");
}

const final = await ask("/bizra/1/final", [0x81, 0x03]);
const proof = await ask("/bizra/1/proof", [0x81, 0x58, 32, ...new Uint8Array(32).fill(9)]);
console.log(JSON.stringify({ runtime: process.version, agentVersion, protocols, hasPinged: pingMs >= 0, final, proof }));
await node.stop();
process.exit(0);
