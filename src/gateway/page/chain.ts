import { nobleSuite } from "../../crypto/portable.ts";
import { bytesEqual, err, ok, type Result, toHex } from "../../kernel/index.ts";
import {
  type BlockHeader,
  decodeProofBundle,
  type Genesis,
  genesisValidatorSet,
  type ProofBundle,
  type ProvenFact,
  parseBitmap,
  type Receipt,
  type ValidatorSet,
  validateGenesis,
  verifyProofBundle,
} from "../../protocol/index.ts";

/** The chain that a page trusts: a checked genesis document and the set that it names. */
export type TrustedChain = { readonly genesis: Genesis; readonly set: ValidatorSet };

/** The part of it from which a proof is verified. */
export type ProofAnchor = { readonly genesis: Pick<Genesis, "hash">; readonly set: ValidatorSet };

/** A validator of the set that finalized the block, and whether its signature is in the certificate. */
export type SignerLine = { readonly publicKey: Uint8Array; readonly weight: bigint; readonly hasSigned: boolean };

/** A receipt with everything that was verified on the way to it. */
export type VerifiedReceipt = {
  readonly receipt: Receipt;
  readonly header: BlockHeader;
  /** Epoch changes that were followed from the genesis set. */
  readonly hops: number;
  /** Headers between the certified block and the receipt's, usually none. */
  readonly ancestors: number;
  /** Hashes of the path from the receipt to the header's receipt root. */
  readonly pathLength: number;
  readonly signers: readonly SignerLine[];
  readonly signedWeight: bigint;
  readonly set: ValidatorSet;
  readonly bundleBytes: number;
};

/**
 * Checks a genesis document by every check that a node makes before it starts, with the portable verifier. The error is
 * a sentence.
 *
 * @param pinned the hash that the visitor expects, where one was given
 */
export function trustGenesis(text: string, pinned: Uint8Array | undefined): Result<TrustedChain, string> {
  const { genesis, checks } = validateGenesis(text, nobleSuite.verify, pinned);
  if (!genesis) {
    const failed = checks.filter(({ verdict }) => verdict === "fail").map(({ check, detail }) => `${check}: ${detail}`);
    return err(`The node's genesis document is not the one to trust. ${failed.join("; ")}.`);
  }
  const set = genesisValidatorSet(genesis);
  return set.ok ? ok({ genesis, set: set.value }) : err(`The genesis document names no validator set: ${set.error}.`);
}

/**
 * Verifies a proof bundle from the genesis set alone, and that it is about this transaction. Whoever gave the bundle is
 * trusted with nothing. The error is a sentence.
 */
export function verifyReceipt(
  { genesis, set }: ProofAnchor,
  transactionId: Uint8Array,
  bytes: Uint8Array,
): Result<VerifiedReceipt, string> {
  const bundle = decodeProofBundle(bytes);
  if (!bundle.ok) return err(`The node sent bytes that are no proof (${bundle.error}).`);
  const fact = verifyProofBundle(nobleSuite, { chainId: genesis.hash, epoch: 0, set }, bundle.value);
  if (!fact.ok) return err(`The node's proof proves nothing: ${fact.error.detail} (${fact.error.code}).`);
  if (fact.value.kind !== "receipt" || !bytesEqual(fact.value.receipt.transactionId, transactionId)) {
    return err(`The node's proof is valid, but not about transaction ${toHex(transactionId)}.`);
  }
  return ok(describe(bundle.value, fact.value, bundle.value.hops.at(-1)?.nextSet ?? set, bytes.length));
}

/** What a bundle that was verified shows; its bitmap fits its set, or it would not have been. */
function describe(
  bundle: ProofBundle,
  { receipt, header }: Extract<ProvenFact, { kind: "receipt" }>,
  set: ValidatorSet,
  bundleBytes: number,
): VerifiedReceipt {
  const signed = new Set(parseBitmap(bundle.finalization.bitmap, set.validators.length));
  const signers = set.validators.map(({ publicKey, weight }, index) => ({ publicKey, weight, hasSigned: signed.has(index) }));
  return {
    receipt,
    header,
    hops: bundle.hops.length,
    ancestors: bundle.headers.length - 1,
    pathLength: bundle.content.kind === "receipt" ? bundle.content.path.length : 0,
    signers,
    signedWeight: signers.reduce((sum, { weight, hasSigned }) => (hasSigned ? sum + weight : sum), 0n),
    set,
    bundleBytes,
  };
}
