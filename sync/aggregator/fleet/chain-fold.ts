import { decodeBody, decodePayload } from "../../../src/events/index.ts";
import { toHex } from "../../../src/kernel/index.ts";
import type { EventPlace, StoredEvent } from "../types.ts";

/** A member of the validator set, as the chain lane tells. */
export type FoldedValidator = {
  /** Signing key, hex. */
  readonly publicKey: string;
  readonly owner: string;
  readonly weight: bigint;
};

/** A final block, as the chain lane tells. `timeMs` is its header's. */
export type FoldedBlock = { readonly height: number; readonly timeMs: number; readonly epoch: number; readonly view: number };

/** Blocks that are looked back on. */
const BLOCKS_KEPT = 200;

/**
 * What a network is, from the chain lane of one of its nodes: its validators and its last blocks. Fed with the lane's
 * records in order; one that comes again changes nothing.
 */
export class ChainFold {
  /** The last record that was taken. */
  place: EventPlace = { epoch: 0, sequence: 0 };
  epoch = 0;
  readonly #validators = new Map<string, FoldedValidator>();
  readonly #jailed = new Map<string, number>();
  #blocks: FoldedBlock[] = [];

  /** Members of the set, the heaviest first. */
  get validators(): readonly FoldedValidator[] {
    return [...this.#validators.values()].sort((a, b) => Number(b.weight - a.weight) || (a.publicKey < b.publicKey ? -1 : 1));
  }

  /** Validators that were convicted, by key, with the epoch until which they stay out. */
  get jailed(): ReadonlyMap<string, number> {
    return this.#jailed;
  }

  /** The last blocks, oldest first. */
  get blocks(): readonly FoldedBlock[] {
    return this.#blocks;
  }

  /** Takes the next record. */
  take(event: StoredEvent): void {
    this.place = { epoch: event.epoch, sequence: event.sequence };
    const body = decodeBody(event.body);
    const payload = body.ok ? decodePayload(event.type, body.value.payload) : body;
    if (!payload.ok) return; // a later release's event
    const { publicKey, owner, weight, height, epoch, view, validator, untilEpoch } = payload.value;
    if (event.type === "block.finalized")
      this.#onBlock({ height: Number(height), timeMs: event.timeMs, epoch: Number(epoch), view: Number(view) });
    if (event.type === "epoch.opened") this.epoch = Number(epoch);
    if (event.type === "validator.jailed" && validator instanceof Uint8Array) this.#jailed.set(toHex(validator), Number(untilEpoch));
    if (event.type !== "validator.registered" && event.type !== "set.changed") return;
    if (!(publicKey instanceof Uint8Array) || !(owner instanceof Uint8Array) || typeof weight !== "bigint") return;
    const key = toHex(publicKey);
    if (weight === 0n) this.#validators.delete(key);
    else this.#validators.set(key, { publicKey: key, owner: toHex(owner), weight });
  }

  #onBlock(block: FoldedBlock): void {
    if (block.height <= (this.#blocks.at(-1)?.height ?? -1)) return;
    this.#blocks.push(block);
    if (this.#blocks.length > 2 * BLOCKS_KEPT) this.#blocks = this.#blocks.slice(-BLOCKS_KEPT);
  }
}

/** How a chain goes on: over its last blocks, at most 100. */
export type ChainPace = {
  readonly blocks: number;
  /** Mean time between header times; undefined below two blocks. */
  readonly intervalMs: number | undefined;
  /** Views of which no block came to stand, between those blocks. */
  readonly missedViews: number;
};

/** The pace of the last blocks of a fold. */
export function paceOf(all: readonly FoldedBlock[]): ChainPace {
  const blocks = all.slice(-100);
  const [first, last] = [blocks[0], blocks.at(-1)];
  const intervalMs = first && last && blocks.length > 1 ? (last.timeMs - first.timeMs) / (blocks.length - 1) : undefined;
  let missedViews = 0;
  for (const [i, block] of blocks.entries()) {
    const before = blocks[i - 1];
    if (before && before.epoch === block.epoch) missedViews += Math.max(0, block.view - before.view - 1);
  }
  return { blocks: blocks.length, intervalMs, missedViews };
}
