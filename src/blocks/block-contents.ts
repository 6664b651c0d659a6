import { bytesEqual, toHex } from "../kernel/index.ts";
import { type Receipt, receiptRootOf, type Transaction } from "../protocol/index.ts";
import type { BatchSource, HeldBatch } from "./batch-source.ts";
import { executedOf, rebuildReceipts } from "./execution-record.ts";
import { ReceiptTree } from "./receipt-tree.ts";
import { ChainDamaged, type CommittedBatch, type CommittedBlock } from "./types.ts";
import { WeightedCache } from "./weighted-cache.ts";

/** A block's transactions as they were executed. `receipts` and `executed` run in parallel. */
export type BlockContent = { readonly executed: readonly Transaction[]; readonly receipts: readonly Receipt[] };

/** Transactions of recent or recently asked-for blocks and batches that are kept in memory, about 1 KB each. */
const KEPT_TRANSACTIONS_MAX = 8_192;

/**
 * What the batches of committed blocks hold, read back from the log and checked: a batch by its digest, receipts by the
 * header's root. Keeps the last few blocks, whose receipts everybody asks for, and the last few batches, since whoever
 * asks for one of their transactions asks for the others.
 */
export class BlockContents {
  readonly #source: Pick<BatchSource, "read">;
  readonly #blocks = new WeightedCache<number, BlockContent>(KEPT_TRANSACTIONS_MAX, ({ executed }) => 1 + executed.length);
  readonly #batches = new WeightedCache<string, HeldBatch>(KEPT_TRANSACTIONS_MAX, ({ transactions }) => transactions.length);

  readonly #trees = new WeightedCache<number, ReceiptTree>(KEPT_TRANSACTIONS_MAX, ({ size }) => 1 + size);

  constructor(source: Pick<BatchSource, "read">) {
    this.#source = source;
  }

  /** Keeps what the caller has at hand of a block that was just committed. */
  keep(height: number, content: BlockContent): void {
    this.#blocks.put(height, content);
  }

  /**
   * Executed transactions and receipts of a block; undefined when its batches were pruned.
   *
   * @throws ChainDamaged when they do not give the header's receipt root
   */
  load(block: CommittedBlock): BlockContent | undefined {
    const { header } = block.block;
    const kept = this.#blocks.find(header.height);
    if (kept) return kept;
    const transactions = this.transactionsOf(block);
    if (!transactions) return undefined;
    const executed = executedOf(transactions, block.execution.skipped);
    const receipts = rebuildReceipts(header.height, executed, block.execution);
    if (!bytesEqual(receiptRootOf(receipts), header.receiptRoot)) {
      throw new ChainDamaged("chain.db", header.height, "its receipts, rebuilt from its batches, do not give the root in its header");
    }
    const content = { executed, receipts };
    this.keep(header.height, content);
    return content;
  }

  /** The tree over a block's receipts, made once for the blocks that proofs are asked of. */
  treeOf(height: number, content: BlockContent): ReceiptTree {
    const kept = this.#trees.find(height);
    if (kept) return kept;
    const tree = new ReceiptTree(content.receipts);
    this.#trees.put(height, tree);
    return tree;
  }

  /** All transactions of a block's batches in order; undefined when one was pruned. */
  transactionsOf(block: CommittedBlock): Transaction[] | undefined {
    if (block.hops) return undefined; // its batches came with no snapshot
    const transactions: Transaction[] = [];
    for (const batch of block.batches) {
      const held = this.readBatch(block, batch);
      if (!held) return undefined;
      for (const transaction of held.transactions) transactions.push(transaction);
    }
    return transactions;
  }

  /** One batch of a block; undefined when it was pruned. */
  readBatch(block: CommittedBlock, batch: CommittedBatch): HeldBatch | undefined {
    const name = toHex(batch.digest);
    const kept = this.#batches.find(name);
    if (kept) return kept;
    const held = this.#source.read(batch.digest, batch.location);
    if (held && held.transactions.length !== batch.transactionCount) {
      throw new ChainDamaged(
        "chain.db",
        block.block.header.height,
        `its row says otherwise of batch ${toHex(batch.digest)} than the batch does`,
      );
    }
    return held;
  }

  /**
   * Id of the executed transaction with a receipt at this index, reading only the batch it is in. Undefined when there is
   * no such index; `"pruned"` when the batch is gone.
   */
  executedIdAt(block: CommittedBlock, index: number): Uint8Array | "pruned" | undefined {
    const kept = this.#blocks.find(block.block.header.height);
    if (kept) return kept.executed[index]?.id;
    let position = index;
    for (const skipped of block.execution.skipped) if (skipped <= position) position++;
    for (const batch of block.batches) {
      if (position < batch.transactionCount) return this.readBatch(block, batch)?.transactions[position]?.id ?? "pruned";
      position -= batch.transactionCount;
    }
    return undefined;
  }
}
