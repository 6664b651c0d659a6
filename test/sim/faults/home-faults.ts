import type { HomeImage } from "../sim-node.ts";
import { HOME, JOURNAL, type SimNode } from "../sim-node.ts";
import type { Mischief } from "./mischief.ts";

/** Files of a whole node's home that are caches: damaged ones are built again, and nobody is the worse for it. */
const CACHES = [`${HOME}/index/`, `${HOME}/state.checkpoint`];

/** The next commit of a database finds no room, or its sync fails: the process must end, and comes back on what is there. */
export function brokenCommit(m: Mischief): void {
  m.every(1_200, () => {
    const node = m.box();
    if (!node.isUp) return;
    m.counts.diskFaults++;
    node.hasDiskTrouble = true;
    node.insides.failNextCommit(m.pick(["chain.db", "chain.db", "node.db", "ops.db"]), m.pick(["diskFull", "ioFailed"]));
  });
}

/** A box is stopped, and stopped again while it opens and recovers what its disk kept. */
export function crashWhileStarting(m: Mischief): void {
  m.every(800, () => {
    const node = m.box();
    node.crashAfterStartEffects = m.prng.below(16);
    m.crash(node, m.prng.chance(0.5));
  });
}

/** A backup of the whole home is put back: it may contradict itself and counts toward F. */
export function oldHome(m: Mischief): void {
  const images = new Map<SimNode, HomeImage>();
  m.every(700, () => {
    const node = m.box();
    const image = images.get(node);
    if (!node.isUp || !m.mayTurn(node)) return;
    images.delete(node);
    if (!image) {
      images.set(node, node.homeImage());
      return;
    }
    m.counts.journalLosses++;
    m.crash(node, true, 10 + m.prng.below(300), () => node.restoreHome(image));
  });
}

/** A disk dies and a new one is put in: all is gone but the key. It has to recover and to catch up from the first block. */
export function newDisk(m: Mischief): void {
  m.every(1_500, () => {
    const node = m.box();
    if (!node.isUp || !m.mayLoseJournal(node)) return;
    m.counts.journalLosses++;
    m.crash(node, true, 10 + m.prng.below(300), () => node.replaceDisk());
  });
}

/** One bit turns in a cache, or in a log that holds promises, while the box is off. With the latter it counts toward F. */
export function rot(m: Mischief): void {
  m.every(1_000, () => {
    const node = m.box();
    if (!node.isUp) return;
    const files = node.disk.files(HOME).filter((path) => !path.startsWith(JOURNAL) && (node.disk.stat(path)?.sizeBytes ?? 0) > 0);
    const caches = files.filter((path) => CACHES.some((cache) => path.startsWith(cache)));
    const isCache = caches.length > 0 && m.prng.chance(0.6);
    if (files.length === 0 || (!isCache && !m.mayTurn(node))) return;
    m.counts.diskFaults++;
    if (!isCache) node.hasLyingDisk = true;
    const path = m.pick(isCache ? caches : files);
    m.crash(node, true, 50, () => {
      const sizeBytes = node.disk.stat(path)?.sizeBytes ?? 0; // the power cut may have taken the file
      if (sizeBytes > 0) node.disk.flipBit(path, m.prng.below(8 * Math.min(sizeBytes, 4_096)));
    });
  });
}
