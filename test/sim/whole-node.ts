import { type Configuration, resolveConfiguration } from "../../src/config/index.ts";
import { LAN_TIMERS } from "../../src/consensus/index.ts";
import type { Signer } from "../../src/crypto/index.ts";
import { assert, present, silentLog } from "../../src/kernel/index.ts";
import { type Contexts, openContexts } from "../../src/node/contexts.ts";
import { openFiles } from "../../src/node/files.ts";
import { HOME as NAMES } from "../../src/node/home.ts";
import { runContexts } from "../../src/node/lifetime.ts";
import type { Platform } from "../../src/node/platform.ts";
import type { NodeSetup } from "../../src/node/setup.ts";
import { type Genesis, genesisValidatorSet } from "../../src/protocol/index.ts";
import { InlineCheckpointWriter } from "../../src/state/index.ts";
import type { CommitFailure } from "../../src/storage/index.ts";
import { createJournal } from "../../src/validator/index.ts";
import { type BoxParts, HOME, type Insides, JOURNAL, type LifeParts, type Process } from "./insides.ts";
import { SimDatabases } from "./sim-databases.ts";
import type { WholeChain } from "./whole-chain.ts";

/** Bytes that a simulated disk without a bound has free. */
const AMPLE_BYTES = 2 ** 40;
/** Small enough that a run of a few hundred blocks writes, merges and loses each kind of file several times. */
const INDEX_TUNING = { pendingEntriesMax: 64, pendingBlocksMax: 16, sliceEntries: 32, verifyBytesMax: 1024 * 1024 };
const CHECKPOINT_BLOCKS = 20;
/** So few blocks stay where a box prunes, and so few go at a time, that a run of some dozen blocks lets go of most of them. */
const PRUNE_TUNING = { stepBlocks: 2, keepBlocksLeast: 3 };
/** A segment holds some batches, so that most of them go too. */
const BATCH_SEGMENT_BYTES = 4 * 1024;

/**
 * A whole node as it ships: the composition of `src/node` on a simulated platform. Everything that it opens, checks,
 * recovers and refuses at a start is the real thing.
 */
export class WholeNode implements Insides {
  readonly chain: WholeChain;
  readonly #box: BoxParts;
  readonly #setup: NodeSetup;
  readonly #databases: SimDatabases;
  #contexts: Contexts | undefined;

  /** @param identity signs the event log's checkpoints */
  constructor(box: BoxParts, chain: WholeChain, genesis: Genesis, identity: Signer) {
    this.#box = box;
    this.chain = chain;
    this.#setup = setupOf(box, genesis, identity);
    this.#databases = new SimDatabases(box);
    createJournal({ fs: box.disk, directory: JOURNAL, entropy: box.prng }, box.key.publicKey);
  }

  /** The contexts of the running process; undefined while there is none. */
  get contexts(): Contexts | undefined {
    return this.#contexts;
  }

  open(life: LifeParts): Process {
    assert(this.#contexts === undefined, "one process runs at a time");
    const platform = this.#platformOf(life);
    const files = openFiles(this.#setup, platform, silentLog);
    const contexts = openContexts(this.#setup, files, platform, silentLog, life.onFatal, life.onNotice);
    this.#contexts = contexts;
    this.chain.attach(contexts, life.onCommit);
    return contexts;
  }

  run(): void {
    runContexts(present(this.#contexts, "what runs was opened"));
  }

  crash(isPowerCut: boolean): void {
    this.#contexts = undefined;
    this.chain.detach();
    this.#databases.crash(isPowerCut);
  }

  end(): void {
    this.#contexts = undefined;
    this.#databases.close();
  }

  failNextCommit(name: string, how: CommitFailure): void {
    this.#databases.find(`${HOME}/${name}`)?.failNextCommit(how);
  }

  databaseImages(): ReadonlyMap<string, Uint8Array> {
    return this.#databases.images();
  }

  restoreDatabases(images: ReadonlyMap<string, Uint8Array>): void {
    this.#databases.restore(images);
  }

  #platformOf({ timers, network }: LifeParts): Platform {
    const { disk, host, keys, prng } = this.#box;
    return {
      clock: host.clock,
      timers,
      entropy: prng,
      fs: disk,
      openDatabase: (options) => this.#databases.open(options),
      checkpointWriter: (path) => new InlineCheckpointWriter(disk, path),
      freeBytes: () => (disk.capacityBytes === Number.POSITIVE_INFINITY ? AMPLE_BYTES : disk.freeBytes()),
      suite: keys.suite,
      verifyMany: keys.verifyMany,
      network,
      indexTuning: INDEX_TUNING,
      pruneTuning: PRUNE_TUNING,
      batchSegmentBytesMax: BATCH_SEGMENT_BYTES,
    };
  }
}

function setupOf({ key, profile, isPruner }: BoxParts, genesis: Genesis, identity: Signer): NodeSetup {
  const set = genesisValidatorSet(genesis);
  assert(set.ok, "a simulated genesis has a set");
  return {
    home: HOME,
    configuration: (isPruner ? PRUNING : CONFIGURATION)[profile === LAN_TIMERS ? "lan" : "wan"],
    genesis,
    genesisText: "",
    validatorSet: set.value,
    validator: key,
    identity,
    passphrase: () => "",
    nodeId: "simulated",
  };
}

function configurationOf(profile: "lan" | "wan", keepBlocks = 0): Configuration {
  const flags = {
    "consensus-profile": profile,
    "storage-checkpoint-blocks": String(CHECKPOINT_BLOCKS),
    "storage-keep-blocks": String(keepBlocks),
  };
  const resolved = resolveConfiguration({ environment: {}, flags });
  assert(resolved.ok, "the simulated configuration is a lawful one");
  return resolved.value.values;
}

const CONFIGURATION = { lan: configurationOf("lan"), wan: configurationOf("wan") };
const PRUNING = { lan: configurationOf("lan", 4), wan: configurationOf("wan", 4) };
assert(`${HOME}/${NAMES.journal}` === JOURNAL, "the journal lies where a node looks for it");
