import { DOMAIN_TAGS, merkleRoot, type Signer, sha256 } from "../crypto/portable.ts";
import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result, u32be, u64be } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";

/** Who admitted how many transactions, in which order; its digest is the batch's identity. */
export type BatchHeader = {
  /** Validator key, 32 bytes, of the admitting validator. */
  readonly author: Uint8Array;
  /** The author's running number; reuse after a restore is no fault. */
  readonly sequence: number;
  /** Transactions in the batch, at least 1. */
  readonly count: number;
  /** RFC 6962 root over the transactions' COSE bytes. */
  readonly root: Uint8Array;
};

/** Transactions admitted together: the unit of durability, dissemination and ordering. */
export type Batch = {
  readonly header: BatchHeader;
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
  /** The author's signature over tag | chainId | digest, 64 bytes. */
  readonly signature: Uint8Array;
  /** COSE_Sign1 bytes of each transaction, in execution order. */
  readonly transactions: readonly Uint8Array[];
};

/** SHA-256(tag | author 32 | sequence u64 | count u32 | root 32). */
export function batchDigestOf(header: BatchHeader): Uint8Array {
  return sha256(concatBytes(DOMAIN_TAGS.batch, header.author, u64be(header.sequence), u32be(header.count), header.root));
}

/** Bytes the author signs. */
export function batchSignBytes(chainId: Uint8Array, digest: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN_TAGS.batchSignature, chainId, digest);
}

/** Seals admitted transactions into a signed batch. */
export function makeBatch(signer: Signer, chainId: Uint8Array, sequence: number, transactions: readonly Uint8Array[]): Batch {
  assert(transactions.length > 0 && transactions.length <= LIMITS.batchTransactionsMax, "a batch holds 1 to 2,048 transactions");
  const header = { author: signer.publicKey, sequence, count: transactions.length, root: merkleRoot(transactions) };
  const digest = batchDigestOf(header);
  return { header, digest, signature: signer.sign(batchSignBytes(chainId, digest)), transactions };
}

/** Canonical encoding: array [author, sequence, signature, [transaction...]]. */
export function encodeBatch(batch: Batch): Uint8Array {
  let size = 128;
  for (const transaction of batch.transactions) size += transaction.length + 3;
  const w = new CborWriter(size).array(4).bytes(batch.header.author).uint(batch.header.sequence).bytes(batch.signature);
  w.array(batch.transactions.length);
  for (const transaction of batch.transactions) w.bytes(transaction);
  return w.finish();
}

/**
 * Reads what `encodeBatch` writes and computes root and digest. Neither the author's nor any transaction's signature is
 * checked, nor that the transactions decode.
 */
export function decodeBatch(bytes: Uint8Array): Result<Batch, "malformed" | "tooLarge"> {
  if (bytes.length > LIMITS.batchBytesMax) return err("tooLarge");
  const r = new CborReader(bytes);
  if (r.array(4) !== 4) r.reject();
  const author = r.bytes(32);
  const sequence = r.uint();
  const signature = r.bytes(64);
  const count = r.array(LIMITS.batchTransactionsMax);
  const transactions: Uint8Array[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) transactions.push(r.bytes(1, LIMITS.transactionBytesMax));
  if (!r.isComplete || count === 0) return err("malformed");
  const header = { author, sequence, count, root: merkleRoot(transactions) };
  return ok({ header, digest: batchDigestOf(header), signature, transactions });
}
