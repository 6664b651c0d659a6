import { afterEach, expect, test } from "bun:test";
import { multiaddr } from "@multiformats/multiaddr";
import { nobleSigner, sha256 } from "../../../src/crypto/portable.ts";
import { anchorBody, DeviceClient, type DeviceEvent, memoryStorage, streamCarrier } from "../../../src/device/index.ts";
import { err, ok, present, utf8 } from "../../../src/kernel/index.ts";
import { encodeProofRequest, OUTSIDE_PROTOCOLS } from "../../../src/network/index.ts";
import { askOnStream } from "../../../src/network/requests.ts";
import { makeTransport } from "../../../src/network/transport.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { decodeTransaction, transactionAad } from "../../../src/protocol/index.ts";
import { World, worldChain } from "../../fuzz/device-world.ts";
import { sampleHeader } from "../../vectors/protocol-samples.ts";
import { type Member, startMember, validatorsOf } from "./world.ts";

const members: Member[] = [];
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await Promise.all(members.splice(0).map(({ network }) => network.stop()));
});

test("network: the device client over WebRTC streams of its own: three anchors, final by proofs that came the same way", async () => {
  const chain = new World();
  chain.height = BigInt(sampleHeader.height); // what its proofs say
  const idOf = (encoded: Uint8Array): Uint8Array => {
    const decoded = decodeTransaction(transactionAad(worldChain.genesis.hash), encoded);
    return present(decoded.ok ? decoded.value.id : undefined, "the client sends transactions");
  };
  const answers = {
    submit: async (encoded: Uint8Array) => {
      const told = chain.submit(encoded);
      return told.kind === "refused" ? err({ refused: told.code }) : ok(idOf(encoded));
    },
    findProof: (id: Uint8Array) => {
      const look = chain.lookUp(id);
      return look.kind === "proof" ? look.bundle : undefined;
    },
    findFinalBlock: () => undefined,
  };
  const listen = { webRtcListen: { host: "127.0.0.1", port: 0 } };
  const node = await startMember({ seed: 1, validators: validatorsOf(1), options: listen, ports: { answers } });
  members.push(node);
  const own = { nodeSeed: systemEntropy.bytes(32), listen: [], announce: [], software: "device", gater: {}, entropy: systemEntropy };
  const transport = await makeTransport({ ...own, isWebRtcWanted: true });
  await transport.start();
  ends.push(() => transport.stop());
  const address = node.network.addresses.find((text) => text.includes("/webrtc-direct/")) ?? "";
  const ask = async (protocol: string, request: Uint8Array) => {
    const connection = await transport.dial(multiaddr(address));
    return askOnStream(await connection.newStream(protocol), systemTimers, request);
  };
  const carrier = streamCarrier({
    submit: (encoded) => ask(OUTSIDE_PROTOCOLS.submit, encoded),
    proof: (id) => ask(OUTSIDE_PROTOCOLS.proof, encodeProofRequest(id)),
  });
  const events: DeviceEvent[] = [];
  const client = await DeviceClient.open({
    signer: nobleSigner(sha256(utf8("a device"))),
    chain: worldChain,
    carriers: [carrier],
    storage: memoryStorage(),
    ports: { clock: systemClock, timers: systemTimers, entropy: systemEntropy },
    onEvent: (event) => events.push(event),
  });
  ends.push(() => client.close());
  for (const text of ["1", "2", "3"]) {
    const taken = await client.submit(anchorBody("webrtc", text));
    const submission = present(taken.ok ? taken.value : undefined, "the order is taken");
    expect((await submission.accepted).kind).toBe("accepted");
    chain.tick();
    expect((await submission.ended).kind).toBe("final");
  }
  expect(events.filter(({ kind }) => kind === "trouble")).toEqual([]);
  expect(chain.executed.size).toBe(3);
}, 240_000);
