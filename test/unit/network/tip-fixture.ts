import { localSigner } from "../../../src/crypto/index.ts";
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

/** The chain of these tips. */
export const TIP_CHAIN = new Uint8Array(32).fill(7);

const signers = [1, 2, 3, 4].map((seed) => localSigner(new Uint8Array(32).fill(seed)));
const made = makeValidatorSet(signers.map(({ publicKey }) => ({ publicKey, owner: publicKey, weight: 1n, reputation: 5_000 })));
if (!made.ok) throw new Error(made.error);
/** Four validators of equal weight. */
export const TIP_SET = made.value;
const inOrder = TIP_SET.validators.map(({ publicKey }) => signers.find((signer) => signer.publicKey.join() === publicKey.join()));

/** The header of a block at some height. */
export function headerAt(height: number): BlockHeader {
  return {
    version: BLOCK_VERSION,
    chainId: TIP_CHAIN,
    height,
    epoch: 0,
    view: 50,
    parentHash: new Uint8Array(32),
    leader: 0,
    timeMs: 1,
    batchRoot: new Uint8Array(32),
    stateRoot: new Uint8Array(32),
    receiptRoot: new Uint8Array(32),
    validatorSetHash: TIP_SET.hash,
    parentBitmap: new Uint8Array(1),
  };
}

/** A certificate of some members on a block. */
export function certify(of: BlockHeader, members: readonly number[], kind: VoteKind = VOTE_KIND.finalize): Certificate {
  const proposal = { epoch: 0, view: 50, parentView: 49, blockHash: blockHashOf(of) };
  const bytes = voteSignBytes(TIP_CHAIN, { kind, epoch: 0, view: 50, proposalId: proposalIdOf(proposal) });
  const signatures = members.map((index) => inOrder[index]?.sign(bytes) ?? new Uint8Array(64));
  return { kind, epoch: 0, view: 50, proposal, bitmap: makeBitmap(members, 4), signatures };
}
