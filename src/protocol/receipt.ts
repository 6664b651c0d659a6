import { merkleRoot } from "../crypto/portable.ts";
import { CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import { findReceiptCode, RECEIPT_CODES, type ReceiptCode } from "./codes.ts";
import { LIMITS } from "./limits.ts";

/** Result of one executed transaction; the only thing that proves execution. */
export type Receipt = {
  /** 32 bytes. */
  readonly transactionId: Uint8Array;
  readonly height: number;
  /** Position among the block's executed transactions, from 0; also its leaf in the receipt tree. */
  readonly index: number;
  readonly code: ReceiptCode;
  /** Base units charged. */
  readonly fee: bigint;
  /** SHA-256 of tag | encoded effects, 32 bytes. */
  readonly effectsDigest: Uint8Array;
};

/** Canonical encoding: array [transactionId, height, index, code, fee, effectsDigest]. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const w = new CborWriter(128).array(6).bytes(receipt.transactionId).uint(receipt.height).uint(receipt.index);
  return w.uint(RECEIPT_CODES[receipt.code]).uint(receipt.fee).bytes(receipt.effectsDigest).finish();
}

/** Reads a receipt at the reader's place. */
export function readReceipt(r: CborReader): Receipt {
  if (r.array(6) !== 6) r.reject();
  const transactionId = r.bytes(32);
  const height = r.uint();
  const index = r.uint(LIMITS.blockTransactionsMax - 1);
  const code = findReceiptCode(r.uint(255));
  if (!code) r.reject();
  return { transactionId, height, index, code: code ?? "applied", fee: r.uint64(), effectsDigest: r.bytes(32) };
}

/** Reads what `encodeReceipt` writes. */
export function decodeReceipt(bytes: Uint8Array): Result<Receipt, "malformed"> {
  const r = new CborReader(bytes);
  const receipt = readReceipt(r);
  return r.isComplete ? ok(receipt) : err("malformed");
}

/** RFC 6962 root over a block's encoded receipts in order. */
export function receiptRootOf(receipts: readonly Receipt[]): Uint8Array {
  return merkleRoot(receipts.map(encodeReceipt));
}
