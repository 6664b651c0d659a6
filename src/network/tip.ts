import { bytesEqual, CborReader, CborWriter } from "../kernel/index.ts";
import {
  type BlockHeader,
  blockHashOf,
  type Certificate,
  checkCertificate,
  encodeBlockHeader,
  encodeCertificate,
  isLaterHeader,
  readBlockHeader,
  readCertificate,
  type ValidatorSet,
  type VerifySignature,
  VOTE_KIND,
} from "../protocol/index.ts";

/** A final block's header with the finalization that names it. */
export type Tip = { readonly header: BlockHeader; readonly finalization: Certificate };

/** What judging a peer's tip takes. */
export type TipJudge = {
  readonly chainId: Uint8Array;
  /** The set of an epoch, as far as the chain is known here. */
  readonly findEpochSet: (epoch: number) => ValidatorSet | undefined;
  /** Whether this very block is final here, which needs no signature to believe. */
  readonly isFinalHere: (height: number, hash: Uint8Array) => boolean;
  readonly verify: VerifySignature;
};

/** A tip proven; one of an epoch or block version not known here, which shows that we are behind but not by how much; or a lie. */
export type TipVerdict =
  | { readonly kind: "proven"; readonly height: number }
  | { readonly kind: "unknownEpoch" }
  | { readonly kind: "false" };

/** Whether the finalization is that of this very block, and not of one after it: only then does it prove the height. */
export function isOwnFinalization({ header, finalization }: Tip): boolean {
  const named = finalization.proposal?.blockHash;
  return finalization.kind === VOTE_KIND.finalize && named !== undefined && bytesEqual(named, blockHashOf(header));
}

/** Canonical CBOR: array [header, finalization]. */
export function encodeTip({ header, finalization }: Tip): Uint8Array {
  return new CborWriter(1_024).array(2).raw(encodeBlockHeader(header)).raw(encodeCertificate(finalization)).finish();
}

/** Judges an encoded tip. The height counts only with a finalization of that block by a quorum of its epoch. */
export function judgeTip(bytes: Uint8Array, judge: TipJudge): TipVerdict {
  const r = new CborReader(bytes);
  if (r.array(2) !== 2) r.reject();
  const header = readBlockHeader(r);
  const certificate = readCertificate(r);
  if (!r.isComplete && isOfLaterRelease(bytes)) return { kind: "unknownEpoch" };
  if (!r.isComplete || !bytesEqual(header.chainId, judge.chainId)) return { kind: "false" };
  const hash = blockHashOf(header);
  const named = certificate.proposal?.blockHash;
  if (certificate.kind !== VOTE_KIND.finalize || !named || !bytesEqual(named, hash)) return { kind: "false" };
  if (judge.isFinalHere(header.height, hash)) return { kind: "proven", height: header.height };
  const set = judge.findEpochSet(certificate.epoch);
  if (!set) return { kind: "unknownEpoch" };
  const verdict = checkCertificate(certificate, set, certificate.epoch, judge.chainId, judge.verify);
  return verdict.ok ? { kind: "proven", height: header.height } : { kind: "false" };
}

function isOfLaterRelease(bytes: Uint8Array): boolean {
  const r = new CborReader(bytes);
  r.array(64);
  return isLaterHeader(r);
}
