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
 * Changes reach the disk in order at a sync. At a crash each un-synced one is kept, lost, lost but for the length it gave
 * the file (delayed allocation leaves zeros), or torn sector by sector, each independently of the others.
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

  /** A failed sync: each change up to the mark reached the disk or is forgotten, and no later sync brings it back. */
  settleFaultily(changeCount: number, prng: Prng): void {
    const count = changeCount - this.#settled;
    if (count <= 0) return;
    for (const change of this.#changes.splice(0, count)) if (prng.chance(0.5)) apply(this.#onDisk, change);
    this.#settled += count;
  }

  /** Power is cut: what the process sees becomes what the disk happens to hold. */
  crash(prng: Prng, hasGarbledSectors: boolean): void {
    for (const change of this.#changes) applyPartly(this.#onDisk, change, prng, hasGarbledSectors);
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

function applyPartly(extent: Extent, change: Change, prng: Prng, hasGarbledSectors: boolean): void {
  const fate = prng.below(4);
  if (fate === 0) return;
  if (fate === 1 || change.bytes === undefined) {
    apply(extent, change);
    return;
  }
  const end = change.position + change.bytes.length;
  if (fate === 2) {
    if (end > extent.size) extent.resize(end);
    return;
  }
  let from = change.position;
  while (from < end) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (prng.chance(0.5)) extent.write(from, change.bytes.subarray(from - change.position, to - change.position));
    else if (hasGarbledSectors && prng.chance(0.25)) extent.write(from, prng.bytes(to - from));
    from = to;
  }
}
