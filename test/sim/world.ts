import type { Prng } from "../../src/kernel/index.ts";
import type { BoxParts, Insides } from "./insides.ts";
import type { Reexecution } from "./oracle/chain-check.ts";
import type { Schedule } from "./schedule.ts";
import type { ChainRules } from "./sim-chain.ts";
import type { SimNode } from "./sim-node.ts";

/** What a cluster's world is made on. */
export type WorldParts = {
  readonly schedule: Schedule;
  readonly prng: Prng;
  /** The boxes, once they are made. */
  readonly nodes: () => readonly SimNode[];
};

/** The kind of chain that runs in a cluster's boxes, and what people who use it do. */
export interface World {
  readonly rules: ChainRules;
  /** Weight in the sets that a unit of `ClusterOptions.weights` stands for. */
  readonly weightUnit: bigint;
  /** What runs in a box; called once a box, in order. */
  insidesOf(index: number, box: BoxParts): Insides;
  /** Hands something to execute to these boxes; gives its id. */
  submit(to: readonly number[]): Uint8Array;
  /** Sees to it that what was submitted reaches everybody within a time. */
  spread(id: Uint8Array, withinMs: number): void;
  /** People do nothing more of their own accord; what they began they see through. */
  rest(): void;
  /** Whether what was submitted has executed on a box's chain. */
  isFinal(node: SimNode, id: Uint8Array): boolean;
  /** Executes the chain anew for the oracle. */
  reexecution(): Reexecution;
  /** A box asks its peers for batches. */
  fetchBatches(node: SimNode, digests: readonly Uint8Array[]): void;
}
