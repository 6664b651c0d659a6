import { present, toHex } from "../../src/kernel/index.ts";
import type { Genesis, ValidatorSet } from "../../src/protocol/index.ts";
import { genesisValidatorSet } from "../../src/protocol/index.ts";
import type { BoxParts, Insides } from "./insides.ts";
import type { SimKeys } from "./keys.ts";
import type { Reexecution } from "./oracle/chain-check.ts";
import type { ChainRules } from "./sim-chain.ts";
import type { SimNode } from "./sim-node.ts";
import { WholeChain } from "./whole-chain.ts";
import { WholeNode } from "./whole-node.ts";
import { WholeReexecution } from "./whole-reexecution.ts";
import type { World, WorldParts } from "./world.ts";

/** Whole nodes: real transactions of real accounts through admission, batches, blocks, state and events. */
export class WholeWorld implements World {
  readonly rules: ChainRules;
  readonly genesis: Genesis;
  readonly #parts: WorldParts;
  readonly #keys: SimKeys;
  readonly #nodes: WholeNode[] = [];
  readonly #sets: ValidatorSet[] = [];

  constructor(genesis: Genesis, keys: SimKeys, parts: WorldParts) {
    this.genesis = genesis;
    this.#parts = parts;
    this.#keys = keys;
    const set = genesisValidatorSet(genesis);
    if (!set.ok) throw new Error(`no validator set: ${set.error}`);
    this.#sets[0] = set.value;
    this.rules = {
      chainId: genesis.hash,
      genesisTimeMs: genesis.timeMs,
      epochBlocks: genesis.parameters.epochBlocks,
      setOf: (epoch) => this.#setOf(epoch),
    };
  }

  insidesOf(index: number, box: BoxParts): Insides {
    const node = new WholeNode(box, new WholeChain(this.rules), this.genesis, this.#keys.make(`identity ${index}`));
    this.#nodes[index] = node;
    return node;
  }

  /** The node in a box. */
  nodeOf(index: number): WholeNode {
    return present(this.#nodes[index], "a box of this world");
  }

  submit(_to: readonly number[]): Uint8Array {
    return new Uint8Array(32);
  }

  spread(_id: Uint8Array, _withinMs: number): void {}

  isFinal(node: SimNode, id: Uint8Array): boolean {
    const { contexts } = this.nodeOf(this.#parts.nodes().indexOf(node));
    return contexts?.blocks.queries.findExecuted(id) !== undefined;
  }

  reexecution(): Reexecution {
    return new WholeReexecution(this.genesis, () => this.#nodes.flatMap(({ contexts }) => contexts ?? []));
  }

  fetchBatches(): void {}

  /** The set that the first box to commit the boundary found there; that all found the same is the oracle's to see. */
  #setOf(epoch: number): ValidatorSet {
    const known = this.#sets[epoch];
    if (known) return known;
    for (const { contexts } of this.#nodes) {
      const opening = contexts?.blocks.findEpoch(epoch);
      if (!opening) continue;
      this.#sets[epoch] = opening.validatorSet;
      return opening.validatorSet;
    }
    throw new Error(`nobody has opened epoch ${epoch} (${toHex(this.rules.chainId.subarray(0, 4))})`);
  }
}
