import { type BlockPort, ConsensusLoop, type FinalizedBlock, type JournalPort, type VoteSigner } from "../../src/consensus/index.ts";
import { BLOCK_VERSIONS } from "../../src/protocol/index.ts";
import { createJournal, openJournal, VoteGuard } from "../../src/validator/index.ts";
import type { ChainModel } from "./chain-model.ts";
import { type BoxParts, type Insides, JOURNAL, type LifeParts, type Process } from "./insides.ts";

/** Real consensus, journal and guard over a chain in memory: twenty times cheaper than a whole node. */
export class ModelNode implements Insides {
  readonly chain: ChainModel;
  readonly #box: BoxParts;
  #loop: ConsensusLoop | undefined;

  constructor(box: BoxParts, chain: ChainModel) {
    this.#box = box;
    this.chain = chain;
    createJournal(this.#files(), box.key.publicKey);
  }

  open(life: LifeParts): Process {
    this.chain.restart();
    const { key, keys, host, prng, profile } = this.#box;
    const { chainId } = this.chain.rules;
    const journal = openJournal(this.#files(), { publicKey: key.publicKey, isBlocking: true });
    const loop = new ConsensusLoop(
      {
        blocks: this.#watched(life),
        journal: journal satisfies JournalPort,
        signer: new VoteGuard(journal, key, chainId) satisfies VoteSigner,
        network: life.network,
        clock: host.clock,
        timers: life.timers,
        onNotice: life.onNotice,
        onFatal: life.onFatal,
      },
      { chainId, suite: keys.suite, profile, seed: prng.uint32(), nextBlockVersion: () => this.#nextBlockVersion() },
    );
    this.#loop = loop;
    return {
      loop,
      peers: {
        onPeerUp: (peer) => loop.onPeerUp(peer),
        onPeerDown: (peer) => loop.onPeerDown(peer),
        onMessage: (from, message) => loop.onMessage(from, message),
        onBatchMessage() {},
      },
    };
  }

  run(): void {
    this.#loop?.start();
  }

  crash(): void {
    this.#loop = undefined;
  }

  end(): void {}

  failNextCommit(): void {}

  /** A modelled chain is no database: it cannot be lost. */
  databaseImages(): ReadonlyMap<string, Uint8Array> {
    return new Map();
  }

  restoreDatabases(): void {}

  #files() {
    return { fs: this.#box.disk, directory: JOURNAL, entropy: this.#box.prng };
  }

  /** Blocks of the model have one version; a program that is too old believes that they have another. */
  #nextBlockVersion(): number {
    const { hash, height, epoch } = this.chain.tip();
    const isBoundary = height > 0 && this.chain.find(hash)?.header.nextValidatorSetHash !== undefined;
    return (isBoundary ? epoch + 1 : epoch) < this.#box.host.unknownFromEpoch ? BLOCK_VERSIONS.min : BLOCK_VERSIONS.max + 1;
  }

  /** The chain with its commits announced. */
  #watched({ onCommit }: LifeParts): BlockPort {
    const { onEffect } = this.#box;
    return new Proxy(this.chain, {
      get: (target, property) => {
        if (property === "commit")
          return (blocks: readonly FinalizedBlock[]) => {
            onEffect("commit");
            onCommit(blocks);
            target.commit(blocks);
          };
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}
