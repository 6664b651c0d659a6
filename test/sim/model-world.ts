import { sha256 } from "../../src/crypto/index.ts";
import { present, toHex, u64be, utf8 } from "../../src/kernel/index.ts";
import { ChainModel } from "./chain-model.ts";
import type { BoxParts, Insides } from "./insides.ts";
import { ModelNode } from "./model-node.ts";
import { ModelReexecution, type Reexecution } from "./oracle/chain-check.ts";
import type { ChainRules } from "./sim-chain.ts";
import type { SimNode } from "./sim-node.ts";
import type { World, WorldParts } from "./world.ts";

/** Real consensus over cheap chains: batches are names, held and fetched without a network. */
export class ModelWorld implements World {
  readonly rules: ChainRules;
  readonly weightUnit = 1n;
  readonly #parts: WorldParts;
  readonly #chains: ChainModel[] = [];
  #batchCount = 0;

  constructor(rules: ChainRules, parts: WorldParts) {
    this.rules = rules;
    this.#parts = parts;
  }

  insidesOf(index: number, box: BoxParts): Insides {
    const chain = new ChainModel(this.rules);
    this.#chains[index] = chain;
    return new ModelNode(box, chain);
  }

  submit(to: readonly number[]): Uint8Array {
    const digest = sha256(utf8("batch"), u64be(this.#batchCount++));
    for (const index of to) this.#give(index, digest);
    return digest;
  }

  spread(digest: Uint8Array, withinMs: number): void {
    const { schedule, prng } = this.#parts;
    for (const index of this.#chains.keys()) schedule.after(prng.below(withinMs), () => this.#give(index, digest));
  }

  rest(): void {}

  isFinal(node: SimNode, digest: Uint8Array): boolean {
    return node.chain.isExecuted(digest);
  }

  reexecution(): Reexecution {
    return new ModelReexecution();
  }

  fetchBatches(node: SimNode, digests: readonly Uint8Array[]): void {
    const { schedule, prng, nodes } = this.#parts;
    const chain = present(this.#chains[nodes().indexOf(node)], "a box of this world");
    schedule.after(1 + prng.below(20), () => {
      for (const digest of digests) {
        const isHeld = this.#chains.some((other, i) => nodes()[i]?.isUp === true && other.batches.has(toHex(digest)));
        if (isHeld) chain.hold(digest);
      }
      node.isTouched = true;
      node.loop?.onBatchesHeld();
    });
  }

  #give(index: number, digest: Uint8Array): void {
    const node = this.#parts.nodes()[index];
    if (!node) return;
    node.isTouched = true;
    this.#chains[index]?.hold(digest);
    node.loop?.onWork();
    node.loop?.onBatchesHeld();
  }
}
