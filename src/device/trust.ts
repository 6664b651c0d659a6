import { nobleSuite } from "../crypto/portable.ts";
import { bytesEqual, err, ok, type Result, toHex } from "../kernel/index.ts";
import {
  type BlockHeader,
  decodeProofBundle,
  type Genesis,
  genesisValidatorSet,
  type LightClient,
  type ProvenFact,
  type Receipt,
  type ValidatorSet,
  validateGenesis,
  verifyProofBundle,
} from "../protocol/index.ts";

/** The chain that a device trusts: a checked genesis document and the set that it names. */
export type TrustedChain = { readonly genesis: Genesis; readonly set: ValidatorSet };

/** The part of it from which a proof is verified. */
export type ProofAnchor = { readonly genesis: Pick<Genesis, "hash">; readonly set: ValidatorSet };

/** A verified receipt and the final header it stands in. */
export type ProvenReceipt = { readonly receipt: Receipt; readonly header: BlockHeader };

/** A refusal with a sentence for people. */
export type Refusal = { readonly code: string; readonly detail: string };

/** Verifies proof bundles; whoever gave the bytes is trusted with nothing. */
export interface ReceiptVerifier {
  /** The fact that the bundle proves. @param nowMs milliseconds since the Unix epoch, for verifiers whose trust ages */
  verify(bundle: Uint8Array, nowMs: number): Result<ProvenFact, Refusal>;
}

/**
 * Checks a genesis document by every check that a node makes before it starts, with the portable verifier.
 *
 * Errors: `badGenesis` with what failed.
 *
 * @param pinned the hash that is expected, 32 bytes; without it whoever gave the document is trusted with the choice of chain
 */
export function trustGenesis(text: string, pinned: Uint8Array | undefined): Result<TrustedChain, Refusal> {
  const { genesis, checks } = validateGenesis(text, nobleSuite.verify, pinned);
  if (!genesis) {
    const failed = checks.filter(({ verdict }) => verdict === "fail").map(({ check, detail }) => `${check}: ${detail}`);
    return err({ code: "badGenesis", detail: failed.join("; ") });
  }
  const set = genesisValidatorSet(genesis);
  return set.ok ? ok({ genesis, set: set.value }) : err({ code: "badGenesis", detail: `no validator set: ${set.error}` });
}

/**
 * Verifies from the genesis set: every change of the set since then comes with the bundle. It does not age, so it takes the
 * word of a set whose members may have left long ago; `lightVerifier` does not.
 */
export function genesisVerifier({ genesis, set }: ProofAnchor): ReceiptVerifier {
  return {
    verify: (bytes) => {
      const bundle = decodeProofBundle(bytes);
      if (!bundle.ok) return err({ code: bundle.error, detail: "the bytes are no proof bundle" });
      return verifyProofBundle(nobleSuite, { chainId: genesis.hash, epoch: 0, set }, bundle.value);
    },
  };
}

/** Verifies by a light client that follows the chain from a pinned set and trusts none longer than its stake answers. */
export function lightVerifier(client: Pick<LightClient, "accept">): ReceiptVerifier {
  return { verify: (bytes, nowMs) => client.accept(bytes, nowMs) };
}

/**
 * Verifies a bundle and that it proves the receipt of one of these transactions.
 *
 * Errors: the verifier's, and `otherFact` for a valid proof of something else.
 */
export function verifyReceipt(
  verifier: ReceiptVerifier,
  ids: readonly Uint8Array[],
  bundle: Uint8Array,
  nowMs: number,
): Result<ProvenReceipt, Refusal> {
  const fact = verifier.verify(bundle, nowMs);
  if (!fact.ok) return fact;
  const { value } = fact;
  if (value.kind === "receipt" && ids.some((id) => bytesEqual(id, value.receipt.transactionId)))
    return ok({ receipt: value.receipt, header: value.header });
  return err({ code: "otherFact", detail: `the proof is valid, but not about transaction ${ids.map(toHex).join(" or ")}` });
}
