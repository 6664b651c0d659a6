import { type CryptoSuite, leafHash, rootOfInclusionPath } from "../crypto/portable.ts";
import { bytesEqual, err, ok, type Result, toHex } from "../kernel/index.ts";
import { type BlockHeader, blockHashOf } from "./block.ts";
import { checkCertificate } from "./certificate.ts";
import type { EpochHop, FinalHeaders, ProofBundle } from "./proof-bundle.ts";
import { encodeReceipt, type Receipt } from "./receipt.ts";
import { verifyStateProof } from "./state-proof.ts";
import type { ValidatorSet } from "./validator-set.ts";
import { VOTE_KIND } from "./vote.ts";

/**
 * What a light client starts from: a chain and the validator set of one of its epochs, taken from the genesis document
 * (epoch 0) or pinned not longer ago than the unbonding time.
 */
export type TrustedSet = { readonly chainId: Uint8Array; readonly epoch: number; readonly set: ValidatorSet };

/** What a verified bundle proves about one final block. */
export type ProvenFact =
  | { readonly kind: "receipt"; readonly header: BlockHeader; readonly receipt: Receipt }
  | { readonly kind: "state"; readonly header: BlockHeader; readonly key: Uint8Array; readonly value: Uint8Array | undefined };

/** Why a bundle proves nothing, with a sentence. */
export type ProofFault = { readonly code: ProofFaultCode; readonly detail: string };
/** Stable codes of proof refusals. */
export type ProofFaultCode = "wrongChain" | "wrongEpoch" | "notFinal" | "brokenAncestry" | "wrongSet" | "badReceipt" | "badState";

/**
 * Verifies a bundle from what is trusted, offline: each epoch hop, the finalization, the ancestry and the content's
 * path. Pure; the suite may be native or portable. Total on decoded input; the work is bounded by the bundle's size.
 *
 * @see ledger: proof bundle; consensus S15
 */
export function verifyProofBundle(suite: CryptoSuite, trusted: TrustedSet, bundle: ProofBundle): Result<ProvenFact, ProofFault> {
  let at = trusted;
  for (const hop of bundle.hops) {
    const next = verifyEpochHop(suite, at, hop);
    if (!next.ok) return next;
    at = next.value;
  }
  const header = verifyFinalHeaders(suite, at, bundle);
  if (!header.ok) return header;
  return verifyContent(suite, header.value, bundle);
}

/**
 * Verifies a step from a trusted set into the next epoch: its boundary header is final under that set and commits to the
 * set that comes with it. Gives what is trusted then, with the time of the boundary header.
 *
 * Errors: those of a header that is not final, and `wrongSet` when it commits to another set or to none.
 */
export function verifyEpochHop(
  suite: CryptoSuite,
  trusted: TrustedSet,
  hop: EpochHop,
): Result<TrustedSet & { readonly openedAtMs: number }, ProofFault> {
  const { chainId, epoch } = trusted;
  const boundary = verifyFinalHeaders(suite, trusted, hop);
  if (!boundary.ok) return boundary;
  const { height, nextValidatorSetHash: committed, timeMs } = boundary.value;
  if (!committed || !bytesEqual(committed, hop.nextSet.hash)) {
    return refuse("wrongSet", `the header at height ${height} does not commit to the given set of epoch ${epoch + 1}`);
  }
  return ok({ chainId, epoch: epoch + 1, set: hop.nextSet, openedAtMs: timeMs });
}

/**
 * Checks that the last header is final under a trusted set, certified directly or an ancestor of the certified one by the
 * parent hashes, and gives it.
 *
 * Errors: `wrongChain`, `wrongEpoch`, `wrongSet`, `notFinal`, `brokenAncestry`.
 */
export function verifyFinalHeaders(
  suite: CryptoSuite,
  { chainId, epoch, set }: TrustedSet,
  { headers, finalization }: FinalHeaders,
): Result<BlockHeader, ProofFault> {
  for (const header of headers) {
    if (!bytesEqual(header.chainId, chainId)) return refuse("wrongChain", `expected chain ${toHex(chainId)}, got ${toHex(header.chainId)}`);
    if (header.epoch !== epoch) return refuse("wrongEpoch", `expected a header of epoch ${epoch}, got epoch ${header.epoch}`);
    if (!bytesEqual(header.validatorSetHash, set.hash))
      return refuse("wrongSet", `the header at height ${header.height} names another validator set`);
  }
  const [first] = headers;
  const last = headers.at(-1);
  if (!first || !last) return refuse("notFinal", "expected at least one header");
  if (finalization.kind !== VOTE_KIND.finalize || !finalization.proposal) return refuse("notFinal", "expected a finalization certificate");
  if (!bytesEqual(finalization.proposal.blockHash, blockHashOf(first))) return refuse("notFinal", "the finalization names another block");
  for (let i = 1; i < headers.length; i++) {
    const child = headers[i - 1] as BlockHeader;
    const parent = headers[i] as BlockHeader;
    if (!bytesEqual(child.parentHash, blockHashOf(parent)))
      return refuse("brokenAncestry", `the header at height ${child.height} has another parent`);
  }
  const certified = checkCertificate(finalization, set, epoch, chainId, (key, message, signature) => suite.verify(key, message, signature));
  if (!certified.ok) return refuse("notFinal", `the finalization fails: ${certified.error}`);
  return ok(last);
}

function verifyContent(suite: CryptoSuite, header: BlockHeader, { content }: ProofBundle): Result<ProvenFact, ProofFault> {
  if (content.kind === "state") {
    const fact = verifyStateProof(suite, content.proof, header.stateRoot);
    if (!fact.ok) return refuse("badState", `the state proof does not lead to the header's state root: ${fact.error}`);
    return ok({ kind: "state", header, key: content.proof.key, value: fact.value });
  }
  const { receipt, path } = content;
  if (receipt.height !== header.height)
    return refuse("badReceipt", `the receipt is of height ${receipt.height}, the header of ${header.height}`);
  const root = rootOfInclusionPath(suite, leafHash(encodeReceipt(receipt)), receipt.index, path);
  if (!root || !bytesEqual(root, header.receiptRoot))
    return refuse("badReceipt", "the receipt's path does not lead to the header's receipt root");
  return ok({ kind: "receipt", header, receipt });
}

function refuse(code: ProofFaultCode, detail: string): { readonly ok: false; readonly error: ProofFault } {
  return err({ code, detail });
}
