import type { BlockOutcome } from "../../src/blocks/index.ts";
import type { BuildRequest, BuiltBlock, ChainTip, FinalizedBlock } from "../../src/consensus/index.ts";
import { bytesEqual, present, toHex } from "../../src/kernel/index.ts";
import type { Contexts } from "../../src/node/contexts.ts";
import type { ValidatorSet } from "../../src/protocol/index.ts";
import type { ChainRules, SimChain } from "./sim-chain.ts";

/** Who follows the chain of a box. */
export type ChainFollowers = {
  /** Told of each block that a process made final. */
  readonly onOutcome: (outcome: BlockOutcome) => void;
  /** Told of each epoch that a committed block opened. */
  readonly onEpoch: (epoch: number, set: ValidatorSet) => void;
};

/** The chain of a whole node as its chain.db holds it, readable also while no process runs. */
export class WholeChain implements SimChain {
  readonly rules: ChainRules;
  readonly committed: FinalizedBlock[] = [];
  readonly #followers: ChainFollowers;
  #executedDigests = new Set<string>();
  #genesisRoot: Uint8Array = new Uint8Array(32);
  #contexts: Contexts | undefined;

  constructor(rules: ChainRules, followers: ChainFollowers) {
    this.rules = rules;
    this.#followers = followers;
  }

  /** Follows a process that was opened and does not run yet. */
  attach(contexts: Contexts, onCommit: (blocks: readonly FinalizedBlock[]) => void): void {
    this.#contexts = contexts;
    if (this.committed.length === 0) this.#genesisRoot = contexts.state.height === 0 ? contexts.state.root : this.#genesisRoot;
    this.#reread(contexts);
    const { blocks } = contexts;
    blocks.subscribe(this.#followers.onOutcome);
    const commit = blocks.commit.bind(blocks);
    blocks.commit = (finalized) => {
      onCommit(finalized);
      commit(finalized);
      for (const each of finalized) this.#append(contexts, each);
    };
  }

  /** No process runs any more. */
  detach(): void {
    this.#contexts = undefined;
  }

  get stateRoot(): Uint8Array {
    return this.committed.at(-1)?.block.header.stateRoot ?? this.#genesisRoot;
  }

  get overlayCount(): number {
    return this.#contexts?.blocks.stats().liveBlocks ?? 0;
  }

  tip(): ChainTip {
    const last = this.committed.at(-1);
    const { chainId, genesisTimeMs } = this.rules;
    if (!last) return { height: 0, hash: chainId, epoch: 0, view: 0, timeMs: genesisTimeMs };
    const { height, epoch, view, timeMs } = last.block.header;
    return { height, hash: last.hash, epoch, view, timeMs, finalization: last.finalization };
  }

  build(request: BuildRequest): BuiltBlock {
    return present(this.#contexts, "only a running node builds").blocks.build(request);
  }

  isExecuted(digest: Uint8Array): boolean {
    return this.#executedDigests.has(toHex(digest));
  }

  /** What the process found on its disk: mostly what was there before, sometimes a block more, after a fault fewer or others. */
  #reread(contexts: Contexts): void {
    const { blocks } = contexts;
    const { height } = blocks.tip();
    const last = this.committed.at(-1);
    const shared = blocks.reader.find(this.committed.length);
    if (last && !(shared && bytesEqual(shared.hash, last.hash))) {
      this.committed.length = 0;
      this.#executedDigests = new Set();
    }
    for (let at = this.committed.length + 1; at <= height; at++) {
      this.#append(contexts, present(blocks.findFinalized(at), "a chain holds every block up to its tip"));
    }
  }

  #append({ blocks }: Contexts, finalized: FinalizedBlock): void {
    const { header, batchDigests } = finalized.block;
    this.committed.push(finalized);
    for (const digest of batchDigests) this.#executedDigests.add(toHex(digest));
    if (!header.nextValidatorSetHash) return;
    const opened = present(blocks.findEpoch(header.epoch + 1), "a boundary block opens the next epoch");
    this.#followers.onEpoch(opened.epoch, opened.validatorSet);
  }
}
