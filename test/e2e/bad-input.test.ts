import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Client, findProblemFaults } from "./support/client.ts";
import {
  aadOf,
  anchorBody,
  type Cbor,
  cbor,
  coseOf,
  deviceRegisterBody,
  type Keys,
  map,
  newKeys,
  type Order,
  payloadOf,
  readKeys,
  signOrder,
  signPayload,
  transferBody,
} from "./support/independent-client.ts";
import { malformedForms } from "./support/malformed-forms.ts";
import type { Answer, NodeProcess } from "./support/node-process.ts";
import { futileBodies, keysOutsideTheRule } from "./support/refused-forms.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;
let node: NodeProcess;
let client: Client;
let alice: Keys;
let bob: Keys;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  node = await place.start(homeOf(net));
  client = new Client(node, net.hash);
  alice = readKeys(net.accounts["alice"] ?? "");
  bob = readKeys(net.accounts["bob"] ?? "");
  await client.pay(alice, bob.publicKey, 1);
}, 240_000);

afterAll(() => place.end());

/** Submits what must be refused; checks status, problem, code and that nothing changed. */
async function refuses(name: string, bytes: Buffer, status: number, code: string, contentType?: string): Promise<Answer> {
  const keys = [alice.publicKey, bob.publicKey];
  const before = await client.books(keys);
  const answer = await node.submit(bytes, contentType);
  expect([name, ...findProblemFaults(answer, status, code)]).toEqual([name]);
  expect(await client.books(keys)).toBe(before);
  return answer;
}

/** An anchor by alice that would be accepted, but for what is changed. */
async function anchor(change: Partial<Order> = {}, keys = alice): Promise<Buffer> {
  return client.sign(keys, await client.order(keys, 2, anchorBody("barn", Buffer.from("21.5")), change)).encoded;
}

describe("forms", () => {
  test("e2e: every malformed form, malformed and nothing changed", async () => {
    const order = await client.order(alice, 1, transferBody(bob.publicKey, 5));
    const forms = malformedForms({ keys: alice, genesisHash: net.hash, order });
    expect(forms.length).toBeGreaterThan(90);
    for (const { name, bytes } of forms) await refuses(name, bytes, 400, "malformed");
    expect(new Set(forms.map(({ name }) => name)).size).toBe(forms.length);
    await refuses("an empty body", Buffer.alloc(0), 400, "malformed");
  }, 240_000);

  test("e2e: a transaction beyond 16,384 bytes, tooLarge", async () => {
    await refuses("16,385 bytes", Buffer.alloc(16_385, 0xd2), 413, "tooLarge");
    const payload = payloadOf(alice.publicKey, { ...(await client.order(alice, 2, anchorBody("s", Buffer.alloc(17_000)))) });
    await refuses("a well-formed one", coseOf(payload, signPayload(alice, aadOf(net.hash), payload)), 413, "tooLarge");
  });

  test("e2e: a sequence with good and bad items, each judged in its place", async () => {
    const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("22")));
    const first = client.sign(alice, order);
    const bad = Buffer.concat([first.encoded.subarray(0, -1), Buffer.from([(first.encoded.at(-1) ?? 0) ^ 1])]);
    const second = client.sign(alice, { ...order, nonce: BigInt(order.nonce) + 1n });
    const answer = await node.submit(Buffer.concat([first.encoded, bad, cbor(7), second.encoded]), "application/cbor-seq");
    expect(answer.status).toBe(202);
    expect(outcomesOf(answer)).toEqual([`accepted ${first.id}`, "rejected badSignature", "rejected malformed", `accepted ${second.id}`]);
    await node.get(`/api/v2/transactions/${second.id}?wait=final&timeoutMs=10000`);
    const cut = await refuses(
      "a sequence that ends inside an item",
      second.encoded.subarray(0, 50),
      400,
      "malformed",
      "application/cbor-seq",
    );
    expect(outcomesOf(cut)).toEqual(["rejected malformed"]);
    const tooMany = Buffer.concat(Array.from({ length: 2_049 }, () => cbor(0)));
    await refuses("2,049 items", tooMany, 413, "tooLarge", "application/cbor-seq");
  });
});

/** "status code-or-id" of each outcome. */
function outcomesOf(answer: Answer): string[] {
  const list = answer.json["transactions"] as { id?: string; status: string; code?: string }[];
  return list.map(({ id, status, code }) => `${status} ${code ?? id}`);
}

describe("signatures", () => {
  test("e2e: signed by another key, for another chain or purpose, or changed, badSignature", async () => {
    const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("21.5")));
    const payload = payloadOf(alice.publicKey, order);
    const aad = aadOf(net.hash);
    const good = signPayload(alice, aad, payload);
    const otherChain = Buffer.from(net.hash.map((byte, i) => (i === 31 ? byte ^ 1 : byte)));
    await refuses("another chain", signOrder(alice, otherChain, order).encoded, 422, "badSignature");
    await refuses("no chain", coseOf(payload, signPayload(alice, Buffer.alloc(0), payload)), 422, "badSignature");
    await refuses(
      "another purpose",
      coseOf(payload, signPayload(alice, Buffer.concat([Buffer.from("bizra/tx/2"), net.hash]), payload)),
      422,
      "badSignature",
    );
    await refuses("another key", coseOf(payload, signPayload(bob, aad, payload)), 422, "badSignature");
    await refuses("zeros", coseOf(payload, Buffer.alloc(64)), 422, "badSignature");
    for (const at of [0, 31, 32, 63]) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await refuses(`byte ${at} of the signature changed`, coseOf(payload, changed), 422, "badSignature");
    }
    const cheaper = payloadOf(alice.publicKey, { ...order, body: anchorBody("barn", Buffer.from("99.9")) });
    await refuses("the payload changed", coseOf(cheaper, good), 422, "badSignature");
  });

  test("e2e: S beyond the group's order, badSignature", async () => {
    const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("21.5")));
    const payload = payloadOf(alice.publicKey, order);
    const good = signPayload(alice, aadOf(net.hash), payload);
    const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;
    const scalar = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString("hex")}`) + groupOrder;
    const large = Buffer.from(scalar.toString(16).padStart(64, "0"), "hex").reverse();
    await refuses("S + L", coseOf(payload, Buffer.concat([good.subarray(0, 32), large])), 422, "badSignature");
  });

  test("e2e: a funded key of small order or not canonical, whatever is signed, badSignature", async () => {
    const identity = Buffer.from(`01${"00".repeat(31)}`, "hex");
    for (const key of keysOutsideTheRule()) {
      await client.pay(alice, key, 100_000);
      const payload = payloadOf(key, { ...(await client.order(alice, 1, transferBody(bob.publicKey, 5))), nonce: 0 });
      const name = `key ${key.toString("hex")}`;
      await refuses(name, coseOf(payload, Buffer.concat([identity, Buffer.alloc(32)])), 422, "badSignature");
      await refuses(name, coseOf(payload, Buffer.concat([key, Buffer.alloc(32)])), 422, "badSignature");
    }
  }, 240_000);
});

describe("terms", () => {
  test("e2e: fee, validity, nonce and sender outside what the chain allows, each its code", async () => {
    const order = await client.order(alice, 2, anchorBody("barn", Buffer.from("21.5")));
    const height = await client.height();
    const minimum = BigInt(String((await node.get("/api/v2/status"))["minimumFee"]));
    const nonce = BigInt(order.nonce);
    await refuses("one below the minimum", await anchor({ fee: minimum - 1n }), 422, "feeTooLow");
    await refuses("no fee", await anchor({ fee: 0 }), 422, "feeTooLow");
    await refuses("valid until the tip", await anchor({ validUntil: height }), 422, "expired");
    await refuses("valid until genesis", await anchor({ validUntil: 0 }), 422, "expired");
    await refuses("valid too long", await anchor({ validUntil: height + 1_000_100n }), 422, "validityTooLong");
    await refuses("valid for ever", await anchor({ validUntil: 2n ** 64n - 1n }), 422, "validityTooLong");
    await refuses("a used nonce", await anchor({ nonce: nonce - 1n }), 422, "nonceTooLow");
    await refuses("1,025 ahead", await anchor({ nonce: nonce + 1_025n }), 422, "nonceTooHigh");
    await refuses("the last nonce there is", await anchor({ nonce: 2n ** 64n - 1n }), 422, "nonceTooHigh");
    await refuses("a key without an account", await anchor({ nonce: 0 }, newKeys()), 422, "unknownSender");
  });

  test("e2e: more than the balance, alone or with what is pending, insufficientFunds", async () => {
    const erin = newKeys();
    await client.pay(alice, erin.publicKey, 10_000);
    const balance = BigInt(String((await client.account(alice.publicKey))["balance"]));
    const by = async (keys: Keys, amount: bigint, change: Partial<Order> = {}): Promise<Buffer> =>
      client.sign(keys, await client.order(keys, 1, transferBody(bob.publicKey, amount), change)).encoded;
    await refuses("one unit too many", await by(alice, balance - 999n), 422, "insufficientFunds");
    await refuses("all there can be", await by(alice, 2n ** 64n - 1n), 422, "insufficientFunds");
    await refuses("a fee above the balance", await anchor({ fee: 10_001 }, erin), 422, "insufficientFunds");
    expect((await node.submit(await by(erin, 6_000n, { nonce: 1 }))).status).toBe(202);
    await refuses("too much with what is pending", await by(erin, 6_000n, { nonce: 0 }), 422, "insufficientFunds");
  });

  test("e2e: a nonce that another pending transaction has, nonceTooLow; a pending repeat, accepted", async () => {
    const dave = newKeys();
    await client.pay(alice, dave.publicKey, 50_000);
    const waiting = await anchor({ nonce: 3 }, dave);
    const first = await node.submit(waiting);
    const again = await node.submit(waiting);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(outcomesOf(again)).toEqual(outcomesOf(first));
    await refuses("the same nonce", await anchor({ nonce: 3, fee: 2_000 }, dave), 422, "nonceTooLow");
  });

  test("e2e: what has executed, duplicate with its status", async () => {
    const order = await client.order(alice, 1, transferBody(bob.publicKey, 77));
    const { encoded, id } = client.sign(alice, order);
    expect((await node.submit(encoded)).status).toBe(202);
    const ended = await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`);
    const answer = await refuses("a replay", encoded, 409, "duplicate");
    expect(answer.json["transaction"]).toEqual(ended);
    expect(outcomesOf(answer)).toEqual(["rejected duplicate"]);
  });

  test("e2e: what waits for a nonce that never comes, expired past its validity", async () => {
    const erin = newKeys();
    await client.pay(alice, erin.publicKey, 50_000);
    const order = await client.order(erin, 2, anchorBody("barn", Buffer.from("1")), { nonce: 1, validUntil: (await client.height()) + 2n });
    const { encoded, id } = client.sign(erin, order);
    expect((await node.submit(encoded)).status).toBe(202);
    for (let i = 0; i < 4; i++) await client.pay(alice, bob.publicKey, 1);
    expect(await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`)).toEqual({ id, status: "expired" });
  });
});

describe("rights", () => {
  test("e2e: what asks for validators and proposals that are not there, final with the code of its failure", async () => {
    const codes: Record<number, string> = { 5: "badProof", 13: "notAuthorized" };
    for (const [type, body] of futileBodies(bob.publicKey)) {
      const { encoded, id } = client.sign(alice, await client.order(alice, type, body));
      expect((await node.submit(encoded)).status).toBe(202);
      const ended = await node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=10000`);
      expect([type, ended["status"], ended["receipt"]]).toEqual([
        type,
        "final",
        expect.objectContaining({ code: codes[type] ?? "notRegistered" }),
      ]);
    }
  });

  test("e2e: what could never succeed, refused before it costs", async () => {
    const asked: [number, Cbor][] = [
      [5, map([1, Buffer.alloc(32)], [2, Buffer.alloc(64)], [3, 0], [4, ""], [5, ""])],
      [12, map([1, Buffer.alloc(100, 1)])],
      [13, map([1, "noSuchParameter"], [2, 1], [3, 5])],
      [13, map([1, "epochBlocks"], [2, 1], [3, 5])],
    ];
    for (const [type, body] of asked) {
      const { encoded } = client.sign(alice, await client.order(alice, type, body));
      const isKey = type === 5;
      await refuses(`type ${type}`, encoded, isKey ? 422 : 403, isKey ? "badSignature" : "notAuthorized");
    }
  });

  test("e2e: a device beyond its hourly quota of transactions or bytes, quotaExceeded and free again as an owner's own", async () => {
    const device = newKeys();
    const submitReading = async (nonce: number, size: number): Promise<Answer> =>
      node.submit(await anchorBy(device, nonce, Buffer.alloc(size, 0x2e)));
    await sponsor(device, 2, 600);
    expect((await submitReading(0, 300)).status).toBe(202);
    expect(findProblemFaults(await submitReading(1, 300), 429, "quotaExceeded")).toEqual([]);
    expect((await submitReading(1, 10)).status).toBe(202);
    expect(findProblemFaults(await submitReading(2, 1), 429, "quotaExceeded")).toEqual([]);
    const account = await client.account(device.publicKey);
    expect(account["balance"]).toBe("0");
  });
});

/** Alice sponsors a device; a new one each time, and never across the end of an hour, when quotas begin anew. */
async function sponsor(device: Keys, perHour: number, bytesPerHour: number): Promise<void> {
  const leftMs = 3_600_000 - (Date.now() % 3_600_000);
  if (leftMs < 10_000) await Bun.sleep(leftMs + 1_000);
  await client.execute(alice, 3, deviceRegisterBody(device, alice.publicKey, net.hash, perHour, bytesPerHour));
}

async function anchorBy(keys: Keys, nonce: number, reading: Buffer): Promise<Buffer> {
  const body: Cbor = map([1, "gauge"], [3, reading]);
  return client.sign(keys, await client.order(keys, 2, body, { nonce })).encoded;
}
