import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { bizra, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { addressOf, anchorBody, type Keys, readKeys, signOrder, transferBody } from "./support/independent-client.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
let node: NodeProcess;
let alice: Keys;
let bob: Keys;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net));
  alice = readKeys(net.accounts["alice"] as string);
  bob = readKeys(net.accounts["bob"] as string);
});

afterAll(() => place.end());

/** The figures a client needs before it signs. */
async function terms(): Promise<{ fee: bigint; validUntil: bigint }> {
  const status = await node.get("/api/v2/status");
  return { fee: BigInt(status["minimumFee"] as string), validUntil: BigInt(status["height"] as string) + 1_000n };
}

const account = (keys: Keys) => node.get(`/api/v2/accounts/${addressOf(keys.publicKey)}`);

describe("a client that shares no code", () => {
  test("e2e: a transfer and an anchor by hand-written COSE, final with proofs that verify offline", async () => {
    expect((await node.get("/api/v2/status"))["genesisHash"]).toBe(net.hash.toString("hex"));
    const before = BigInt((await account(bob))["balance"] as string);
    const nonce = BigInt((await account(alice))["pendingNonce"] as string);
    const common = await terms();
    const signed = [
      signOrder(alice, net.hash, { type: 1, nonce, ...common, body: transferBody(bob.publicKey, 12_345) }),
      signOrder(alice, net.hash, { type: 2, nonce: nonce + 1n, ...common, body: anchorBody("barn/temperature", Buffer.from("21.5")) }),
    ];
    for (const { encoded, id } of signed) {
      const answer = await node.submit(encoded);
      expect(answer.status).toBe(202);
      expect(answer.json["transactions"]).toEqual([{ id, status: "accepted" }]);
    }
    for (const { encoded, id } of signed) {
      const ended = await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`);
      expect(ended["status"]).toBe("final");
      await verifyOffline(id, encoded);
    }
    expect(BigInt((await account(bob))["balance"] as string)).toBe(before + 12_345n);
    expect((await account(alice))["nonce"]).toBe((nonce + 2n).toString());
  });

  test("e2e: an account's existence and another's absence, proven offline", async () => {
    for (const [keys, words] of [
      [alice.publicKey, "has balance"],
      [createHash("sha256").update("nobody").digest(), "does not exist"],
    ] as const) {
      const file = place.at("account.proof");
      expect((await bizra("proof", "get", addressOf(keys), "--url", node.http, "--out", file)).code).toBe(0);
      const verified = await bizra("proof", "verify", file, "--genesis", net.genesis);
      expect(verified.code).toBe(0);
      expect(verified.out).toContain(words);
    }
  });
});

/** Fetches the proof, verifies it with the command offline, and checks that no changed byte passes. */
async function verifyOffline(id: string, encoded: Buffer): Promise<void> {
  const response = await fetch(`${node.http}/api/v2/transactions/${id}/proof`, { headers: { accept: "application/cbor" } });
  expect(response.headers.get("content-type")).toBe("application/cbor");
  const proof = Buffer.from(await response.arrayBuffer());
  const file = place.at(`${id}.proof`);
  const transaction = place.at(`${id}.cose`);
  await Bun.write(file, proof);
  await Bun.write(transaction, encoded);
  const good = await bizra("proof", "verify", file, "--genesis", net.genesis, "--transaction", transaction);
  expect(good.out).toContain("Valid.");
  expect(good.code).toBe(0);
  for (let i = 0; i < 12; i++) {
    const changed = Buffer.from(proof);
    const at = Math.floor((i * (proof.length - 1)) / 11);
    changed[at] = (changed[at] as number) ^ (1 << (i % 8));
    await Bun.write(file, changed);
    expect((await bizra("proof", "verify", file, "--genesis", net.genesis)).code).toBe(1);
  }
}
