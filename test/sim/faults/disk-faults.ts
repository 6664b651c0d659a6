import { JOURNAL, type SimNode } from "../sim-node.ts";
import type { Mischief } from "./mischief.ts";

/** The next sync fails: the process must stop voting and end; it comes back on whatever the disk kept. */
export function failedSync(m: Mischief): void {
  m.every(1_500, () => {
    const node = m.box();
    m.counts.diskFaults++;
    node.hasDiskTrouble = true;
    node.disk.failingSyncCount = 1;
  });
}

/** The disk has no room for a while. */
export function fullDisk(m: Mischief): void {
  m.every(2_000, () => {
    const node = m.box();
    m.counts.diskFaults++;
    node.hasDiskTrouble = true;
    node.disk.capacityBytes = usedBytes(node) + m.prng.below(400);
    m.later(1_000, () => {
      node.disk.capacityBytes = Number.POSITIVE_INFINITY;
    });
  });
}

/** The journal cannot be read at the next start; later it can. */
export function readError(m: Mischief): void {
  m.every(2_500, () => {
    const node = m.box();
    if (!node.isUp || !m.mayLoseJournal(node)) return;
    m.counts.diskFaults++;
    m.crash(node, false, 50, () => {
      node.hasDiskTrouble = true;
      for (const path of node.disk.files(JOURNAL)) node.disk.failReads(path, m.prng.below(2_000));
    });
    m.cluster.schedule.after(400, () => node.disk.healReads());
  });
}

/** One bit of a journal turns while its box is off. What it remembers is no longer certain: it counts toward F. */
export function bitFlip(m: Mischief): void {
  m.every(2_000, () => {
    const node = m.box();
    if (!node.isUp || !m.mayLoseJournal(node) || !m.mayTurn(node)) return;
    m.counts.diskFaults++;
    node.hasLyingDisk = true;
    m.crash(node, true, 50, () => {
      const path = m.pick(node.disk.files(JOURNAL));
      node.disk.flipBit(path, m.prng.below(8 * Math.min(4_096, node.disk.stat(path)?.sizeBytes ?? 1)));
    });
  });
}

/** A disk says that it synced and did not; then the power goes. It counts toward F (docs/limits.md). */
export function lyingSync(m: Mischief): void {
  m.every(1_500, () => {
    const node = m.box();
    if (!node.isUp || !m.mayTurn(node)) return;
    node.hasLyingDisk = true;
    node.disk.liesAboutSync = true;
    m.later(200 + m.prng.below(600), () => {
      node.disk.liesAboutSync = false;
      m.counts.diskFaults++;
      m.crash(node, true);
    });
  });
}

/** A journal is gone, one box at a time. */
export function wipe(m: Mischief): void {
  m.every(1_000, () => {
    const node = m.box();
    if (node.isUp && m.mayLoseJournal(node)) m.wipe(node);
  });
}

/** The journal of a while ago is put back: the box may contradict itself and counts toward F. */
export function oldImage(m: Mischief): void {
  const images = new Map<SimNode, ReadonlyMap<string, Uint8Array>>();
  m.every(600, () => {
    const node = m.box();
    const image = images.get(node);
    if (!node.isUp || !m.mayTurn(node)) return;
    images.delete(node);
    if (!image) {
      images.set(node, node.disk.image());
      return;
    }
    m.counts.journalLosses++;
    m.crash(node, true, 10 + m.prng.below(300), () => node.restoreJournal(image));
  });
}

function usedBytes({ disk }: SimNode): number {
  return disk.files().reduce((sum, path) => sum + (disk.stat(path)?.sizeBytes ?? 0), 0);
}
