import { bytesEqual, CborReader } from "../kernel/index.ts";
import { blockHashOf, checkCertificate, LIMITS, readBlockHeader, readCertificate, VOTE_KIND } from "../protocol/index.ts";
import type { Tip, TipJudge } from "./tip.ts";

/**
 * Whether an answer to a question for a final block (docs/network.md) shows the one at a height: it follows our tip, and a
 * quorum of its epoch has finalized it or one after it. Which of both is for who takes the blocks to check.
 */
export function showsNextBlock(answer: Uint8Array, height: number, tip: Tip | undefined, judge: TipJudge): boolean {
  const r = new CborReader(answer);
  if (r.array(2) !== 2) r.reject();
  const fields = r.array(4);
  const header = readBlockHeader(r);
  for (let left = r.array(LIMITS.blockBatchesMax); left > 0 && !r.isBroken; left--) r.bytes(32);
  for (let left = r.array(LIMITS.blockEvidenceMax); left > 0 && !r.isBroken; left--) r.bytes(1, LIMITS.evidenceBytesMax);
  if (fields === 4) readCertificate(r);
  const finalization = readCertificate(r);
  if (!r.isComplete || header.height !== height || !bytesEqual(header.chainId, judge.chainId)) return false;
  if (judge.isFinalHere(height, blockHashOf(header))) return true; // the tip moved meanwhile
  const isNext = tip === undefined || tip.header.height !== height - 1 || bytesEqual(header.parentHash, blockHashOf(tip.header));
  if (!isNext || finalization.kind !== VOTE_KIND.finalize || finalization.epoch !== header.epoch) return false;
  const set = finalization.view >= header.view ? judge.findEpochSet(finalization.epoch) : undefined;
  return set !== undefined && checkCertificate(finalization, set, finalization.epoch, judge.chainId, judge.verify).ok;
}
