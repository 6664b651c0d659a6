import type { Mischief } from "./mischief.ts";

/** A share of messages never arrives. */
export function loss(m: Mischief): void {
  m.cluster.network.loss = 0.05 + 0.15 * m.unit();
}

/** Messages take anything up to a quarter second, so they overtake one another. */
export function delay(m: Mischief): void {
  m.cluster.network.delayMs = [0.2, 20 + 230 * m.unit()];
  m.onHeal(() => {
    m.cluster.network.delayMs = [0.2, 20];
  });
}

/** Some messages come seconds after those sent later. */
export function reorder(m: Mischief): void {
  m.cluster.network.stragglers = 0.02 + 0.1 * m.unit();
  m.cluster.network.straggleMs = 500 + m.prng.below(4_000);
}

/** Some messages arrive twice. */
export function duplicate(m: Mischief): void {
  m.cluster.network.duplicates = 0.05 + 0.2 * m.unit();
}

/** Messages of any earlier time, epoch and run of a box arrive again on their own link. */
export function replay(m: Mischief): void {
  m.every(30, () => m.cluster.network.replay());
}

/** The network falls into two halves for a while, again and again; often one half is everybody. */
export function partition(m: Mischief): void {
  m.every(1_200, () => {
    const side = m.cluster.nodes.map(() => m.prng.chance(0.3));
    m.cluster.network.isLinkUp = (from, to) => side[from] === side[to];
  });
}

/** As a partition, but one half still hears the other. */
export function oneWay(m: Mischief): void {
  m.every(1_200, () => {
    const side = m.cluster.nodes.map(() => m.prng.chance(0.3));
    m.cluster.network.isLinkUp = (from, to) => side[from] === side[to] || side[from] === true;
  });
}

/** Connections get stuck link by link and come loose in another order, each letting go all it held back. */
export function clog(m: Mischief): void {
  const { network, nodes } = m.cluster;
  m.every(120, () => {
    const stuck = network.clogged;
    if (stuck.length > 0 && m.prng.chance(0.5)) network.unclog(...m.pick(stuck));
    else network.clog(m.prng.below(nodes.length), m.prng.below(nodes.length));
  });
}

/** Some links are slow for good. */
export function slowLinks(m: Mischief): void {
  const { network, nodes } = m.cluster;
  for (let count = 0; count < nodes.length; count++)
    network.slowLinks.set(`${m.prng.below(nodes.length)}:${m.prng.below(nodes.length)}`, 50 + m.prng.below(700));
}

/** Uplinks carry a few dozen kilobytes a second. */
export function bandwidth(m: Mischief): void {
  m.cluster.network.bytesPerMs = 8 + m.prng.below(60);
}
