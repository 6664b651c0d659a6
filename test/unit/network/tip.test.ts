import { expect, test } from "bun:test";
import fc from "fast-check";
import { localSigner, verifyEd25519 } from "../../../src/crypto/index.ts";
import { encodeTip, judgeTip, type TipJudge } from "../../../src/network/tip.ts";
import {
  BLOCK_VERSION,
  type BlockHeader,
  blockHashOf,
  type Certificate,
  makeBitmap,
  makeValidatorSet,
  proposalIdOf,
  VOTE_KIND,
  type VoteKind,
  voteSignBytes,
} from "../../../src/protocol/index.ts";

const CHAIN = new Uint8Array(32).fill(1);
const signers = [1, 2, 3, 4].map((seed) => localSigner(new Uint8Array(32).fill(seed)));
const made = makeValidatorSet(signers.map(({ publicKey }) => ({ publicKey, owner: publicKey, weight: 1n, reputation: 5_000 })));
if (!made.ok) throw new Error(made.error);
const set = made.value;
const inOrder = set.validators.map(({ publicKey }) => signers.find((signer) => signer.publicKey.join() === publicKey.join()) ?? signers[0]);

const header: BlockHeader = {
  version: BLOCK_VERSION,
  chainId: CHAIN,
  height: 42,
  epoch: 0,
  view: 50,
  parentHash: new Uint8Array(32),
  leader: 0,
  timeMs: 1,
  batchRoot: new Uint8Array(32),
  stateRoot: new Uint8Array(32),
  receiptRoot: new Uint8Array(32),
  validatorSetHash: set.hash,
  parentBitmap: new Uint8Array(1),
};

function certify(of: BlockHeader, kind: VoteKind, members: readonly number[]): Certificate {
  const proposal = { epoch: 0, view: 50, parentView: 49, blockHash: blockHashOf(of) };
  const bytes = voteSignBytes(CHAIN, { kind, epoch: 0, view: 50, proposalId: proposalIdOf(proposal) });
  const signatures = members.map((index) => inOrder[index]?.sign(bytes) ?? new Uint8Array(64));
  return { kind, epoch: 0, view: 50, proposal, bitmap: makeBitmap(members, 4), signatures };
}

const judge: TipJudge = {
  chainId: CHAIN,
  findEpochSet: (epoch) => (epoch === 0 ? set : undefined),
  isFinalHere: () => false,
  verify: verifyEd25519,
};
const verdictOf = (of: BlockHeader, finalization: Certificate, by: Partial<TipJudge> = {}) =>
  judgeTip(encodeTip({ header: of, finalization }), { ...judge, ...by });

test("tip: a header with the finalization of a quorum, proven at its height", () => {
  expect(verdictOf(header, certify(header, VOTE_KIND.finalize, [0, 2, 3]))).toEqual({ kind: "proven", height: 42 });
});

test("tip: too few, another kind of vote, another block, a forged signature or another chain, false", () => {
  const good = certify(header, VOTE_KIND.finalize, [0, 1, 2]);
  expect(verdictOf(header, certify(header, VOTE_KIND.finalize, [0, 1]))).toEqual({ kind: "false" });
  expect(verdictOf(header, certify(header, VOTE_KIND.notarize, [0, 1, 2]))).toEqual({ kind: "false" });
  expect(verdictOf({ ...header, height: 1_000 }, good)).toEqual({ kind: "false" });
  expect(verdictOf(header, { ...good, signatures: good.signatures.map(() => new Uint8Array(64)) })).toEqual({ kind: "false" });
  expect(verdictOf(header, good, { chainId: new Uint8Array(32) })).toEqual({ kind: "false" });
});

test("tip: a block that is final here, believed without its signatures; one of an unknown epoch, open", () => {
  const unsigned = { ...certify(header, VOTE_KIND.finalize, [0, 1, 2]), signatures: [] };
  expect(verdictOf(header, unsigned, { isFinalHere: (height) => height === 42 })).toEqual({ kind: "proven", height: 42 });
  expect(verdictOf(header, certify(header, VOTE_KIND.finalize, [0, 1, 2]), { findEpochSet: () => undefined })).toEqual({
    kind: "unknownEpoch",
  });
});

test("tip: any bytes, a verdict and never a throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => expect(judgeTip(bytes, judge)).toEqual({ kind: "false" })));
});
