import { assert, bytesEqual, type CborReader, type CborWriter, toHex } from "../kernel/index.ts";
import { type BlockExecution, type Effect, effectsDigestOf, encodeEffects } from "../ledger/index.ts";
import { findReceiptCode, LIMITS, RECEIPT_CODES, type Receipt, type ReceiptCode, type Transaction } from "../protocol/index.ts";
import { deriveEffects } from "./derived-effects.ts";
import { readRuns, writeRuns } from "./position-runs.ts";

/**
 * What executing a block gave that does not follow from its transactions: enough, with them, to rebuild every receipt.
 * Positions count from 0: of skipped ones among all the block's transactions, of the rest among the executed ones.
 */
export type ExecutionRecord = {
  /** Transactions of the block that left no trace. */
  readonly skipped: readonly number[];
  /** Executed transactions whose code is not `applied`. */
  readonly codes: readonly { readonly index: number; readonly code: ReceiptCode }[];
  /** Executed transactions whose fee another key than the sender's paid, by payer. */
  readonly payers: readonly { readonly payer: Uint8Array; readonly indexes: readonly number[] }[];
  /** Executed transactions whose effects do not follow from the rest, with their digest. */
  readonly digests: readonly { readonly index: number; readonly digest: Uint8Array }[];
};

/**
 * Condenses an execution.
 *
 * @param transactions of the block in order, those that were executed
 */
export function recordExecution(transactions: readonly Transaction[], execution: BlockExecution): ExecutionRecord {
  const { executed, receipts, effects } = execution;
  const codes: { index: number; code: ReceiptCode }[] = [];
  const payers = new Map<string, { payer: Uint8Array; indexes: number[] }>();
  const digests: { index: number; digest: Uint8Array }[] = [];
  for (const [index, receipt] of receipts.entries()) {
    const transaction = executed[index];
    const done = effects[index];
    assert(transaction !== undefined && done !== undefined, "receipts, executed transactions and effects run in parallel");
    assert(receipt.fee === transaction.fee, "the stated fee is charged whole");
    if (receipt.code !== "applied") codes.push({ index, code: receipt.code });
    const payer = payerOf(done) ?? transaction.sender;
    if (!areSameBytes(payer, transaction.sender)) {
      const name = toHex(payer);
      const group = payers.get(name) ?? { payer, indexes: [] };
      payers.set(name, group);
      group.indexes.push(index);
    }
    if (!areEqualEffects(done, deriveEffects(transaction, receipt.code, payer))) digests.push({ index, digest: receipt.effectsDigest });
  }
  return { skipped: skippedPositions(transactions, executed), codes, payers: [...payers.values()], digests };
}

/** The executed transactions, in the order of their receipts. */
export function executedOf(transactions: readonly Transaction[], skipped: readonly number[]): Transaction[] {
  const isSkipped = new Set(skipped);
  return transactions.filter((_, position) => !isSkipped.has(position));
}

/** Rebuilds a block's receipts from its executed transactions and the record. The root over them tells whether all of it is right. */
export function rebuildReceipts(height: number, executed: readonly Transaction[], record: ExecutionRecord): Receipt[] {
  const codeAt = new Map(record.codes.map(({ index, code }) => [index, code]));
  const digestAt = new Map(record.digests.map(({ index, digest }) => [index, digest]));
  const payerAt = new Map(record.payers.flatMap(({ payer, indexes }) => indexes.map((index) => [index, payer] as const)));
  return executed.map((transaction, index) => {
    const code = codeAt.get(index) ?? "applied";
    const payer = payerAt.get(index) ?? transaction.sender;
    const effectsDigest = digestAt.get(index) ?? effectsDigestOf(deriveEffects(transaction, code, payer));
    return { transactionId: transaction.id, height, index, code, fee: transaction.fee, effectsDigest };
  });
}

/** Writes the record as the array [skipped, codes, payers, digests]. */
export function writeExecutionRecord(w: CborWriter, record: ExecutionRecord): void {
  writeRuns(w.array(4), record.skipped);
  w.array(record.codes.length);
  for (const { index, code } of record.codes) w.array(2).uint(index).uint(RECEIPT_CODES[code]);
  w.array(record.payers.length);
  for (const { payer, indexes } of record.payers) writeRuns(w.array(2).bytes(payer), indexes);
  w.array(record.digests.length);
  for (const { index, digest } of record.digests) w.array(2).uint(index).bytes(digest);
}

/** Reads what `writeExecutionRecord` writes. */
export function readExecutionRecord(r: CborReader): ExecutionRecord {
  const bound = LIMITS.blockTransactionsMax;
  if (r.array(4) !== 4) r.reject();
  const skipped = readRuns(r, bound);
  const codes = readList(r, () => {
    const index = r.uint(bound - 1);
    const code = findReceiptCode(r.uint(255));
    if (!code) r.reject();
    return { index, code: code ?? "applied" };
  });
  const payers = readList(r, () => ({ payer: r.bytes(32), indexes: readRuns(r, bound) }));
  return { skipped, codes, payers, digests: readList(r, () => ({ index: r.uint(bound - 1), digest: r.bytes(32) })) };
}

function readList<T>(r: CborReader, readPair: () => T): T[] {
  const count = r.array(LIMITS.blockTransactionsMax);
  const items: T[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) {
    if (r.array(2) !== 2) r.reject();
    items.push(readPair());
  }
  return items;
}

function payerOf(effects: readonly Effect[]): Uint8Array | undefined {
  const [first] = effects;
  return first?.kind === "feePaid" ? first.payer : undefined;
}

/** Both lists are in block order, so one walk tells the skipped ones apart, repeats of one transaction included. */
function skippedPositions(transactions: readonly Transaction[], executed: readonly Transaction[]): number[] {
  const skipped: number[] = [];
  let next = 0;
  for (const [position, transaction] of transactions.entries()) {
    if (transaction === executed[next]) next++;
    else skipped.push(position);
  }
  assert(next === executed.length, "executed transactions are those of the block, in its order");
  return skipped;
}

function areEqualEffects(a: readonly Effect[], b: readonly Effect[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (!isEqualEffect(a[at] as Effect, b[at] as Effect)) return false;
  return true;
}

/** Field by field where it runs for nearly every executed transaction, by their encodings where it is rare. */
function isEqualEffect(a: Effect, b: Effect): boolean {
  switch (a.kind) {
    case "feePaid":
      return b.kind === a.kind && a.amount === b.amount && areSameBytes(a.payer, b.payer);
    case "moved":
      return b.kind === a.kind && a.amount === b.amount && areSameBytes(a.from, b.from) && areSameBytes(a.to, b.to);
    case "anchored":
      return b.kind === a.kind && a.stream === b.stream && areSameBytes(a.sender, b.sender) && areSameBytes(a.digest, b.digest);
    case "deviceRegistered":
    case "deviceRevoked":
      return b.kind === a.kind && areSameBytes(a.device, b.device) && areSameBytes(a.owner, b.owner);
    default:
      return bytesEqual(encodeEffects([a]), encodeEffects([b]));
  }
}

/** Mostly both are the transaction's own array. */
function areSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || bytesEqual(a, b);
}
