import type { ConsensusLoop, FinalizedBlock, NetworkPort, Notice, TimerProfile } from "../../src/consensus/index.ts";
import type { Signer } from "../../src/crypto/index.ts";
import type { Prng, Timers } from "../../src/kernel/index.ts";
import type { NodeNetwork, PeerEvents } from "../../src/node/peers.ts";
import type { CommitFailure, MemoryFileSystem } from "../../src/storage/index.ts";
import type { SimHost } from "./host.ts";
import type { SimKeys } from "./keys.ts";
import type { SimChain } from "./sim-chain.ts";

/** What a box can be stopped before: a write to the disk, a sync, a message, a commit, or anything else. */
export type EffectKind = "append" | "sync" | "send" | "commit" | "other";

/** Thrown by a port to stop a node at an effect boundary. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

/** What a box gives to whatever runs in it; lives as long as the box. */
export type BoxParts = {
  readonly key: Signer;
  readonly keys: SimKeys;
  readonly disk: MemoryFileSystem;
  readonly host: SimHost;
  readonly prng: Prng;
  readonly profile: TimerProfile;
  /** Whether it lets go of old blocks. */
  readonly isPruner: boolean;
  /** Announces an effect; throws to stop the process just before it. */
  readonly onEffect: (kind: EffectKind) => void;
};

/** What one process gets; all of it dies with it. */
export type LifeParts = {
  readonly timers: Timers;
  readonly network: NetworkPort & NodeNetwork;
  readonly onNotice: (notice: Notice) => void;
  /** Called before final blocks are committed. */
  readonly onCommit: (blocks: readonly FinalizedBlock[]) => void;
  /** Called when the process has to end; a SimulatedCrash is a planned one. */
  readonly onFatal: (error: unknown) => void;
};

/** What is there of a process once it is opened. */
export type Process = {
  readonly loop: ConsensusLoop;
  /** Where the network hands in what peers do and say. */
  readonly peers: Pick<PeerEvents, "onPeerUp" | "onPeerDown" | "onMessage" | "onBatchMessage">;
};

/** What runs in a box: a whole node, or real consensus over a cheap chain. */
export interface Insides {
  readonly chain: SimChain;
  /** Opens what the disk holds; nothing votes yet. Throws what stands in the way. */
  open(life: LifeParts): Process;
  /** Sets going what was opened. */
  run(): void;
  /** The process is gone, and with `isPowerCut` what no sync had reached. The disk has been told. */
  crash(isPowerCut: boolean): void;
  /** The run is over: gives back what only a process's end would. */
  end(): void;
  /** Makes the next commit of a database, by file name, fail; nothing where there is no such database. */
  failNextCommit(name: string, how: CommitFailure): void;
  /** Content of each database, by path. */
  databaseImages(): ReadonlyMap<string, Uint8Array>;
  /** Puts the databases back as they were, and lets go of those that are not in the image. Nothing runs. */
  restoreDatabases(images: ReadonlyMap<string, Uint8Array>): void;
}

/** Folder of a box's data. */
export const HOME = "/home";
/** Where a box's journal lies on its disk. */
export const JOURNAL = `${HOME}/journal`;
