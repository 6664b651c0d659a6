import { bytesEqual } from "../kernel/index.ts";
import { BLOCK_VERSIONS, type Block, evidenceRootOf, type Proposal, VOTE_KIND } from "../protocol/index.ts";
import type { ParentFacts } from "./block-pool.ts";
import { isSound } from "./certificates.ts";
import { isConvicting } from "./evidence-pool.ts";
import { type CoreState, newEpochState } from "./state.ts";
import { leaderOf } from "./votes.ts";

/** Why a proposal is permanently invalid; each leads to NULLIFY at once (R3, R5). */
export type HeaderFault =
  | "wrongVersion"
  | "wrongChain"
  | "wrongHeight"
  | "wrongRound"
  | "wrongLeader"
  | "wrongParent"
  | "wrongValidatorSet"
  | "timeNotAfterParent"
  | "badParentCertificate"
  | "badEvidence"
  | "boundaryNotRepeated";

/**
 * Judges what consensus owns of a fresh block: identity, place, leader, lower time bound, parent certificate, evidence.
 * Roots, batches, sizes, the epoch's block version and the next set are the block port's; a time in the future is no fault but a wait (R16).
 * Undefined means sound.
 *
 * @see consensus R3
 */
export function checkHeader(core: CoreState, proposal: Proposal, block: Block, parent: ParentFacts): HeaderFault | undefined {
  const { header } = block;
  const { epoch } = core;
  if (header.version < BLOCK_VERSIONS.min || header.version > BLOCK_VERSIONS.max) return "wrongVersion";
  if (!bytesEqual(header.chainId, core.config.chainId)) return "wrongChain";
  if (header.epoch !== proposal.epoch || header.view !== proposal.view) return "wrongRound";
  if (header.leader !== leaderOf(core, epoch, proposal.view)) return "wrongLeader";
  if (!bytesEqual(header.parentHash, parent.hash)) return "wrongParent";
  if (header.height !== parent.height + 1) return "wrongHeight";
  if (!bytesEqual(header.validatorSetHash, epoch.set.hash)) return "wrongValidatorSet";
  if (header.timeMs <= parent.timeMs) return "timeNotAfterParent";
  if (!isParentCertificateSound(core, proposal, block)) return "badParentCertificate";
  return isEvidenceSound(core, block) ? undefined : "badEvidence";
}

/** The attached certificate notarizes or finalizes the parent in `parentView` (in the epoch before, for its boundary block). */
function isParentCertificateSound(core: CoreState, proposal: Proposal, { header, parentCertificate: certificate }: Block): boolean {
  const { epoch } = core;
  if (proposal.parentView === 0 && epoch.epoch === 0) return certificate === undefined && header.parentBitmap.length === 0;
  if (!certificate?.proposal || !bytesEqual(certificate.proposal.blockHash, header.parentHash)) return false;
  if (!bytesEqual(certificate.bitmap, header.parentBitmap)) return false;
  if (proposal.parentView > 0) return certificate.view === proposal.parentView && isSound(core, epoch, certificate);
  if (certificate.kind !== VOTE_KIND.finalize || certificate.epoch !== epoch.epoch - 1) return false;
  const opening = core.config.findEpoch(certificate.epoch);
  return opening !== undefined && isSound(core, newEpochState(core.config, opening), certificate);
}

function isEvidenceSound(core: CoreState, { header, evidence }: Block): boolean {
  const root = evidenceRootOf(evidence);
  if (root === undefined || header.evidenceRoot === undefined) return root === undefined && header.evidenceRoot === undefined;
  return bytesEqual(root, header.evidenceRoot) && evidence.every((encoded) => isConvicting(core, encoded));
}
