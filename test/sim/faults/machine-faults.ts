import type { EffectKind } from "../sim-node.ts";
import type { Mischief } from "./mischief.ts";

const BOUNDARIES: readonly EffectKind[] = ["append", "sync", "send", "commit"];

/** A box stops at whatever it is about to do next, by a kill or a power cut, and comes back. */
export function crash(m: Mischief): void {
  m.every(900, () => {
    m.counts.crashes++;
    m.box().crashAfterEffects = m.prng.below(40);
  });
}

/** A box stops just before its next append, sync, send or commit, each as likely. */
export function crashAtEffect(m: Mischief): void {
  m.every(700, () => {
    m.counts.crashes++;
    m.box().crashBefore = { kind: m.pick(BOUNDARIES), left: 1 + m.prng.below(4) };
  });
}

/** A box stays away for longer. */
export function outage(m: Mischief): void {
  m.every(2_000, () => m.crash(m.box(), m.prng.chance(0.5), 500 + m.prng.below(2_500)));
}

/** Every box loses power in the same instant; they come back one after another. */
export function powerCycle(m: Mischief): void {
  m.every(2_500, () => {
    for (const node of m.cluster.nodes) m.crash(node, true);
  });
}

/** A box does nothing for up to two seconds, then goes on as if nothing were. */
export function pause(m: Mischief): void {
  m.every(800, () => m.box().host.pause(100 + m.prng.below(2_000)));
}

/** A box needs milliseconds for each input. */
export function slowNode(m: Mischief): void {
  m.every(2_000, () => {
    const { host } = m.box();
    host.inputCostMs = 1 + m.prng.below(12);
    m.later(1_500, () => {
      host.inputCostMs = 0;
    });
  });
}

/** A wall clock jumps, by milliseconds or by years, either way. */
export function clockJump(m: Mischief): void {
  m.every(900, () => {
    const reach = m.pick([900, 60_000, 3.2e10]);
    m.box().host.wallOffsetMs = Math.floor(reach * (2 * m.unit() - 1));
  });
}

/** A wall clock runs up to a fifth too fast or too slow. */
export function clockDrift(m: Mischief): void {
  m.every(1_500, () => {
    m.box().host.wallDrift = 0.4 * m.unit() - 0.2;
  });
}

/** A wall clock stands still. */
export function clockFreeze(m: Mischief): void {
  m.every(1_500, () => {
    const { host } = m.box();
    host.freezeWall();
    m.later(1_200, () => {
      host.isWallFrozen = false;
    });
  });
}
