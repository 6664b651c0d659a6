import { CborWriter } from "../../../src/kernel/index.ts";
import { rawParcel } from "../network.ts";
import type { SimNode } from "../sim-node.ts";
import type { Mischief } from "./mischief.ts";

/**
 * A box runs a newer release beside the others: it also says things that older ones have no word for, and writes more into
 * messages than they know. Older ones must pass over that.
 */
export function newerRelease(m: Mischief): void {
  const newer = m.box();
  m.every(60, () => {
    if (!newer.isUp) return;
    const writer = new CborWriter(64).array(2 + m.prng.below(4)).uint(m.pick([11, 12, 99, 1]));
    const bytes = writer.bytes(m.prng.bytes(1 + m.prng.below(40))).finish();
    for (const peer of m.cluster.nodes) if (peer !== newer && m.prng.chance(0.5)) m.cluster.sendRaw(newer, peer.id, rawParcel(bytes));
  });
}

/** An operator restarts the whole fleet box by box, each as soon as the one before is up, as an update does. */
export function rollingRestart(m: Mischief): void {
  let at = 0;
  m.every(500, () => {
    const node = m.cluster.nodes[at++ % m.cluster.nodes.length];
    if (node) m.crash(node, false, 150);
  });
}

/**
 * Again and again one box's program does not know the blocks of the next epoch: it ends its part at the boundary, maybe is
 * restarted as it is, and goes on from there once its program is replaced.
 */
export function leftBehind(m: Mischief): void {
  const update = (node: SimNode): void => {
    node.host.unknownFromEpoch = Number.POSITIVE_INFINITY;
    m.crash(node, false, 50);
  };
  m.every(2_500, () => {
    const node = m.box();
    const epoch = node.status()?.epoch;
    if (epoch === undefined || node.host.unknownFromEpoch !== Number.POSITIVE_INFINITY) return;
    node.host.unknownFromEpoch = epoch + 1;
    if (m.prng.chance(0.3)) m.later(600, () => m.crash(node, m.prng.chance(0.5)));
    m.later(500 + m.prng.below(2_500), () => update(node));
  });
  m.onHeal(() => {
    for (const node of m.cluster.nodes) if (node.host.unknownFromEpoch !== Number.POSITIVE_INFINITY) update(node);
  });
}
