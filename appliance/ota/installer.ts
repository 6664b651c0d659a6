import type { Result } from "../../src/kernel/index.ts";
import type { BundleWord, UpdateTrouble } from "./types.ts";

/** The updater did not answer as it should; the same may go through later. */
export class InstallerFailed extends Error {
  override readonly name = "InstallerFailed";
}

/** What a look at the slots brings. */
export type SlotsWord = {
  /** Whether the other slot can be started. */
  readonly canGoBack: boolean;
};

/**
 * What writes slots and tells the boot loader which one comes next. Rejects with InstallerFailed when it does not answer.
 */
export interface Installer {
  slots(): Promise<SlotsWord>;
  /** What a bundle says of itself, once its signature was found to be by somebody whom this box trusts. Touches no slot. */
  inspect(path: string): Promise<Result<BundleWord, UpdateTrouble>>;
  /** As `inspect` without looking at the signature: only to say better why a bundle is refused. */
  peek(path: string): Promise<BundleWord | undefined>;
  /** Writes the other slot and makes it the next to be started. Twice is as good as once. */
  install(path: string): Promise<Result<void, UpdateTrouble>>;
  /** Marks the slot that runs good. */
  commit(): Promise<void>;
  /** Marks the slot that runs bad, and the other one next. */
  turnBack(): Promise<void>;
  /** Makes the slot that runs the next to be started. */
  stay(): Promise<void>;
}
