import type { Signer } from "../../src/crypto/index.ts";
import { parseHex, present, toHex } from "../../src/kernel/index.ts";
import type { Genesis, ValidatorSet } from "../../src/protocol/index.ts";
import { genesisValidatorSet } from "../../src/protocol/index.ts";
import { simGenesis, WEIGHT_UNIT } from "./genesis.ts";
import type { BoxParts, Insides } from "./insides.ts";
import type { SimKeys } from "./keys.ts";
import { type Door, Load } from "./load.ts";
import type { Reexecution } from "./oracle/chain-check.ts";
import { SetChanges } from "./set-changes.ts";
import type { ChainRules } from "./sim-chain.ts";
import type { SimNode } from "./sim-node.ts";
import { WholeChain } from "./whole-chain.ts";
import { WholeNode } from "./whole-node.ts";
import { WholeReexecution } from "./whole-reexecution.ts";
import type { World, WorldParts } from "./world.ts";

/** Accounts of people who send transactions. */
const ACCOUNTS = 5;
/** An epoch never ends by time alone in a run. */
const EPOCH_MS = 86_400_000;

/** Who is there at the beginning. */
export type WholePeople = {
  readonly keys: SimKeys;
  readonly genesisTimeMs: number;
  readonly validators: readonly Signer[];
  readonly weights: readonly bigint[];
  /** Keys of boxes that are in no set at first. */
  readonly observers: readonly Signer[];
  readonly epochBlocks: number;
  readonly hasSetChanges: boolean;
};

/** Whole nodes: real transactions of real accounts through admission, batches, blocks, state and events. */
export class WholeWorld implements World {
  readonly rules: ChainRules;
  readonly weightUnit = WEIGHT_UNIT;
  readonly genesis: Genesis;
  readonly load: Load;
  readonly setChanges: SetChanges;
  readonly #parts: WorldParts;
  readonly #keys: SimKeys;
  readonly #nodes: WholeNode[] = [];
  readonly #doors: Door[] = [];
  readonly #sets: ValidatorSet[] = [];

  constructor(people: WholePeople, parts: WorldParts) {
    const { keys, validators, weights, observers, epochBlocks, hasSetChanges } = people;
    const accounts = Array.from({ length: ACCOUNTS }, (_, i) => keys.make(`account ${i}`));
    const owners = validators.map((_, i) => keys.make(`owner ${i}`));
    const staker = keys.make("staker");
    const span = { timeMs: people.genesisTimeMs, epochBlocks, epochMs: EPOCH_MS };
    const genesis = simGenesis({ ...span, validators, weights, owners, accounts: [...accounts, staker], feePolicy: "validators" });
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
    const { schedule, prng } = parts;
    const { hash: chainId } = genesis;
    const isFinal = (id: string): boolean =>
      this.#nodes.some(
        ({ contexts }) => contexts?.blocks.queries.findExecuted(present(parseHex(id), "an id is hexadecimal")) !== undefined,
      );
    // In half of the runs an acceptance is all that a device waits for; while sets change, a member may leave with a promise open.
    const isTrusting = !hasSetChanges && prng.chance(0.5);
    const mayTrust = (box: number): boolean => isTrusting && this.#keepsPromises(box);
    this.load = new Load({
      schedule,
      seed: prng.uint32(),
      chainId,
      accounts,
      others: [...owners, staker],
      doors: this.#doors,
      ...{ mayTrust, isFinal },
    });
    this.setChanges = new SetChanges({
      ...{ schedule, chainId, owners, staker, load: this.load },
      seed: prng.uint32(),
      boxCount: validators.length + observers.length,
      validators: validators.map(({ publicKey }) => publicKey),
      standbys: observers,
      epoch: () => this.#sets.length - 1,
    });
    if (hasSetChanges) this.setChanges.start();
  }

  insidesOf(index: number, box: BoxParts): Insides {
    const chain = new WholeChain(this.rules, {
      onOutcome: ({ executed }) => this.load.onExecuted(new Set(executed.map(({ id }) => toHex(id)))),
      onEpoch: (epoch, set) => {
        this.#sets[epoch] ??= set;
      },
    });
    const node = new WholeNode(box, chain, this.genesis, this.#keys.make(`identity ${index}`));
    this.#nodes[index] = node;
    this.#doors[index] = (transactions) => this.#admit(index, transactions);
    return node;
  }

  /** The node in a box. */
  nodeOf(index: number): WholeNode {
    return present(this.#nodes[index], "a box of this world");
  }

  submit(to: readonly number[]): Uint8Array {
    return this.load.submit(to);
  }

  /** Dissemination does that among the nodes, and the load asks again. */
  spread(): void {}

  rest(): void {
    this.setChanges.stop();
  }

  isFinal(node: SimNode, id: Uint8Array): boolean {
    const { contexts } = this.nodeOf(this.#parts.nodes().indexOf(node));
    return contexts?.blocks.queries.findExecuted(id) !== undefined;
  }

  reexecution(): Reexecution {
    return new WholeReexecution(this.genesis, () => this.#nodes.flatMap(({ contexts }) => contexts ?? []));
  }

  fetchBatches(): void {}

  #admit(index: number, transactions: readonly Uint8Array[]): ReturnType<Door> {
    const node = this.#parts.nodes()[index];
    const { contexts } = this.nodeOf(index);
    if (!node || !contexts) return undefined;
    let answer: ReturnType<Door>;
    node.enter(() => {
      answer = contexts.mempool.submit(transactions, "device");
    });
    return answer;
  }

  #keepsPromises(box: number): boolean {
    const node = this.#parts.nodes()[box];
    const isMember = node?.status()?.voting !== "following"; // who has left the set cannot keep them (docs/limits.md)
    return node !== undefined && isMember && !node.isFaulty && node.homeLosses === 0;
  }

  /** The set that the first box to open the epoch found there, which the oracle holds all others to; else the latest known. */
  #setOf(epoch: number): ValidatorSet {
    return this.#sets[epoch] ?? present(this.#sets.at(-1), "genesis has a set");
  }
}
