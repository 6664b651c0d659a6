import type { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import { type BlockHeader, type Certificate, type Receipt, VOTE_KIND, type VoteKind } from "../../protocol/index.ts";
import type { BlockView } from "../ports.ts";
import type { blockSchema, certificateSchema, headerSchema, receiptSchema } from "../schemas/chain.ts";

/** RFC 3339 UTC of milliseconds since the Unix epoch. */
export function renderTime(timeMs: number): string {
  return new Date(Math.min(timeMs, 8.64e15)).toISOString().replace(/^\+0*/, "");
}

/** A receipt in JSON. */
export function renderReceipt(receipt: Receipt): z.input<typeof receiptSchema> {
  const { transactionId, height, index, code, fee, effectsDigest } = receipt;
  return { transactionId: toHex(transactionId), height, index, code, fee: String(fee), effectsDigest: toHex(effectsDigest) };
}

/** A block header in JSON. */
export function renderHeader(header: BlockHeader): z.input<typeof headerSchema> {
  const { version, height, epoch, view, leader } = header;
  return {
    version,
    chainId: toHex(header.chainId),
    height,
    epoch,
    view,
    parentHash: toHex(header.parentHash),
    leader,
    time: renderTime(header.timeMs),
    batchRoot: toHex(header.batchRoot),
    stateRoot: toHex(header.stateRoot),
    receiptRoot: toHex(header.receiptRoot),
    validatorSetHash: toHex(header.validatorSetHash),
    ...(header.nextValidatorSetHash ? { nextValidatorSetHash: toHex(header.nextValidatorSetHash) } : {}),
    parentBitmap: toHex(header.parentBitmap),
    ...(header.evidenceRoot ? { evidenceRoot: toHex(header.evidenceRoot) } : {}),
  };
}

const CERTIFICATE_WORDS = {
  [VOTE_KIND.notarize]: "notarization",
  [VOTE_KIND.nullify]: "nullification",
  [VOTE_KIND.finalize]: "finalization",
} as const satisfies Record<VoteKind, string>;

/** A certificate in JSON. */
export function renderCertificate(certificate: Certificate): z.input<typeof certificateSchema> {
  const { kind, epoch, view, proposal, bitmap, signatures } = certificate;
  return {
    kind: CERTIFICATE_WORDS[kind],
    epoch,
    view,
    ...(proposal ? { proposal: { ...proposal, blockHash: toHex(proposal.blockHash) } } : {}),
    bitmap: toHex(bitmap),
    signatures: signatures.map(toHex),
  };
}

/** A final block in JSON. */
export function renderBlock(block: BlockView): z.input<typeof blockSchema> {
  const batches = block.batches.map(({ digest, author, sequence, transactionCount, sizeBytes }) => ({
    digest: toHex(digest),
    author: toHex(author),
    sequence,
    transactionCount,
    sizeBytes,
  }));
  return {
    hash: toHex(block.hash),
    height: block.header.height,
    header: renderHeader(block.header),
    batches,
    transactionCount: block.transactionCount,
    finalization: renderCertificate(block.finalization),
  };
}
