import { expect, test } from "bun:test";
import fc from "fast-check";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { encodeTip, isOwnFinalization, judgeTip, type TipJudge } from "../../../src/network/tip.ts";
import { BLOCK_VERSIONS, type BlockHeader, type Certificate, VOTE_KIND } from "../../../src/protocol/index.ts";
import { certify, headerAt, TIP_CHAIN, TIP_SET } from "./tip-fixture.ts";

const header = headerAt(42);

const judge: TipJudge = {
  chainId: TIP_CHAIN,
  findEpochSet: (epoch) => (epoch === 0 ? TIP_SET : undefined),
  isFinalHere: () => false,
  verify: verifyEd25519,
};
const verdictOf = (of: BlockHeader, finalization: Certificate, by: Partial<TipJudge> = {}) =>
  judgeTip(encodeTip({ header: of, finalization }), { ...judge, ...by });

test("tip: a header with the finalization of a quorum, proven at its height", () => {
  expect(verdictOf(header, certify(header, [0, 2, 3]))).toEqual({ kind: "proven", height: 42 });
});

test("tip: too few, another kind of vote, another block, a forged signature or another chain, false", () => {
  const good = certify(header, [0, 1, 2]);
  expect(verdictOf(header, certify(header, [0, 1]))).toEqual({ kind: "false" });
  expect(verdictOf(header, certify(header, [0, 1, 2], VOTE_KIND.notarize))).toEqual({ kind: "false" });
  expect(verdictOf({ ...header, height: 1_000 }, good)).toEqual({ kind: "false" });
  expect(verdictOf(header, { ...good, signatures: good.signatures.map(() => new Uint8Array(64)) })).toEqual({ kind: "false" });
  expect(verdictOf(header, good, { chainId: new Uint8Array(32) })).toEqual({ kind: "false" });
});

test("tip: the finalization of a later block, known as not its own", () => {
  expect(isOwnFinalization({ header, finalization: certify(header, [0, 1, 2]) })).toBe(true);
  expect(isOwnFinalization({ header, finalization: certify(headerAt(43), [0, 1, 2]) })).toBe(false);
});

test("tip: a block that is final here, believed without its signatures; one of an unknown epoch, open", () => {
  const unsigned = { ...certify(header, [0, 1, 2]), signatures: [] };
  expect(verdictOf(header, unsigned, { isFinalHere: (height) => height === 42 })).toEqual({ kind: "proven", height: 42 });
  expect(verdictOf(header, certify(header, [0, 1, 2]), { findEpochSet: () => undefined })).toEqual({
    kind: "unknownEpoch",
  });
});

test("tip: a block of a version that a later release brought, beyond us and no lie", () => {
  const later = { ...header, version: BLOCK_VERSIONS.max + 1 };
  expect(verdictOf(later, certify(later, [0, 1, 2]))).toEqual({ kind: "unknownEpoch" });
  expect(verdictOf({ ...header, version: 0 }, certify({ ...header, version: 0 }, [0, 1, 2]))).toEqual({ kind: "false" });
});

test("tip: any bytes, a verdict and never a throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => expect(judgeTip(bytes, judge)).toEqual({ kind: "false" })));
});
