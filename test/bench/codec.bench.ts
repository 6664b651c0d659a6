/** Codec and cryptography: what a transaction costs before anything is done with it, against one native verification. */
import {
  canonicalJson,
  leafHash,
  localSigner,
  merkleRootOfHashes,
  nobleSuite,
  SCRYPT_COST_DEFAULT,
  type SignatureClaim,
  sealSecret,
  sha256,
  verifyEd25519,
  verifyEd25519Many,
} from "../../src/crypto/index.ts";
import { Prng, toHex, utf8 } from "../../src/kernel/index.ts";
import {
  decodeTransaction,
  encodePayload,
  signTransaction,
  type TransactionPayload,
  transactionAad,
  transactionSignBytes,
} from "../../src/protocol/index.ts";
import { BenchReport, loopLagOf, rateOf, rateOfAsync } from "./harness.ts";

const BATCH = 2048;
const prng = new Prng(1);
const report = new BenchReport("codec");
const aad = transactionAad(prng.bytes(32));
const signers = Array.from({ length: 64 }, () => localSigner(prng.bytes(32)));

const payloadOf = (i: number): TransactionPayload => ({
  sender: signers[i % signers.length]?.publicKey ?? new Uint8Array(32),
  nonce: BigInt(i),
  fee: 1000n,
  validUntil: 1_000_000n,
  body: { type: 1, to: prng.bytes(32), amount: 250_000n },
});
const transactions = Array.from({ length: BATCH }, (_, i) => {
  const signer = signers[i % signers.length] ?? localSigner(prng.bytes(32));
  return signTransaction(signer, aad, payloadOf(i));
});
const claims: SignatureClaim[] = transactions.map((encoded) => {
  const decoded = decodeTransaction(aad, encoded);
  if (!decoded.ok) throw new Error("a transaction we signed decodes");
  const { sender, payload, signature } = decoded.value;
  return { key: sender, message: transactionSignBytes(aad, payload), signature };
});
const claim = claims[0] ?? { key: new Uint8Array(0), message: new Uint8Array(0), signature: new Uint8Array(0) };
const transaction = transactions[0] ?? new Uint8Array(0);
const payload = payloadOf(0);
const encodedPayload = encodePayload(payload);

let turn = 0;
const next = <T>(items: readonly T[]): T => items[turn++ % items.length] as T;

// The baseline of everything: one native verification on one thread.
const verification = { name: "native verification", value: rateOf(() => verifyEd25519(claim.key, claim.message, claim.signature)) };
report.add({ name: "verify, native, calling thread", value: verification.value, unit: "ops/s" });
const many = await rateOfAsync(BATCH, () => verifyEd25519Many(claims));
report.add({ name: "verify, WebCrypto, all cores", value: many, unit: "ops/s", baseline: verification, note: `batches of ${BATCH}` });
const lag = await loopLagOf(async () => {
  for (let i = 0; i < 10; i++) await verifyEd25519Many(claims);
});
report.add({ name: "event loop lag p99 during it", value: lag.p99Ms, unit: "ms", goal: { of: "value", is: "at most", bound: 20 } });
report.add({
  name: "verify, noble",
  value: rateOf(() => nobleSuite.verify(claim.key, claim.message, claim.signature)),
  unit: "ops/s",
  baseline: verification,
});
const signer = localSigner(prng.bytes(32));
report.add({ name: "sign, native", value: rateOf(() => signer.sign(claim.message)), unit: "ops/s", baseline: verification });

// The codec. JSON.parse and JSON.stringify of the same fields are what a carefree implementation would pay.
const jsons = claims.map((c, i) =>
  JSON.stringify({
    type: 1,
    sender: toHex(c.key),
    nonce: `${i}`,
    fee: "1000",
    validUntil: "1000000",
    to: toHex(prng.bytes(32)),
    amount: "250000",
    signature: toHex(c.signature),
  }),
);
const parsed: unknown = JSON.parse(next(jsons));
const jsonParse = { name: "JSON.parse", value: rateOf(() => JSON.parse(next(jsons))) };
const jsonWrite = { name: "JSON.stringify", value: rateOf(() => JSON.stringify(parsed)) };
report.add({ name: "JSON.parse of the same fields", value: jsonParse.value, unit: "ops/s", note: `${next(jsons).length} bytes` });
const decode = report.add({
  name: "decode a transfer, with its id",
  value: rateOf(() => decodeTransaction(aad, next(transactions))),
  unit: "ops/s",
  baseline: jsonParse,
  note: `${transaction.length} bytes`,
});
report.add({ name: "encode its payload", value: rateOf(() => encodePayload(payload)), unit: "ops/s", baseline: jsonWrite });
report.add({ name: "bytes to sign", value: rateOf(() => transactionSignBytes(aad, encodedPayload)), unit: "ops/s" });
report.add({
  name: "decoding per verification, time",
  value: 1e6 / decode,
  unit: "us",
  baseline: { name: "native verification", value: 1e6 / verification.value },
  goal: { of: "ratio", is: "at most", bound: 0.1 },
});

// Hashing.
const small = prng.bytes(200);
const large = prng.bytes(256 * 1024);
const native = rateOf(() => sha256(small));
const nobleHash = { name: "noble", value: rateOf(() => nobleSuite.sha256(small)) };
report.add({ name: "sha256 of 200 B", value: native, unit: "ops/s", baseline: nobleHash });
report.add({
  name: "sha256 of 3 parts, 200 B",
  value: rateOf(() => sha256(small.subarray(0, 10), small.subarray(10, 42), small.subarray(42))),
  unit: "ops/s",
});
report.add({ name: "sha256 of 256 KiB", value: (rateOf(() => sha256(large)) * large.length) / 1e6, unit: "MB/s" });
const leaves = transactions.map(leafHash);
report.add({ name: "Merkle root over 2,048 leaf hashes", value: rateOf(() => merkleRootOfHashes(leaves)), unit: "ops/s" });
report.add({ name: "canonical JSON of the same fields", value: rateOf(() => canonicalJson(parsed)), unit: "ops/s", baseline: jsonWrite });

// What a start with a sealed key waits for.
const entropy = { bytes: (count: number) => prng.bytes(count) };
report.add({
  name: "seal a key at the default cost",
  value: 1000 / (await rateOfAsync(1, () => sealSecret(utf8("x"), "p", SCRYPT_COST_DEFAULT, entropy))),
  unit: "ms",
});
report.finish();
