import { expect, test } from "bun:test";
import { NodeReads } from "../../../../src/gateway/page/node-reads.ts";
import { ok } from "../../../../src/kernel/index.ts";

const TAIL = "udp/8845/webrtc-direct/certhash/uEiAA/p2p/12D3KooWA";
const readsOf = (body: unknown, status = 200) =>
  new NodeReads(async () => new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));

test("page reads: the WebRTC address on the host that served the page, else the first, else a sentence", async () => {
  const addresses = [`/ip4/127.0.0.1/tcp/8745/p2p/12D3KooWA`, `/ip4/127.0.0.1/${TAIL}`, `/ip4/192.0.2.7/${TAIL}`];
  const reads = readsOf({ addresses });
  expect(await reads.webRtcAddress("192.0.2.7")).toEqual(ok(`/ip4/192.0.2.7/${TAIL}`));
  expect(await reads.webRtcAddress("localhost")).toEqual(ok(`/ip4/127.0.0.1/${TAIL}`));
  expect(await reads.webRtcAddress("box.example")).toEqual(ok(`/ip4/127.0.0.1/${TAIL}`));
  for (const body of [{ addresses: addresses.slice(0, 1) }, { addresses: [] }, {}]) {
    const none = await readsOf(body).webRtcAddress("localhost");
    expect(none.ok ? "" : none.error).toStartWith("This node does not speak WebRTC.");
  }
});

test("page reads: quantities as strings or numbers; anything else, a status, no JSON or no answer told in sentences", async () => {
  expect(await readsOf({ balance: "18446744073709551615", pendingNonce: 7 }).account("bz1")).toEqual(
    ok({ balance: 18_446_744_073_709_551_615n, pendingNonce: 7n }),
  );
  const sentences = await Promise.all([
    readsOf({ balance: "-1", pendingNonce: "0" }).account("bz1"),
    readsOf("<html>").account("bz1"),
    readsOf("[]").terms(),
    readsOf({ genesisHash: "00", height: 1, minimumFee: "1" }).terms(),
    readsOf({}, 503).genesis(),
    new NodeReads(() => Promise.reject(new TypeError("Failed to fetch"))).genesis(),
  ]);
  expect(sentences.map((read) => (read.ok ? "taken" : read.error.split(". ")[0]))).toEqual([
    "The node answered /api/v2/accounts/bz1 with something that this page does not understand",
    "The node answered /api/v2/accounts/bz1 with something that this page does not understand",
    "The node answered /api/v2/status with something that this page does not understand",
    "The node answered /api/v2/status with something that this page does not understand",
    "The node answered /api/v2/genesis with status 503",
    "The node that served this page does not answer any more",
  ]);
});
