import { describe, expect, test } from "bun:test";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import * as p from "../../../src/protocol/index.ts";
import {
  certify,
  parentCertificate,
  sampleBatch,
  sampleBlock,
  sampleChainId,
  sampleHeader,
  sampleReceipt,
  sampleSet,
} from "../../vectors/protocol-samples.ts";

const must = <T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T => {
  if (!result.ok) throw new Error(String(result.error));
  return result.value;
};

describe("protocol round trips", () => {
  test("block: encoded and decoded, equal and equal hash", () => {
    const block = must(p.decodeBlock(p.encodeBlock(sampleBlock)));
    expect(p.encodeBlock(block)).toEqual(p.encodeBlock(sampleBlock));
    expect(p.blockHashOf(block.header)).toEqual(p.blockHashOf(sampleHeader));
  });

  test("block: optional header fields, kept or absent as written", () => {
    const boundary = { ...sampleHeader, nextValidatorSetHash: sampleSet.hash };
    expect(must(p.decodeBlockHeader(p.encodeBlockHeader(boundary))).nextValidatorSetHash).toEqual(sampleSet.hash);
    expect("nextValidatorSetHash" in must(p.decodeBlockHeader(p.encodeBlockHeader(sampleHeader)))).toBe(false);
  });

  test("batch: decoded, digest recomputed from its transactions", () => {
    const batch = must(p.decodeBatch(p.encodeBatch(sampleBatch)));
    expect(batch.digest).toEqual(sampleBatch.digest);
    const [first, second] = batch.transactions as [Uint8Array, Uint8Array];
    expect(must(p.decodeBatch(p.encodeBatch({ ...batch, transactions: [second, first] }))).digest).not.toEqual(sampleBatch.digest);
  });

  test("receipt, vote and validator set: encoded and decoded, equal", () => {
    expect(must(p.decodeReceipt(p.encodeReceipt(sampleReceipt)))).toEqual(sampleReceipt);
    const vote = { kind: p.VOTE_KIND.nullify, epoch: 3, view: 9, signer: 2, signature: new Uint8Array(64) };
    expect(must(p.decodeVote(p.encodeVote(vote)))).toEqual(vote);
    expect(must(p.decodeValidatorSet(p.encodeValidatorSet(sampleSet)))).toEqual(sampleSet);
  });

  test("address: formatted and parsed, equal; one character changed, malformed", () => {
    const text = p.formatAddress(sampleChainId);
    expect(text.startsWith("bz1")).toBe(true);
    expect(must(p.parseAddress(text))).toEqual(sampleChainId);
    const changed = text.slice(0, 10) + (text[10] === "q" ? "p" : "q") + text.slice(11);
    expect(p.parseAddress(changed).ok).toBe(false);
    expect(p.parseAddress(text.replace("bz1", "bc1")).ok).toBe(false);
  });
});

describe("certificate", () => {
  const check = (certificate: p.Certificate, epoch = 0) => p.checkCertificate(certificate, sampleSet, epoch, sampleChainId, verifyEd25519);

  test("certificate: a quorum of valid signatures, accepted", () => {
    expect(check(must(p.decodeCertificate(p.encodeCertificate(parentCertificate))))).toEqual({ ok: true, value: true });
  });

  test("certificate: below quorum, spare bits, another epoch or a foreign signature, each its own fault", () => {
    expect(check(certify({ kind: 2, epoch: 0, view: 5 }, [0, 1]))).toEqual({ ok: false, error: "belowQuorum" });
    expect(check({ ...parentCertificate, bitmap: Uint8Array.of(0b10001011) })).toEqual({ ok: false, error: "badBitmap" });
    expect(check({ ...parentCertificate, bitmap: Uint8Array.of(0b1011, 0) })).toEqual({ ok: false, error: "badBitmap" });
    expect(check(parentCertificate, 1)).toEqual({ ok: false, error: "wrongEpoch" });
    const swapped = { ...parentCertificate, signatures: [...parentCertificate.signatures].reverse() };
    expect(check(swapped)).toEqual({ ok: false, error: "badSignature" });
    expect(check({ ...parentCertificate, kind: p.VOTE_KIND.finalize })).toEqual({ ok: false, error: "badSignature" });
  });
});

describe("validator set", () => {
  const member = (byte: number, weight: bigint, reputation = 10_000) => ({
    publicKey: new Uint8Array(32).fill(byte),
    owner: new Uint8Array(32),
    weight,
    reputation,
  });

  test("validator set: W, F and Q by weight, never 2f+1", () => {
    const figures = [1, 4, 5, 6, 7, 10].map((n) => {
      const set = must(p.makeValidatorSet(Array.from({ length: n }, (_, i) => member(i + 1, 1n))));
      return [n, set.faultyWeightMax, set.quorumWeight];
    });
    expect(figures).toEqual([
      [1, 0n, 1n],
      [4, 1n, 3n],
      [5, 1n, 4n],
      [6, 1n, 5n],
      [7, 2n, 5n],
      [10, 3n, 7n],
    ]);
  });

  test("validator set: a member's reputation is part of its identity, and more than 10,000 is none", () => {
    const members = [1, 2, 3, 4].map((byte) => member(byte, 2n, 9_999));
    const set = must(p.makeValidatorSet(members));
    expect(must(p.decodeValidatorSet(p.encodeValidatorSet(set)))).toEqual(set);
    expect(must(p.makeValidatorSet([member(1, 2n, 9_998), ...members.slice(1)])).hash).not.toEqual(set.hash);
    const encoded = p.encodeValidatorSet(set);
    encoded.set([0x27, 0x11], encoded.length - 2);
    expect(p.decodeValidatorSet(encoded)).toEqual({ ok: false, error: "malformed" });
  });

  test("validator set: order given does not matter; faults have codes", () => {
    const members = [member(1, 2n), member(2, 2n), member(3, 2n), member(4, 2n)];
    expect(must(p.makeValidatorSet([...members].reverse())).hash).toEqual(must(p.makeValidatorSet(members)).hash);
    expect(p.makeValidatorSet([])).toEqual({ ok: false, error: "empty" });
    expect(p.makeValidatorSet([...members, member(4, 1n)])).toEqual({ ok: false, error: "duplicateKey" });
    expect(p.makeValidatorSet([...members, member(5, 0n)])).toEqual({ ok: false, error: "zeroWeight" });
    expect(p.makeValidatorSet([member(1, 2n), member(2, 1n), member(3, 1n)])).toEqual({ ok: false, error: "singleWeightAboveF" });
    expect(p.makeValidatorSet([member(1, 2n ** 64n - 1n), member(2, 1n)])).toEqual({ ok: false, error: "weightOverflow" });
  });
});
