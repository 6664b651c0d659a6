import { bytesEqual } from "../kernel/index.ts";
import { type Certificate, type FinalHeaders, PROOF_LIMITS, type Receipt } from "../protocol/index.ts";
import type { BatchLocation, HeldBatch } from "./batch-source.ts";
import type { BlockContent, BlockContents } from "./block-contents.ts";
import type { ChainReader } from "./chain-reader.ts";
import { BLOCK_ITSELF, type ChainPosition, FIRST_BATCH, type HashIndex } from "./hash-index/index.ts";
import type { CommittedBatch, CommittedBlock, ExecutedAt, ProvenReceipt } from "./types.ts";

/** Everything that can be asked of the committed chain. Reads only; never part of a commit. */
export class BlockQueries {
  readonly #reader: ChainReader;
  readonly #index: HashIndex;
  readonly #contents: BlockContents;

  constructor(reader: ChainReader, index: HashIndex, contents: BlockContents) {
    this.#reader = reader;
    this.#index = index;
    this.#contents = contents;
  }

  /** Height of the last committed block; 0 when there is only genesis. */
  get tipHeight(): number {
    return this.#reader.tipHeight;
  }

  /** A committed block by height; undefined for genesis, beyond the tip and where the chain here begins later. */
  findByHeight(height: number): CommittedBlock | undefined {
    return height < this.lowestHeight ? undefined : this.#reader.find(height);
  }

  /** Lowest height whose block is here: 1, or the one after the lowest row: what a snapshot or pruning left is no whole block. */
  get lowestHeight(): number {
    return this.#reader.baseHeight + 1;
  }

  /** A committed block by hash. */
  findByHash(hash: Uint8Array): CommittedBlock | undefined {
    for (const { height, index } of this.#index.candidates(hash)) {
      const block = index === BLOCK_ITSELF ? this.#reader.find(height) : undefined;
      if (block && bytesEqual(block.hash, hash)) return block;
    }
    return undefined;
  }

  /** Up to `limit` committed blocks from a height upward. */
  list(from: number, limit: number): readonly CommittedBlock[] {
    const blocks: CommittedBlock[] = [];
    for (let height = Math.max(this.lowestHeight, from); blocks.length < limit; height++) {
      const block = this.#reader.find(height);
      if (!block) break;
      blocks.push(block);
    }
    return blocks;
  }

  /** The certificate a block is final by: its own finalization or a later descendant's. */
  finalizationOf(block: CommittedBlock): Certificate {
    return this.#reader.finalizationOf(block);
  }

  /** Where the transaction with this id was executed; undefined when it was not. */
  findExecuted(id: Uint8Array): ExecutedAt | undefined {
    for (const position of this.#index.candidates(id)) if (this.#isExecutedAt(position, id)) return position;
    return undefined;
  }

  /** The receipt of an executed transaction; undefined when it was not executed, or its block's batches were pruned. */
  findReceipt(id: Uint8Array): Receipt | undefined {
    const at = this.findExecuted(id);
    return at && this.#contentAt(at.height)?.receipts[at.index];
  }

  /** A receipt with its path to the header's receiptRoot; undefined as for `findReceipt`. */
  findProvenReceipt(id: Uint8Array): ProvenReceipt | undefined {
    const at = this.findExecuted(id);
    const block = at && this.#reader.find(at.height);
    const content = block && this.#contents.load(block);
    const receipt = content?.receipts[at?.index ?? 0];
    if (!at || !block || !content || !receipt) return undefined;
    const tree = this.#contents.treeOf(at.height, content);
    return { receipt, receiptCount: tree.size, path: tree.path(at.index), header: block.block.header };
  }

  /** Executed transactions and receipts of a block; undefined beyond the tip or when its batches were pruned. */
  findContent(height: number): BlockContent | undefined {
    return this.#contentAt(height);
  }

  /** All transactions of a block's batches, executed or skipped, batch by batch; undefined as for `findContent`. */
  findBatches(height: number): readonly HeldBatch[] | undefined {
    const block = this.#reader.find(height);
    const batches = block?.batches.map((batch) => this.#contents.readBatch(block, batch));
    return batches?.every((batch) => batch !== undefined) === true ? batches : undefined;
  }

  /** Where a batch that a committed block names stands in the log. */
  findBatch(digest: Uint8Array): (ExecutedAt & { readonly batch: CommittedBatch; readonly location: BatchLocation }) | undefined {
    for (const { height, index } of this.#index.candidates(digest)) {
      const batch = index >= FIRST_BATCH ? this.#reader.find(height)?.batches[index - FIRST_BATCH] : undefined;
      if (batch && bytesEqual(batch.digest, digest)) return { height, index: index - FIRST_BATCH, batch, location: batch.location };
    }
    return undefined;
  }

  /**
   * Headers from the one that a finalization names down to this height: what makes the block at this height final for
   * somebody who has neither. Undefined beyond the tip, and when the block that was named lies too far above.
   */
  finalHeaders(height: number): FinalHeaders | undefined {
    const block = this.#reader.find(height);
    if (!block) return undefined;
    const finalization = this.#reader.finalizationOf(block);
    const named = finalization.proposal?.blockHash ?? block.hash;
    const headers = [block.block.header];
    let at: CommittedBlock | undefined = block;
    while (at && !bytesEqual(at.hash, named) && headers.length < PROOF_LIMITS.ancestryMax) {
      at = this.#reader.find(at.block.header.height + 1);
      if (at) headers.unshift(at.block.header);
    }
    return at && bytesEqual(at.hash, named) ? { headers, finalization } : undefined;
  }

  #contentAt(height: number): BlockContent | undefined {
    const block = this.#reader.find(height);
    return block && this.#contents.load(block);
  }

  /** An index entry is 64 bits of the id; where the block or its batch was pruned, that has to do. */
  #isExecutedAt({ height, index }: ChainPosition, id: Uint8Array): boolean {
    if (index >= BLOCK_ITSELF) return false;
    const block = this.#reader.find(height);
    if (!block) return height > 0 && height < this.lowestHeight;
    const found = this.#contents.executedIdAt(block, index);
    return found === "pruned" || (found !== undefined && bytesEqual(found, id));
  }
}
