import { bytesEqual } from "../kernel/index.ts";
import { type Block, batchRootOf, type Certificate, evidenceRootOf, type Proposal } from "../protocol/index.ts";
import { isSound } from "./certificates.ts";
import { type CoreState, newEpochState } from "./state.ts";

/**
 * Whether what travels beside a header is what the header commits to, and the attached certificate is a genuine one of
 * its parent. A block is known by the hash of its header alone, so anyone who passes it on could put another body under
 * it; one that was kept would be judged invalid for good, and a final block that is invalid here stops the process.
 *
 * @see consensus R0
 */
export function isBodySound(core: CoreState, { header, batchDigests, evidence, parentCertificate }: Block): boolean {
  if (!bytesEqual(header.batchRoot, batchRootOf(batchDigests))) return false;
  const evidenceRoot = evidenceRootOf(evidence);
  if (!bytesEqual(header.evidenceRoot ?? NOTHING, evidenceRoot ?? NOTHING)) return false;
  if (!bytesEqual(header.parentBitmap, parentCertificate?.bitmap ?? NOTHING)) return false;
  if (!parentCertificate) return true;
  const { proposal } = parentCertificate;
  return proposal !== undefined && bytesEqual(proposal.blockHash, header.parentHash) && isGenuine(core, parentCertificate);
}

/**
 * Whether the attached certificate is of the view that the proposal names as its parent's: a boundary block may have
 * been certified in several. One that is proposed again keeps the certificate it was built on (R12).
 */
export function isAttachedToParent(core: CoreState, proposal: Proposal, { header, parentCertificate }: Block): boolean {
  const isRepeated = header.epoch === proposal.epoch && header.view < proposal.view;
  if (isRepeated || !parentCertificate) return true;
  if (proposal.parentView === 0) return parentCertificate.epoch === core.epoch.epoch - 1;
  return parentCertificate.epoch === core.epoch.epoch && parentCertificate.view === proposal.parentView;
}

const NOTHING = new Uint8Array(0);

/** The parent lies in the current epoch or is the boundary block of the one before. */
function isGenuine(core: CoreState, certificate: Certificate): boolean {
  const { epoch, config } = core;
  if (certificate.epoch === epoch.epoch) return isSound(core, epoch, certificate);
  const before = certificate.epoch === epoch.epoch - 1 ? config.findEpoch(certificate.epoch) : undefined;
  return before !== undefined && isSound(core, newEpochState(config, before), certificate);
}
