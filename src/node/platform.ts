import { statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { HashIndexTuning } from "../blocks/index.ts";
import { type CryptoSuite, nativeSuite, type SignatureClaim, VerifyThreads, type VerifyThreadsHealth } from "../crypto/index.ts";
import type { Clock, Entropy, Timers } from "../kernel/index.ts";
import { type CheckpointWriter, WorkerCheckpointWriter } from "../state/index.ts";
import { type Database, type DatabaseOptions, type FileSystem, nodeFileSystem, openDatabase } from "../storage/index.ts";
import { type NodeNetwork, noNetwork } from "./peers.ts";
import { systemClock, systemEntropy, systemTimers } from "./ports.ts";
import type { PruneTuning } from "./prune-policy.ts";

/**
 * Everything outside a node that its contexts reach: time, chance, disk, network, and who verifies signatures. The same
 * composition runs on a machine and in the simulator; only this differs.
 */
export interface Platform {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly fs: FileSystem;
  /** Opens one of the home's databases. */
  readonly openDatabase: (options: DatabaseOptions) => Database;
  /** Writes the state's checkpoints to this file. */
  readonly checkpointWriter: (path: string) => CheckpointWriter;
  /** Bytes that may still be written on the disk of a folder. */
  readonly freeBytes: (folder: string) => number;
  /** Verifies votes, certificates and evidence on the calling thread. */
  readonly suite: CryptoSuite;
  /** Verifies the signatures of transactions off the calling thread, by the same rule. */
  readonly verifyMany: (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
  readonly network: NodeNetwork;
  /** How the hash index is written; default as a node's. */
  readonly indexTuning?: HashIndexTuning;
  /** Bytes of a segment of the batch log; default as a node's. */
  readonly batchSegmentBytesMax?: number;
  /** How pruning goes about it; default as a node's. */
  readonly pruneTuning?: PruneTuning;
}

/** Threads that verify signatures: with more of them the calling thread is what is short. */
const VERIFY_THREADS_MAX = 8;
const verifyThreads = new VerifyThreads(Math.min(VERIFY_THREADS_MAX, availableParallelism()), systemTimers);

/** This machine. */
export const systemPlatform: Platform = {
  clock: systemClock,
  timers: systemTimers,
  entropy: systemEntropy,
  fs: nodeFileSystem,
  openDatabase,
  checkpointWriter: (path) => new WorkerCheckpointWriter(path),
  freeBytes: freeBytesOf,
  suite: nativeSuite,
  verifyMany: (claims) => verifyThreads.verifyMany(claims),
  network: noNetwork,
};

/** How the threads that verify signatures have fared in this process. */
export function verifyThreadsHealth(): VerifyThreadsHealth {
  return verifyThreads.health;
}

/** Bytes that this user may still write on the disk of a folder. */
export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
