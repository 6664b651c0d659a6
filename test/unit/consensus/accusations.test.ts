import { expect, test } from "bun:test";
import { runSetup } from "../../sim/chaos.ts";
import type { Cluster } from "../../sim/cluster.ts";
import { PLANS, setupOf } from "../../sim/plans.ts";

/** What honest boxes refused of honest boxes; each would lower the score of one that did nothing wrong. */
function falseAccusations(cluster: Cluster): string[] {
  return cluster.notices.flatMap(({ node, notice }) => {
    if (notice.kind !== "refused") return [];
    const senders = cluster.nodes.filter(({ id }) => id === notice.from);
    const isHonest = senders.length > 0 && [...senders, cluster.nodes[node]].every((box) => box && !box.isFaulty);
    return isHonest ? [`${notice.code} by node ${node}`] : [];
  });
}

test("consensus: honest boxes under every plan of faults, refuse nothing of each other", () => {
  for (const [index, plan] of PLANS.entries()) {
    let cluster: Cluster | undefined;
    runSetup(setupOf(12_000 + index, plan), (made) => {
      cluster = made;
    });
    expect([plan, cluster && falseAccusations(cluster)]).toEqual([plan, []]);
  }
}, 120_000);
