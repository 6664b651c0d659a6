import { Saboteur, type Treason } from "../saboteur.ts";
import type { Mischief } from "./mischief.ts";

/** As many boxes as fit into F turn traitor, each with these treasons; not always all that fit. */
export function traitorsOf(m: Mischief, treasons: readonly Treason[]): void {
  const boxes = [...m.cluster.nodes].sort(() => m.unit() - 0.5);
  let count = 0;
  for (const node of boxes) {
    if (node.tamper || (count > 0 && m.prng.chance(0.2)) || !m.mayTurn(node)) continue;
    count++;
    new Saboteur(m.cluster, node, m.prng.uint32(), treasons);
  }
}
