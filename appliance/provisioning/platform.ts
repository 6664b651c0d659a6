import type { Clock, Entropy, Log, Result, Timers } from "../../src/kernel/index.ts";
import type { ProvisionDocument } from "./document.ts";
import type { PublicKeys } from "./progress.ts";

/** Files of provisioning. Every change is durable when its function returns, and a power cut leaves it undone or done. */
export interface BoxFiles {
  /** Bytes of a file, at most `bytesMax` + 1 of them; undefined when there is none. */
  read(path: string, bytesMax: number): Uint8Array | undefined;
  /** Whether there is such a folder: a medium that is not there is no place to write to. */
  hasFolder(path: string): boolean;
  /** Replaces a file, making its folder. */
  replace(path: string, text: string, mode: number): void;
  /** Gives a file another name, in the place of what has it. */
  rename(path: string, other: string): void;
  /** Overwrites what a file holds, in its place; cut short it has overwritten a part. */
  blank(path: string): void;
  /** Removes a file; nothing when there is none. */
  remove(path: string): void;
}

/** What an enrolment came to. */
export type EnrolmentOutcome = { readonly kind: "done" } | { readonly kind: "refused"; readonly sentence: string };

/** The box's node: its home, its keys, and the aggregator that it is enrolled at. */
export interface BoxNode {
  /** Makes keys and journal where there are none; keys that are there stay. */
  makeKeys(): Promise<PublicKeys>;
  /** The keys of a box that has some. */
  publicKeys(): PublicKeys | undefined;
  /**
   * Whether this box can follow a plan's chain.
   *
   * @param genesisText the document beside the plan, if there is one
   * @returns the faults, as sentences in printable ASCII
   */
  checkChain(plan: ProvisionDocument, genesisText: string | undefined): readonly string[];
  /** Puts genesis and settings into the home; twice is as good as once. */
  apply(plan: ProvisionDocument, genesisText: string | undefined): void;
  /**
   * Enrols at the plan's aggregator, and has the node bring its events there; resolves at once when it is enrolled there.
   * Tries for ever, until `signal`: then it never resolves, and has no effect any more.
   *
   * @param onRemark told what it waits for, as a sentence
   */
  enrol(plan: ProvisionDocument, signal: AbortSignal, onRemark: (sentence: string) => void): Promise<EnrolmentOutcome>;
  /** The aggregator that it was enrolled at last, if any. */
  enrolledAt(): string | undefined;
  /** Whether an administrator of the console has a password. */
  hasPassword(): boolean;
}

/** Where things are. */
export type ProvisioningPaths = {
  /** Folder of the partition that operators reach by a card reader. */
  readonly medium: string;
  /** Folder that the system's settings are written to. */
  readonly system: string;
  /** File of the progress. */
  readonly record: string;
};

/** What is true of the machine itself, whatever its progress. */
export type BoxConditions = {
  /** Whether another process makes the box forget what it was told, right now: nothing is done meanwhile. */
  readonly isBeingReset: boolean;
  /** Why the box makes no keys and takes no plan now, as a sentence: what it would write would be lost. */
  readonly standstill?: string;
  /** What else a person should know, as sentences. */
  readonly notes: readonly string[];
  /** Whether anybody could log in by the ssh keys of a plan. */
  readonly hasSshServer: boolean;
};

/** Everything outside that provisioning reaches. */
export type ProvisioningPlatform = {
  readonly files: BoxFiles;
  readonly node: BoxNode;
  readonly paths: ProvisioningPaths;
  /** Addresses at which the box's console answers, for status.txt. */
  readonly consoleUrls: () => readonly string[];
  readonly conditions: () => BoxConditions;
  /** Called when the record of the progress has gone: a factory reset has made the box forget what it was told. */
  readonly onForgotten?: () => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** Runs an action whose environment may fail, as a card that is pulled out does; the error is what to tell. */
export function attempt<T>(action: () => T): Result<T, string> {
  try {
    return { ok: true, value: action() };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
    return { ok: false, error: error.message };
  }
}
