import type { FinalizedBlock } from "../../../src/consensus/index.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { bytesEqual, concatBytes, toHex, utf8 } from "../../../src/kernel/index.ts";
import { type Block, blockHashOf, VOTE_KIND } from "../../../src/protocol/index.ts";
import type { SimNode } from "../sim-node.ts";
import type { Ballots } from "./ballots.ts";
import type { Judge, Rules } from "./judge.ts";

/**
 * Executes blocks anew from genesis, by code of its own where there is any (S8, S12). One instance follows one chain.
 */
export interface Reexecution {
  /** Executes the next block and says what is wrong with it, if anything. */
  execute(block: Block): string | undefined;
}

/** The modelled state: a hash over the digests executed, each once. */
export class ModelReexecution implements Reexecution {
  #root = sha256(utf8("genesis state"));
  readonly #executed = new Set<string>();

  execute({ header, batchDigests }: Block): string | undefined {
    for (const digest of batchDigests) {
      const key = toHex(digest);
      if (this.#executed.has(key)) return "a batch is executed twice";
      this.#executed.add(key);
      this.#root = sha256(concatBytes(this.#root, digest));
    }
    return bytesEqual(this.#root, header.stateRoot) ? undefined : "its state root is not what execution gives";
  }
}

/** S1, S6, S8, S12 and S13, over the one chain that all honest boxes committed to. */
export class ChainCheck {
  readonly #rules: Rules;
  readonly #judge: Judge;
  /** The block of each height that some honest box committed first. */
  readonly #chain: { readonly block: Block; readonly key: string }[] = [];
  readonly #checkedHeights = new Map<SimNode, number>();
  readonly #setHashes = new Map<number, string>();
  readonly #reexecution: Reexecution;
  #concludedHeight = 0;

  constructor(rules: Rules, judge: Judge, reexecution: Reexecution = new ModelReexecution()) {
    this.#rules = rules;
    this.#judge = judge;
    this.#reexecution = reexecution;
  }

  /** S1, S13: what a box committed since the last look. */
  observe(node: SimNode): void {
    const { committed } = node.chain;
    const seen = this.#checkedHeights.get(node) ?? 0;
    for (let at = seen; at < committed.length; at++) this.#take(node, at, committed[at] as FinalizedBlock);
    this.#checkedHeights.set(node, committed.length);
  }

  /** S8: boxes at one height show one root, and it is the last block's. */
  concludeNode(node: SimNode): void {
    const height = node.chain.committed.length;
    const last = this.#chain[height - 1];
    if (last && !bytesEqual(node.chain.stateRoot, last.block.header.stateRoot))
      this.#judge.find("S8", `${node.name}: another state root at height ${height}`);
  }

  /** S6, S8, S12 over the blocks that came since the last conclusion. */
  conclude(ballots: Ballots): void {
    for (; this.#concludedHeight < this.#chain.length; this.#concludedHeight++) {
      const here = this.#chain[this.#concludedHeight];
      if (!here) return;
      const { block } = here;
      this.#checkAncestry(block, this.#chain[this.#concludedHeight - 1], ballots);
      const fault = this.#reexecution.execute(block);
      if (fault) this.#judge.find(fault.includes("twice") ? "S12" : "S8", `height ${block.header.height}: ${fault}`);
    }
  }

  #take(node: SimNode, at: number, { block, hash }: FinalizedBlock): void {
    const key = toHex(hash);
    const known = this.#chain[at];
    if (known && known.key !== key) this.#judge.find("S1", `${node.name}: another block at height ${at + 1}`);
    if (known) return;
    if (!bytesEqual(blockHashOf(block.header), hash)) this.#judge.find("S1", `${node.name}: block ${at + 1} does not hash to its name`);
    this.#chain[at] = { block, key };
    const { epoch, validatorSetHash, nextValidatorSetHash } = block.header;
    this.#checkSet(node, epoch, validatorSetHash);
    if (nextValidatorSetHash) this.#checkSet(node, epoch + 1, nextValidatorSetHash);
  }

  /** S13: an epoch has one set, the one that the boundary before it named. */
  #checkSet(node: SimNode, epoch: number, hash: Uint8Array): void {
    const key = toHex(hash);
    const known = this.#setHashes.get(epoch) ?? toHex(this.#rules.setOf(epoch).hash);
    if (known !== key) this.#judge.find("S13", `${node.name}: another validator set in epoch ${epoch}`);
    this.#setHashes.set(epoch, known);
  }

  /** S6: a block extends the one before, carries its certificate, and the views between were all nullified. */
  #checkAncestry(
    { header, parentCertificate }: Block,
    before: { readonly block: Block; readonly key: string } | undefined,
    ballots: Ballots,
  ): void {
    const where = `block ${header.height}`;
    const parentKey = before?.key ?? toHex(this.#rules.chainId);
    if (toHex(header.parentHash) !== parentKey) this.#judge.find("S6", `${where} does not extend its parent`);
    const named = parentCertificate?.proposal?.blockHash;
    if (before && (!named || toHex(named) !== parentKey)) this.#judge.find("S6", `${where} carries another parent's certificate`);
    const first = parentCertificate?.epoch === header.epoch ? parentCertificate.view + 1 : 1;
    for (let view = first; view < header.view; view++) {
      if (!ballots.isCertified(VOTE_KIND.nullify, header.epoch, view))
        this.#judge.find("S6", `${where} passes over view ${header.epoch}:${view}, which was not nullified`);
    }
  }
}
