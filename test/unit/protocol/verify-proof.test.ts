import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { inclusionPath, leafHash, nativeSuite, nobleSuite, sha256 } from "../../../src/crypto/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";
import {
  type BlockHeader,
  blockHashOf,
  decodeProofBundle,
  encodeProofBundle,
  encodeReceipt,
  makeValidatorSet,
  type ProofBundle,
  proposalIdOf,
  type Receipt,
  receiptRootOf,
  type TrustedSet,
  verifyProofBundle,
} from "../../../src/protocol/index.ts";
import { certify, sampleChainId, sampleHeader, sampleReceipt, sampleSet } from "../../vectors/protocol-samples.ts";

const trusted: TrustedSet = { chainId: sampleChainId, epoch: 0, set: sampleSet };
const receipts: Receipt[] = Array.from({ length: 5 }, (_, i) => ({ ...sampleReceipt, index: i, transactionId: sha256(utf8(`t${i}`)) }));

function finalize(header: BlockHeader) {
  const proposal = { epoch: header.epoch, view: header.view, parentView: header.view - 1, blockHash: blockHashOf(header) };
  return certify({ kind: 3, epoch: header.epoch, view: header.view, proposalId: proposalIdOf(proposal), proposal }, [0, 2, 3]);
}

function bundleFor(index: number, change: Partial<BlockHeader> = {}): ProofBundle {
  const header = { ...sampleHeader, receiptRoot: receiptRootOf(receipts), ...change };
  const path = inclusionPath(
    receipts.map((r) => leafHash(encodeReceipt(r))),
    index,
  );
  const content = { kind: "receipt", receipt: receipts[index] as Receipt, path } as const;
  return { hops: [], headers: [header], finalization: finalize(header), content };
}

const verify = (bundle: ProofBundle, from = trusted) => verifyProofBundle(nobleSuite, from, bundle);
const codeOf = (result: ReturnType<typeof verify>) => (result.ok ? "valid" : result.error.code);

describe("proof bundle", () => {
  test("proof bundle: each receipt of a block, proven by native and by portable code after a round trip", () => {
    for (let i = 0; i < receipts.length; i++) {
      const decoded = decodeProofBundle(encodeProofBundle(bundleFor(i)));
      if (!decoded.ok) throw new Error(decoded.error);
      for (const suite of [nativeSuite, nobleSuite]) {
        const fact = verifyProofBundle(suite, trusted, decoded.value);
        expect(fact.ok && fact.value.kind === "receipt" ? fact.value.receipt : undefined).toEqual(receipts[i] as Receipt);
      }
    }
  });

  test("proof bundle: any single bit changed, refused", () => {
    const encoded = encodeProofBundle(bundleFor(2));
    expect(encoded.length).toBeLessThan(1_500);
    for (let bit = 0; bit < 8 * encoded.length; bit++) {
      const changed = encoded.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      const decoded = decodeProofBundle(changed);
      if (decoded.ok && verifyProofBundle(nativeSuite, trusted, decoded.value).ok) throw new Error(`bit ${bit} may be changed`);
    }
  });

  test("proof bundle: bytes changed at random, never both accepted and different", () => {
    const encoded = encodeProofBundle(bundleFor(2));
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = encoded.slice();
        changed[at] = (changed[at] as number) ^ flip;
        const decoded = decodeProofBundle(changed);
        return !decoded.ok || !verifyProofBundle(nativeSuite, trusted, decoded.value).ok;
      }),
      { numRuns: 2_000 },
    );
  });

  test("proof bundle: an ancestor of the finalized block, proven by the chain of headers; a broken chain, not", () => {
    const direct = bundleFor(1);
    const [header] = direct.headers as [BlockHeader];
    const child = { ...header, height: header.height + 1, view: header.view + 1, parentHash: blockHashOf(header) };
    const through = { ...direct, headers: [child, header], finalization: finalize(child) };
    expect(codeOf(verify(through))).toBe("valid");
    expect(codeOf(verify({ ...through, headers: [{ ...child, parentHash: sha256() }, header] }))).toBe("notFinal");
    const stranger = { ...child, parentHash: sha256() };
    expect(codeOf(verify({ ...through, headers: [stranger, header], finalization: finalize(stranger) }))).toBe("brokenAncestry");
  });

  test("proof bundle: a hop to the next epoch, proven only under the set that the boundary commits to", () => {
    const fewer = makeValidatorSet(sampleSet.validators.map((v) => ({ ...v, weight: 7n })));
    if (!fewer.ok) throw new Error(fewer.error);
    const boundary = { ...sampleHeader, nextValidatorSetHash: fewer.value.hash };
    const hop = { headers: [boundary], finalization: finalize(boundary), nextSet: fewer.value };
    const content = bundleFor(0, { epoch: 1, view: 1, validatorSetHash: fewer.value.hash });
    expect(codeOf(verify({ ...content, hops: [hop] }))).toBe("valid");
    expect(codeOf(verify(content))).toBe("wrongEpoch");
    expect(codeOf(verify({ ...content, hops: [{ ...hop, nextSet: sampleSet }] }))).toBe("wrongSet");
    expect(codeOf(verify({ ...content, hops: [{ ...hop, headers: [sampleHeader], finalization: finalize(sampleHeader) }] }))).toBe(
      "wrongSet",
    );
  });

  test("proof bundle: another chain, a notarization or a receipt of another height, its own code each", () => {
    const bundle = bundleFor(3);
    const [header] = bundle.headers as [BlockHeader];
    expect(codeOf(verify(bundle, { ...trusted, chainId: sha256() }))).toBe("wrongChain");
    const { proposal } = bundle.finalization;
    if (!proposal) throw new Error("a finalization carries its proposal");
    const notarization = certify({ kind: 1, epoch: 0, view: header.view, proposalId: proposalIdOf(proposal), proposal }, [0, 1, 2]);
    expect(codeOf(verify({ ...bundle, finalization: notarization }))).toBe("notFinal");
    if (bundle.content.kind !== "receipt") throw new Error("a receipt bundle");
    const moved = { ...bundle.content, receipt: { ...bundle.content.receipt, height: 299 } };
    expect(codeOf(verify({ ...bundle, content: moved }))).toBe("badReceipt");
  });
});
