import {
  genesisVerifier,
  type ProofAnchor,
  type ProvenReceipt,
  type TrustedChain,
  trustGenesis as trustDocument,
  verifyReceipt as verifyAnyReceipt,
} from "../../device/index.ts";
import { err, ok, present, type Result } from "../../kernel/index.ts";
import {
  type BlockHeader,
  decodeProofBundle,
  type ProofBundle,
  parseBitmap,
  type Receipt,
  type ValidatorSet,
} from "../../protocol/index.ts";

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
 * Checks a genesis document as devices do. The error is a sentence.
 *
 * @param pinned the hash that the visitor expects, where one was given
 */
export function trustGenesis(text: string, pinned: Uint8Array | undefined): Result<TrustedChain, string> {
  const chain = trustDocument(text, pinned);
  return chain.ok ? chain : err(`The node's genesis document is not the one to trust. ${chain.error.detail}.`);
}

/**
 * Verifies a proof bundle from the genesis set alone, and that it is about this transaction. Whoever gave the bundle is
 * trusted with nothing. The error is a sentence.
 */
export function verifyReceipt(anchor: ProofAnchor, transactionId: Uint8Array, bytes: Uint8Array): Result<VerifiedReceipt, string> {
  const proven = verifyAnyReceipt(genesisVerifier(anchor), [transactionId], bytes, 0);
  if (!proven.ok) {
    const { code, detail } = proven.error;
    if (code === "malformed" || code === "tooLarge") return err(`The node sent bytes that are no proof (${code}).`);
    return err(
      code === "otherFact" ? `The node's proof is of no use: ${detail}.` : `The node's proof proves nothing: ${detail} (${code}).`,
    );
  }
  const decoded = decodeProofBundle(bytes);
  const bundle = present(decoded.ok ? decoded.value : undefined, "a bundle that was verified decodes");
  return ok(describe(bundle, proven.value, bundle.hops.at(-1)?.nextSet ?? anchor.set, bytes.length));
}

/** What a bundle that was verified shows; its bitmap fits its set, or it would not have been. */
function describe(bundle: ProofBundle, { receipt, header }: ProvenReceipt, set: ValidatorSet, bundleBytes: number): VerifiedReceipt {
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
