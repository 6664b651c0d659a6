import { assert, bytesEqual, present } from "../kernel/index.ts";
import { type Certificate, decodeValidatorSet, type EpochHop, type ValidatorSet } from "../protocol/index.ts";
import type { BlockStore } from "./store.ts";
import type { CommittedBlock } from "./types.ts";
import { WeightedCache } from "./weighted-cache.ts";

/** How an epoch began: the block after which it runs, its time, its set, and the finalization that closed the epoch before. */
export type EpochStart = {
  readonly epoch: number;
  /** Height of the boundary block; 0 for epoch 0. */
  readonly height: number;
  readonly timeMs: number;
  readonly validatorSet: ValidatorSet;
  readonly finalization?: Certificate;
};

/** Epoch starts kept in memory; a light client's proof may ask for all of them, in order. */
const EPOCHS_KEPT = 64;

/** Rows kept in memory, of a kilobyte or so: those that are asked for are mostly new, or asked for again. */
const ROWS_KEPT = 64;

/** Questions about committed blocks that take more than one row. */
export class ChainReader {
  readonly #store: BlockStore;
  readonly #epochs = new Map<number, EpochStart>();
  /** Heights of last blocks of epochs by epoch, as far as they were asked for: evidence may name any, one after another. */
  readonly #lastHeights = new Map<number, number>();
  readonly #rows = new WeightedCache<number, CommittedBlock>(ROWS_KEPT, () => 1);

  constructor(store: BlockStore) {
    this.#store = store;
  }

  /** Height of the last committed block; 0 when there is only genesis. */
  get tipHeight(): number {
    return this.#store.tipHeight ?? 0;
  }

  /** Height of the lowest row that is not of the first block: of a snapshot, or where pruning stands; 0 when all blocks are here. */
  get baseHeight(): number {
    return this.#store.baseHeight;
  }

  /** Whether blocks that were here were let go. */
  get isPruned(): boolean {
    return this.#store.isPruned;
  }

  /** The committed block at a height; undefined for genesis, beyond the tip and below the lowest row. */
  find(height: number): CommittedBlock | undefined {
    if (height < Math.max(1, this.baseHeight) || height > this.tipHeight) return undefined;
    const kept = this.#rows.find(height);
    if (kept) return kept;
    const block = this.#store.read(height);
    this.#rows.put(height, block);
    return block;
  }

  /** Keeps a block that was just committed: whoever asks first, asks for the tip. */
  keep(block: CommittedBlock): void {
    this.#rows.put(block.block.header.height, block);
  }

  /** Hash of the block at a height; the chain id at 0. */
  hashAt(height: number): Uint8Array {
    return height === 0 ? this.#store.genesis().chainId : this.#store.read(height).hash;
  }

  /** The certificate that a block was committed under: its own, or the one of the later block that made it final. */
  finalizationOf(block: CommittedBlock): Certificate {
    const { finalization } = block;
    if ("certificate" in finalization) return finalization.certificate;
    const later = this.#store.read(finalization.height).finalization;
    if (!("certificate" in later))
      throw this.#store.damaged(finalization.height, "its row holds no certificate, but an earlier one refers to it");
    return later.certificate;
  }

  /** How an epoch began; undefined while its boundary block is not committed. */
  findEpoch(epoch: number): EpochStart | undefined {
    const known = this.#epochs.get(epoch);
    if (known) return known;
    const start = epoch === 0 ? this.#genesisEpoch() : this.#epochAfter(epoch - 1);
    if (!start) return undefined;
    this.#epochs.set(epoch, start);
    const oldest = this.#epochs.keys().next();
    if (this.#epochs.size > EPOCHS_KEPT && oldest.done !== true) this.#epochs.delete(oldest.value);
    return start;
  }

  /** The step into an epoch that began below the lowest row, which keeps it or has it kept; undefined for other epochs. */
  findHop(epoch: number): EpochHop | undefined {
    return this.find(this.baseHeight)?.hops?.[epoch - 1] ?? this.#store.findHop(epoch);
  }

  /** The start of the epoch that the block after the tip belongs to. */
  currentEpoch(): EpochStart {
    const tip = this.find(this.tipHeight);
    const header = tip?.block.header;
    const epoch = header === undefined ? 0 : header.epoch + (header.nextValidatorSetHash ? 1 : 0);
    return present(this.findEpoch(epoch), "the epoch of the next block has begun");
  }

  #genesisEpoch(): EpochStart {
    const genesis = this.#store.genesis();
    return { epoch: 0, height: 0, timeMs: genesis.timeMs, validatorSet: this.#openSet(0, genesis.validatorSet) };
  }

  #epochAfter(epoch: number): EpochStart | undefined {
    const hop = this.findHop(epoch + 1);
    const closing = hop?.headers.at(-1);
    if (hop && closing) {
      const { height, timeMs } = closing;
      return { epoch: epoch + 1, height, timeMs, validatorSet: hop.nextSet, finalization: hop.finalization };
    }
    const height = this.#lastHeightOf(epoch);
    const boundary = height === undefined ? undefined : this.find(height);
    if (!boundary?.nextValidatorSet) return undefined;
    const validatorSet = this.#openSet(boundary.block.header.height, boundary.nextValidatorSet);
    const { height: at, timeMs, nextValidatorSetHash } = boundary.block.header;
    if (!nextValidatorSetHash || !bytesEqual(nextValidatorSetHash, validatorSet.hash)) {
      throw this.#store.damaged(at, "its row holds another validator set than its header commits to");
    }
    return { epoch: epoch + 1, height: at, timeMs, validatorSet, finalization: this.finalizationOf(boundary) };
  }

  /** Epochs never decrease with height, so the last block of one is found by halving; that of one that goes on is not kept. */
  #lastHeightOf(epoch: number): number | undefined {
    const known = this.#lastHeights.get(epoch);
    if (known !== undefined) return known;
    const height = this.#searchLastHeightOf(epoch);
    if (height !== undefined && this.find(height)?.nextValidatorSet !== undefined) this.#lastHeights.set(epoch, height);
    return height;
  }

  #searchLastHeightOf(epoch: number): number | undefined {
    let low = this.baseHeight;
    let high = this.tipHeight;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#store.read(middle).block.header.epoch <= epoch) low = middle;
      else high = middle - 1;
    }
    return low >= 1 && this.#store.read(low).block.header.epoch === epoch ? low : undefined;
  }

  #openSet(height: number, encoded: Uint8Array): ValidatorSet {
    const set = decodeValidatorSet(encoded);
    if (!set.ok) throw this.#store.damaged(height, "its row holds no validator set where there must be one");
    assert(set.value.validators.length > 0, "a validator set has members");
    return set.value;
  }
}
