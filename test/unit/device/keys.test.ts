import { expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { sha256 } from "../../../src/crypto/portable.ts";
import {
  anchorBody,
  checkBody,
  consentToOwner,
  deviceRegisterBody,
  exportKeyPem,
  generateKey,
  importKeyPem,
  keyOfSeed,
  readSigned,
  signBody,
  streamCarrier,
  transferBody,
  webStorage,
} from "../../../src/device/index.ts";
import { err, ok, Prng, toHex, utf8 } from "../../../src/kernel/index.ts";
import { decodeTransaction, deviceProofBytes, transactionAad, transactionSignBytes } from "../../../src/protocol/index.ts";

const genesisHash = sha256(utf8("a chain"));
const device = keyOfSeed(sha256(utf8("a device")));
const owner = keyOfSeed(sha256(utf8("an owner")));

test("device keys: PEM there and back, read from and by OpenSSL's code; anything else malformed", () => {
  const key = generateKey(new Prng(7));
  expect(importKeyPem(exportKeyPem(key))).toMatchObject(ok({ address: key.address, seed: key.seed }));
  expect(createPrivateKey(exportKeyPem(key)).asymmetricKeyType).toBe("ed25519");
  const outside = generateKeyPairSync("ed25519").privateKey;
  const taken = importKeyPem(outside.export({ type: "pkcs8", format: "pem" }).toString());
  expect(taken.ok && toHex(taken.value.publicKey)).toBe(
    Buffer.from(outside.export({ format: "jwk" }).x ?? "", "base64url").toString("hex"),
  );
  for (const text of ["", "key", exportKeyPem(key).replace("MC4", "MC5")]) expect(importKeyPem(text)).toEqual(err("malformed"));
});

test("device transactions: signed for one chain, the owner's registration with the device's consent", () => {
  const consent = consentToOwner(device, genesisHash, owner.publicKey);
  expect(verifyEd25519(device.publicKey, deviceProofBytes(genesisHash, device.publicKey, owner.publicKey), consent)).toBe(true);
  const body = deviceRegisterBody(device.publicKey, consent, { label: "north wall", transactionsPerHour: 60n, bytesPerHour: 65_536n });
  const signed = signBody(owner, genesisHash, { nonce: 3n, fee: 1_000n, validUntil: 99n }, body);
  const aad = transactionAad(genesisHash);
  const decoded = decodeTransaction(aad, signed.encoded);
  if (!decoded.ok) throw new Error(decoded.error);
  expect(decoded.value.body).toEqual(body);
  expect(verifyEd25519(owner.publicKey, transactionSignBytes(aad, decoded.value.payload), decoded.value.signature)).toBe(true);
  expect(readSigned(genesisHash, signed.encoded)).toMatchObject({ id: signed.id, nonce: 3n });
  expect(toHex(readSigned(sha256(utf8("another")), signed.encoded)?.id ?? genesisHash)).not.toBe(toHex(signed.id));
});

test("device transactions: bodies outside the grammar found before anything is signed", () => {
  const good = [anchorBody("s", "1"), anchorBody("s", { digest: genesisHash }), transferBody(owner.publicKey, 1n, utf8("memo"))];
  for (const body of good) expect(checkBody(body)).toEqual(ok(true));
  const bad = [
    anchorBody("", "1"),
    anchorBody("s".repeat(65), "1"),
    anchorBody("s", ""),
    anchorBody("s", new Uint8Array(4_097)),
    anchorBody("s", { digest: utf8("short") }),
    transferBody(utf8("short"), 1n),
    transferBody(owner.publicKey, 1n, new Uint8Array(65)),
  ];
  for (const body of bad) expect(checkBody(body)).toEqual(err("malformed"));
});

test("device streams: a node that names another transaction, refuses or is silent", async () => {
  const signed = signBody(device, genesisHash, { nonce: 0n, fee: 1n, validUntil: 9n }, anchorBody("s", "1"));
  const answers = async (taken: Parameters<typeof streamCarrier>[0]["submit"]) =>
    streamCarrier({ submit: taken, proof: async () => err("notFound") }).submit(signed);
  expect(await answers(async () => ok(signed.id))).toEqual({ kind: "accepted" });
  expect((await answers(async () => ok(genesisHash))).kind).toBe("noAnswer");
  expect(await answers(async () => err({ refused: "duplicate" }))).toEqual({ kind: "executed" });
  expect(await answers(async () => err({ refused: "expired" }))).toMatchObject({ kind: "refused", code: "expired" });
  expect(await answers(async () => err("timeout"))).toEqual({ kind: "noAnswer", detail: "timeout" });
  const looked = async (proof: Parameters<typeof streamCarrier>[0]["proof"]) =>
    streamCarrier({ submit: async () => err("busy"), proof }).lookUp(signed.id, 0);
  expect(await looked(async () => ok(utf8("proof")))).toEqual({ kind: "proof", bundle: utf8("proof") });
  expect(await looked(async () => err("notFound"))).toEqual({ kind: "unproven" });
  expect((await looked(async () => err("unreachable"))).kind).toBe("noAnswer");
});

test("device storage: records in a browser's storage, its other keys left alone", async () => {
  const items = new Map([
    ["other", "value"],
    ["bizra-device/damaged", "not hex"],
  ]);
  const storage = webStorage({
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  });
  await storage.put("place", utf8("record"));
  expect(await storage.load()).toEqual([["place", utf8("record")]]);
  await storage.remove("place");
  expect([...items.keys()]).toEqual(["other", "bizra-device/damaged"]);
});
