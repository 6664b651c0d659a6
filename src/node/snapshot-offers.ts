import { join } from "node:path";
import { buildChainAnchor } from "../blocks/index.ts";
import { err, ok, type Result } from "../kernel/index.ts";
import { encodeSnapshotManifest, SNAPSHOT_LIMITS } from "../protocol/index.ts";
import { SnapshotFile } from "../state/index.ts";
import { isStorageError } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import { HOME } from "./home.ts";
import type { Platform } from "./platform.ts";
import type { NodeSetup } from "./setup.ts";

/** Snapshots offered at a time: the newest, and those before it for whoever is not done with one. */
const OFFERS_MAX = 2;

type Offer = { readonly height: number; readonly manifest: Uint8Array; readonly file: SnapshotFile };

/**
 * The snapshots that a node offers: its state checkpoints, read from their files as they are asked for. Nothing is copied
 * or kept for it; a node that nobody asks does nothing.
 */
export class SnapshotOffers {
  readonly #path: string;
  readonly #setup: NodeSetup;
  readonly #platform: Platform;
  readonly #contexts: Contexts;
  #offers: readonly Offer[] = [];
  #making: Promise<void> | undefined;
  #isClosed = false;
  /** What may be given now; below zero after a part that was larger. */
  #budgetBytes = 1;
  #budgetAtMs = Number.NEGATIVE_INFINITY;

  constructor(setup: NodeSetup, platform: Platform, contexts: Contexts) {
    this.#path = join(setup.home, HOME.state);
    this.#setup = setup;
    this.#platform = platform;
    this.#contexts = contexts;
  }

  /** The newest manifest or, by its hash, a part of a snapshot that is offered; busy while others have just had much. */
  async find(part: Uint8Array | undefined): Promise<Result<Uint8Array, "notFound" | "busy">> {
    if (!this.#hasBudget()) return err("busy");
    const found = part ? this.#findPart(part) : await this.#newestManifest();
    this.#budgetBytes -= found?.length ?? 0;
    return found ? ok(found) : err("notFound");
  }

  #findPart(part: Uint8Array): Uint8Array | undefined {
    for (const { file } of this.#offers) {
      const content = file.find(part);
      if (content) return content;
    }
    return undefined;
  }

  /** All who ask together get as many bytes a second as blocks are taken from one validator, so that votes have the rest. */
  #hasBudget(): boolean {
    const perSecond = this.#setup.configuration.network.blockBytesPerSecond;
    const nowMs = this.#platform.clock.monotonicMs();
    this.#budgetBytes = Math.min(perSecond, this.#budgetBytes + ((nowMs - this.#budgetAtMs) * perSecond) / 1_000);
    this.#budgetAtMs = nowMs;
    return this.#budgetBytes > 0;
  }

  async #newestManifest(): Promise<Uint8Array | undefined> {
    const height = this.#contexts.state.gauges.checkpointHeight ?? 0;
    if (height > (this.#offers[0]?.height ?? 0)) {
      this.#making ??= this.#make().finally(() => {
        this.#making = undefined;
      });
      await this.#making;
    }
    return this.#offers[0]?.manifest;
  }

  /** Lets go of the files. */
  close(): void {
    this.#isClosed = true;
    for (const { file } of this.#offers) file.close();
    this.#offers = [];
  }

  /** Walks the checkpoint a part a turn, since a large one takes longer than a vote may wait. */
  async #make(): Promise<void> {
    const { fs, timers } = this.#platform;
    try {
      const walk = SnapshotFile.open(fs, this.#path, this.#setup.genesis.hash);
      let step = walk.next();
      for (; !step.done; step = walk.next()) await new Promise<void>((resolve) => void timers.after(0, resolve));
      if (step.value.ok) this.#offer(step.value.value);
    } catch (error) {
      if (!isStorageError(error)) throw error; // a checkpoint that cannot be read is not offered; the state has it in memory
    }
  }

  #offer(file: SnapshotFile): void {
    const { blocks } = this.#contexts;
    const anchor = this.#isClosed ? undefined : buildChainAnchor(blocks.reader, blocks.queries, file.mark.height);
    const manifest = anchor && encodeSnapshotManifest({ ...anchor, parts: file.parts });
    if (!manifest || manifest.length > SNAPSHOT_LIMITS.manifestBytesMax) {
      file.close();
      return;
    }
    const offers = [{ height: file.mark.height, manifest, file }, ...this.#offers];
    for (const old of offers.slice(OFFERS_MAX)) old.file.close();
    this.#offers = offers.slice(0, OFFERS_MAX);
  }
}
