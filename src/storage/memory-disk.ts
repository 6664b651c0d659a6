import { assert, type Prng } from "../kernel/index.ts";
import { SECTOR_BYTES } from "./file-system.ts";

/** A change that has not been synced: a write, or a change of length when it carries no bytes. */
interface Change {
  readonly position: number;
  readonly bytes: Uint8Array | undefined;
}

/** Bytes with a length, growing by doubling. */
class Extent {
  #room = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.#size);
  }

  write(position: number, bytes: Uint8Array): void {
    if (position + bytes.length > this.#size) this.resize(position + bytes.length);
    this.#room.set(bytes, position);
  }

  resize(size: number): void {
    if (size > this.#room.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#room.length));
      grown.set(this.bytes);
      this.#room = grown;
    }
    if (size < this.#size) this.#room.fill(0, size, this.#size);
    this.#size = size;
  }

  copyFrom(other: Extent): void {
    this.#room = other.bytes.slice();
    this.#size = other.size;
  }
}

/**
 * Content of one simulated file: what the running process sees, what the disk holds, and the changes in between.
 *
 * Changes reach the disk in order at a sync. At a crash each sector they touch, and the length of the file, is found as it
 * was after some number of them, each its own number: a cache writes whole sectors back, at moments and in an order of its
 * choice. Room that a length gave without its content reads as zeros.
 */
export class DiskFile {
  readonly #seen = new Extent();
  readonly #onDisk = new Extent();
  #changes: Change[] = [];
  #settled = 0;

  /** What the running process reads. */
  get seen(): Uint8Array {
    return this.#seen.bytes;
  }

  /** What a crash without un-synced changes would leave. */
  get onDisk(): Uint8Array {
    return this.#onDisk.bytes;
  }

  /** A mark for `settle`: all changes made so far. */
  get changeCount(): number {
    return this.#settled + this.#changes.length;
  }

  /** Writes, un-synced. */
  write(position: number, bytes: Uint8Array): void {
    this.#seen.write(position, bytes);
    this.#changes.push({ position, bytes: bytes.slice() });
  }

  /** Changes the length, un-synced. */
  truncate(size: number): void {
    this.#seen.resize(size);
    this.#changes.push({ position: size, bytes: undefined });
  }

  /** Makes the changes up to this mark durable. */
  settle(changeCount: number): void {
    const count = changeCount - this.#settled;
    if (count <= 0) return;
    for (const change of this.#changes.splice(0, count)) apply(this.#onDisk, change);
    this.#settled += count;
  }

  /**
   * A failed sync: each write up to the mark reached the disk or is forgotten, and no later sync brings it back. Cuts are
   * metadata: a journaling file system that cannot keep those stops writing altogether.
   */
  settleFaultily(changeCount: number, prng: Prng): void {
    const count = changeCount - this.#settled;
    if (count <= 0) return;
    for (const change of this.#changes.splice(0, count)) {
      if (change.bytes === undefined || prng.chance(0.5)) apply(this.#onDisk, change);
    }
    this.#settled += count;
  }

  /** Power is cut: what the process sees becomes what the disk happens to hold. */
  crash(prng: Prng, hasGarbledSectors: boolean): void {
    if (this.#changes.length > 0) this.#onDisk.copyFrom(afterCrash(this.#onDisk, this.#changes, prng, hasGarbledSectors));
    this.#settled += this.#changes.length;
    this.#changes = [];
    this.#seen.copyFrom(this.#onDisk);
  }

  /** Changes one bit of what is on disk and what is seen: damage at rest. */
  flipBit(bit: number): void {
    const at = bit >>> 3;
    assert(at < this.#seen.size, "a flipped bit lies inside its file");
    for (const extent of [this.#seen, this.#onDisk]) {
      if (at < extent.size) extent.bytes[at] = (extent.bytes[at] as number) ^ (1 << (bit & 7));
    }
  }
}

function apply(extent: Extent, change: Change): void {
  if (change.bytes === undefined) extent.resize(change.position);
  else extent.write(change.position, change.bytes);
}

function afterCrash(before: Extent, changes: readonly Change[], prng: Prng, hasGarbledSectors: boolean): Extent {
  const common = prng.below(changes.length + 1);
  const pick = (): number => (prng.chance(0.5) ? common : prng.below(changes.length + 1));
  const reached = new Map([...sectorsOf(before, changes)].map((sector) => [sector, pick()]));
  const reachedByLength = pick();
  const result = new Extent();
  result.copyFrom(before);
  const state = new Extent();
  state.copyFrom(before);
  let length = before.size;
  for (let count = 0; count <= changes.length; count++) {
    const change = changes[count - 1];
    if (change !== undefined) apply(state, change);
    if (count === reachedByLength) length = state.size;
    for (const [sector, wanted] of reached) if (wanted === count) copySector(result, state, sector);
  }
  if (hasGarbledSectors) garbleSectors(result, changes, prng);
  result.resize(length);
  return result;
}

/** The sectors that changes touch, in order; cutting a file touches all that it cuts. */
function sectorsOf(before: Extent, changes: readonly Change[]): readonly number[] {
  const sectors = new Set<number>();
  let size = before.size;
  for (const { position, bytes } of changes) {
    const end = bytes === undefined ? Math.max(size, position) : position + bytes.length;
    for (let sector = Math.floor(position / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) sectors.add(sector);
    size = bytes === undefined ? position : Math.max(size, end);
  }
  return [...sectors].sort((a, b) => a - b);
}

function copySector(target: Extent, source: Extent, sector: number): void {
  const from = sector * SECTOR_BYTES;
  const content = new Uint8Array(SECTOR_BYTES);
  content.set(source.bytes.subarray(from, from + SECTOR_BYTES));
  target.write(from, content);
}

function garbleSectors(target: Extent, changes: readonly Change[], prng: Prng): void {
  for (const { position, bytes } of changes) {
    const end = position + (bytes?.length ?? 0);
    for (let from = Math.ceil(position / SECTOR_BYTES) * SECTOR_BYTES; from + SECTOR_BYTES <= end; from += SECTOR_BYTES) {
      if (prng.chance(0.1)) target.write(from, prng.bytes(SECTOR_BYTES));
    }
  }
}
